# SPDX-License-Identifier: Apache-2.0
"""Threat: a program with a task's credential in its environment writes it into its log, which remit keeps."""

import logging
import os
import sys
from pathlib import Path
from unittest import mock

import pytest

from remit.services.credentials.scrubbing import cleaned
from tests.gateways.task_program_gateway import ProcessGateway
from tests.servers.authorization_server import CLIENT, SECRET, authorities


@pytest.mark.skipif(sys.platform != "linux", reason="a program for each task needs /proc")
def test_a_credential_is_not_read_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What the program says of it is there, and the credential is not, nor the beginning of it."""
    caplog.set_level(logging.INFO)
    with authorities() as server, mock.patch.dict(os.environ, {"CRM_CLIENT_SECRET": SECRET}):
        oauth = {
            "token_url": f"{server.url}/token",
            "revoke_url": f"{server.url}/revoke",
            "probe_url": f"{server.url}/me",
            "client_id": CLIENT,
            "client_secret": "env:CRM_CLIENT_SECRET",
        }
        lease = {"oauth": oauth, "env": {"API_TOKEN": "{token}"}}
        with ProcessGateway(tmp_path, lease) as gateway:
            _, token = gateway.open()
            gateway.do(token, "talk")
            gateway.eventually(lambda: caplog.text.count("talks ") >= 3)
        (text,) = server.tokens
    assert "https://me:[credential removed]@api.example/" in caplog.text
    assert text[:12] not in caplog.text


def test_each_line_of_a_key_is_cleaned_out() -> None:
    """A log has lines, and a key in PEM has several."""
    key = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n-----END PRIVATE KEY-----\n"
    assert cleaned(b"key: MIGHAgEAMBMGByqGSM49", (key,)) == b"key: [credential removed]"
    assert cleaned(b"nothing of it", (key, "")) == b"nothing of it"
