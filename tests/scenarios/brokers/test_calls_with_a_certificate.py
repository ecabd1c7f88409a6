# SPDX-License-Identifier: Apache-2.0
"""Calls over connections that show the task's own certificate; the sink is a TLS server that goes by the list
of revoked certificates of a real OpenBao.
"""

import os
import socket
import ssl
import tempfile
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from remit.adapters.broker.openbao.certificate_probe import tried_at
from remit.adapters.upstream.client_tls import showing
from remit.core.keys.certificate import ClientCertificate
from remit.ports.broker import LeaseWanted, Probe
from tests.conformance.bao_brokers import AtBaoPki
from tests.gateways.api_gateway import ApiGateway
from tests.servers.bao_server import BaoServer
from tests.worlds.values import a_task

Json = Any


class Sink:
    """A TLS server that takes certificates of the authority alone, and says who shows one. (With sockets and
    threads: a server on asyncio closes the connection without the alert that says why.)
    """

    def __init__(self, bao: BaoServer) -> None:
        self._bao = bao
        self.authority = self._told("GET", "pki/cert/ca")["certificate"]
        asked = {"common_name": "localhost", "alt_names": "localhost", "ttl": "1h"}
        own = self._told("POST", "pki/issue/task", asked)
        self._pair = own["certificate"] + "\n" + own["private_key"]
        #: The names in the certificate of each request, and how many connections were made.
        self.shown: list[str] = []
        self.connections = 0
        self.look_at_the_list()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _told(self, method: str, path: str, body: Json = None) -> Json:
        told: Json = self._bao.ask(method, path, body)
        return told["data"]

    def look_at_the_list(self) -> None:
        """Go by the list of revoked certificates as it is now, from the next connection on."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=self.authority)
        with tempfile.TemporaryDirectory() as folder:
            pair, lists = Path(folder, "pair.pem"), Path(folder, "crl.pem")
            pair.write_text(self._pair)
            lists.write_text(self._told("GET", "pki/cert/crl")["certificate"])
            context.load_cert_chain(pair)
            context.load_verify_locations(cafile=str(lists))
        context.verify_mode, context.verify_flags = ssl.CERT_REQUIRED, ssl.VERIFY_CRL_CHECK_LEAF
        self._context = context

    def _accept(self) -> None:
        while True:
            try:
                raw, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(raw,), daemon=True).start()

    def _serve(self, raw: socket.socket) -> None:
        try:
            with self._context.wrap_socket(raw, server_side=True) as connection:
                self.connections += 1
                self._answer(connection)
        except OSError:
            raw.close()

    def _answer(self, connection: ssl.SSLSocket) -> None:
        certificate: Json = connection.getpeercert()
        names = [text for kind, text in certificate.get("subjectAltName", ()) if kind == "URI"]
        heard = b""
        while more := connection.recv(4096):
            heard += more
            if heard.endswith(b"\r\n\r\n"):
                self.shown += names
                body = b"<ok/>"
                head = f"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n"
                connection.sendall(head.encode() + body)
                heard = b""

    def stop(self) -> None:
        """End it."""
        self._listening.close()


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
    """Each task has its own connections, which are kept for the task and given to no other; its certificate
    is revoked at its end.
    """
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


@pytest.mark.slow
def test_the_sink_itself_is_tried(tmp_path: Path, bao: BaoServer, sink: Sink) -> None:
    """What the authority confirms is not yet what the sink does: one that goes by an old list accepts still,
    so the end stays open; it is done when the sink refuses the connection.
    """
    (tmp_path / "ca.pem").write_text(sink.authority)
    where = f"https://localhost:{sink.port}"
    pki = {"role": "task", "probe_url": f"{where}/health"}
    openbao = {"address": bao.address, "token": "env:BAO_TOKEN", "pki": pki}
    records = {"url": where, "tls_ca": str(tmp_path / "ca.pem"), "lease": {"openbao": openbao}}
    with (
        mock.patch.dict(os.environ, {"BAO_TOKEN": AtBaoPki(bao).token}),
        ApiGateway(tmp_path, records) as gateway,
    ):
        task, token = gateway.open()
        assert "<ok/>" in gateway.get(token, key="C-42")
        closure = gateway.left_open(task, wait_s=5.0)
        (closing,) = [one for one in closure["closings"] if one["lease"]]
        assert closing["revoked_after_ms"] is not None
        assert closing["detail"] == "still open: the sink answered accepted"
        sink.look_at_the_list()
        gateway.until(lambda: not gateway.services.credentials.leases.of(task=task))
        assert gateway.closed_up(task)["closed"]


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


async def test_only_what_is_about_the_certificate_is_a_refusal(bao: BaoServer, sink: Sink) -> None:
    """Not a server that is not there, and not one whose own certificate does not hold."""
    place = AtBaoPki(bao)
    broker = await place.broker()
    given = await broker.obtain(LeaseWanted("lse_1", "records", a_task(deadline=soon())))
    shown = ClientCertificate(given.env["CERTIFICATE"], given.env["KEY"])
    trusting = partial(showing, partial(ssl.create_default_context, cadata=sink.authority))
    where = f"https://localhost:{sink.port}/"
    assert await tried_at(where, shown, trusting) is Probe.ACCEPTED
    strangers = partial(showing, ssl.create_default_context)
    assert await tried_at(where, shown, strangers) is Probe.UNREACHABLE
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
    assert await tried_at(f"https://localhost:{port}/", shown, trusting) is Probe.UNREACHABLE
    await place.close()


def soon() -> datetime:
    """Return a deadline."""
    return datetime.now(UTC) + timedelta(hours=1)
