# SPDX-License-Identifier: Apache-2.0
"""A task's token on every request of an `httpx` client, such as MCP clients before version 2 use."""

from __future__ import annotations

import httpx

from remit_sdk.auth_flow import TaskAuthFlow


class HttpxTaskAuth(TaskAuthFlow, httpx.Auth):
    """Authentication for `httpx`, with the arguments of `TaskAuthFlow`."""
