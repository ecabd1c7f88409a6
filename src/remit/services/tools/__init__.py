# SPDX-License-Identifier: Apache-2.0
"""The catalogue of tools: descriptions joined with what upstreams offer, pinning, and reachability.

Upstreams are spoken to by adapters of `ports.upstream`.
"""
