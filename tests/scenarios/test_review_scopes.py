# SPDX-License-Identifier: Apache-2.0
"""Threat: a task whose tools need no scope gets a token with all of them, for none was named."""

import os
from pathlib import Path
from unittest import mock

import pytest

from remit.core.errors import KeyUnavailable
from tests.authorization_server import CLIENT, SECRET, authorities
from tests.leasing_gateway import LeasingGateway


def test_without_scopes_there_is_no_token(tmp_path: Path) -> None:
    """RFC 6749 section 3.3 leaves it to the server what is given then; section 6 says: all that there is."""
    with authorities() as server:
        lease = {
            "oauth": {
                "token_url": f"{server.url}/token",
                "revoke_url": f"{server.url}/revoke",
                "probe_url": f"{server.url}/me",
                "client_id": CLIENT,
                "client_secret": "env:CRM_CLIENT_SECRET",
                "tool_scopes": {"transfer": ["crm.pay"]},
            }
        }
        with (
            mock.patch.dict(os.environ, {"CRM_CLIENT_SECRET": SECRET}),
            LeasingGateway(tmp_path, lease) as gateway,
        ):
            _, token = gateway.open()
            with pytest.raises(KeyUnavailable, match="no tool that the task was granted has scopes"):
                gateway.call(token)
            assert gateway.shown() == []
            assert server.tokens == {}
