# SPDX-License-Identifier: Apache-2.0
"""A server that drips its answer does not hold a monitor for ever."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from remit.cli.rest_client import Client, Unreachable
from tests.refusals import refused

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\n"


@contextmanager
def dripping(begin: bytes, drop: bytes) -> Iterator[str]:
    """Serve the begin of an answer, and then a drop now and then until the client is gone."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while not stop.is_set():
                try:
                    peer, _ = server.accept()
                except OSError:
                    return
                with peer:
                    try:
                        peer.recv(65_536)
                        peer.sendall(begin)
                        while not stop.wait(0.02):
                            peer.sendall(drop)
                    except OSError:
                        continue

        serving = threading.Thread(target=serve, daemon=True)
        serving.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        stop.set()
        server.shutdown(socket.SHUT_RDWR)
        serving.join()


@pytest.mark.parametrize(
    ("begin", "drop"),
    [(HEAD + b"content-length: 1000000\r\n\r\n", b"x"), (HEAD + b"x-slow: ", b"y")],
    ids=["body", "head"],
)
def test_an_answer_that_drips_is_cut_off_and_the_client_goes_on(begin: bytes, drop: bytes) -> None:
    """In its body or in its head; the next look is made by a new connection."""
    with dripping(begin, drop) as address:
        client = Client(address)
        for _ in range(2):
            with refused("unreachable", Unreachable):
                client.raw("tlog", "checkpoint", most=10_000_000, within_s=0.5)


def test_an_answer_that_is_too_large_is_refused() -> None:
    """As soon as it is."""
    with dripping(HEAD + b"content-length: 1000000\r\n\r\n", b"x" * 5_000) as address, refused("too-large"):
        Client(address).raw("tlog", "checkpoint", most=10_000)
