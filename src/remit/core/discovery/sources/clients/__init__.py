# SPDX-License-Identifier: Apache-2.0
"""Configurations of MCP clients: their servers, and what they may do without a question."""

from remit.core.discovery.sources.clients.client_files import ClientFiles

__all__ = ["CLIENT_READERS", "ClientFiles"]

#: In their order, before readers of JSON, TOML and YAML in general.
CLIENT_READERS = (ClientFiles(),)
