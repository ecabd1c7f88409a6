# SPDX-License-Identifier: Apache-2.0
"""Envoy's external authorization: a proxy that asks about each request of MCP before it sends it upstream.

Not for proxies that only balance: those pass every request to remit (`gateway.forwarding`).
"""
