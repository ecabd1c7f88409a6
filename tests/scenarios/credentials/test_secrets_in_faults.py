# SPDX-License-Identifier: Apache-2.0
"""Threat: who is asked with a secret answers so that what went wrong is told together with the secret."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from remit.adapters.fetch.ssrf_guard import GuardedFetch
from remit.compose.trust import look_at_trust
from remit.config import load_config
from remit.config.scaffold import scaffold
from remit.core.errors import SourceUnavailable

SECRET = "token-of-this-platform"
ANSWERS = {
    "an overlong header": b"HTTP/1.1 200 OK\r\nX-A: " + b"y" * 20_000 + b"\r\n\r\n",
    "no HTTP": b"\x00\x00\r\n\r\n",
    "a broken body": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "a body that breaks off": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1",
    "nothing": b"",
}


@asynccontextmanager
async def answering(said: bytes) -> AsyncIterator[str]:
    """Provide the address of a server that gives this answer, which may repeat the secret that it was
    shown.
    """

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert SECRET in (await reader.readuntil(b"\r\n\r\n")).decode()
        with contextlib.suppress(OSError):
            writer.write(said)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys"


@pytest.mark.parametrize("name", ANSWERS)
async def test_a_fault_says_nothing_of_what_was_shown(name: str) -> None:
    """Neither to people nor in what is kept apart from them."""
    async with answering(ANSWERS[name]) as url:
        fetch = GuardedFetch(plain_loopback=True)
        with pytest.raises(SourceUnavailable) as fault:
            await fetch.post(url, b"{}", media="text/plain", headers={"Authorization": f"Bearer {SECRET}"})
        assert SECRET not in f"{fault.value} {fault.value.debug}"


@pytest.mark.parametrize("name", [*ANSWERS, "a token that is none"])
async def test_doctor_tells_no_token_by_which_keys_are_read(tmp_path: Path, name: str) -> None:
    """It says that they cannot be read, and shows a part of why."""
    crooked = name not in ANSWERS
    (tmp_path / "token").write_bytes(SECRET.encode() + (b"\xff" if crooked else b""))
    (tmp_path / "token").chmod(0o600)
    async with answering(ANSWERS.get(name, b"")) as url:
        cluster = {"issuer": "https://cluster.example", "jwks_uri": url, "bearer_file": "token"}
        trust = {"plain_loopback": True, "issuers": {"cluster": cluster}}
        scaffold(tmp_path)
        with (tmp_path / "remit.yaml").open("a") as config:
            config.write(f"\ntrust: {json.dumps(trust)}\n")
        found = await look_at_trust(load_config(tmp_path))
    assert found["issuer `cluster`"]
    assert SECRET not in str(found)
