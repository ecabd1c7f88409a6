# SPDX-License-Identifier: Apache-2.0
"""The lists of an upstream, however it fills them."""

import logging
from typing import Any

import pytest

from remit.adapters.upstream.mcp.catalogue import MAX_TOOLS, ask_for_all
from remit.adapters.upstream.mcp.jsonrpc import Message, read_message
from remit.adapters.upstream.mcp.protocol_versions import MODERN_VERSIONS, Ask, Handshake
from remit.core.errors import UpstreamFault

KNOWN = Handshake(version=next(iter(MODERN_VERSIONS)), capabilities={"tools": {}})
GOOD, TWICE = b'{"name":"good"}', b'{"name":"a","name":"b"}'


def listing(*entries: bytes) -> Ask:
    """Return an upstream whose list of tools holds these entries."""

    async def ask(method: str, params: dict[str, Any], version: str) -> Message:
        return read_message(b'{"jsonrpc":"2.0","id":1,"result":{"tools":[%b]}}' % b",".join(entries), "u")

    return ask


async def test_what_is_left_out_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """A line for each would fill the log, and no other task would run in the meantime."""
    with caplog.at_level(logging.WARNING):
        offered = await ask_for_all(listing(GOOD, *[TWICE] * 50), KNOWN, "u")
    assert [tool["name"] for tool in offered.catalogue.tools] == ["good"]
    assert len(caplog.records) == 1
    assert "in number 50" in caplog.text


@pytest.mark.parametrize("entry", [GOOD, TWICE])
async def test_entries_that_would_be_left_out_count(entry: bytes) -> None:
    """Beyond the bound none of them is looked at."""
    with pytest.raises(UpstreamFault, match="more than"):
        await ask_for_all(listing(*[entry] * (MAX_TOOLS + 1)), KNOWN, "u")


@pytest.mark.parametrize("entry", [b"1e999", b"0", b"[]", b"null", b'"a"'])
async def test_what_is_no_object_is_no_entry(entry: bytes) -> None:
    """The whole list is refused: nothing in it can be pinned."""
    with pytest.raises(UpstreamFault, match="wrong shape"):
        await ask_for_all(listing(GOOD, entry), KNOWN, "u")
