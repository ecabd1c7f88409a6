# SPDX-License-Identifier: Apache-2.0
"""The catalogue of tools: descriptions joined with what upstreams offer, pinning, and reachability.

Adapters of `ports.upstream` communicate with the upstreams.
"""
