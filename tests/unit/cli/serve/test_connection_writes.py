# SPDX-License-Identifier: Apache-2.0
"""An answer of the server is one write wherever it can be, and loses nothing where it cannot."""

import asyncio

import pytest

from remit.cli.serve.connections import SingleWrite

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n"


class Socket(asyncio.Transport):
    """A transport that keeps each write."""

    def __init__(self) -> None:
        """Begin open, with nothing written."""
        super().__init__()
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:  # type: ignore[override]
        """Keep it; after the end nothing is written."""
        assert not self.closed
        self.writes.append(data)

    def close(self) -> None:
        """Note the end."""
        self.closed = True

    def get_write_buffer_size(self) -> int:
        """Nothing waits: each write is taken at once."""
        return 0

    def is_closing(self) -> bool:
        """Whether it has ended."""
        return self.closed


@pytest.fixture
async def socket() -> Socket:
    """A connection."""
    return Socket()


def one_write(socket: Socket) -> SingleWrite:
    """What one response is written to."""
    return SingleWrite(socket, asyncio.get_running_loop())


async def test_head_and_body_are_one_write(socket: Socket) -> None:
    """As one packet they reach the agent at once."""
    out = one_write(socket)
    out.write(HEAD)
    out.write(b"body")
    await asyncio.sleep(0)
    assert socket.writes == [HEAD + b"body"]


async def test_a_head_that_no_body_follows_at_once_goes_alone(socket: Socket) -> None:
    """A client that waits for a stream sees that it has begun."""
    out = one_write(socket)
    out.write(HEAD)
    await asyncio.sleep(0)
    assert socket.writes == [HEAD]
    out.write(b"first")
    out.write(b"second")
    assert socket.writes == [HEAD, b"first", b"second"]


async def test_an_empty_body_sends_the_head(socket: Socket) -> None:
    """An answer without content is whole with its head."""
    out = one_write(socket)
    out.write(HEAD)
    out.write(b"")
    assert socket.writes == [HEAD]


async def test_what_is_held_is_written_before_the_end(socket: Socket) -> None:
    """A connection that closes after its answer has sent all of it."""
    out = one_write(socket)
    out.write(HEAD)
    out.close()
    assert (socket.writes, socket.closed, out.is_closing()) == ([HEAD], True, True)
    await asyncio.sleep(0)
    assert socket.writes == [HEAD]
