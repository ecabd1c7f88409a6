# SPDX-License-Identifier: Apache-2.0
"""An authority that gives another certificate than it was asked for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from flask import Flask, Response, jsonify, request
from werkzeug.serving import make_server

from remit.adapters.broker.http import BrokerHttp
from remit.adapters.broker.openbao.client import BaoSource
from remit.adapters.broker.openbao.pki import OpenBaoPkiBroker
from remit.adapters.runtime.system import SystemClock
from remit.core.errors import NothingDone
from remit.ports.broker import LeaseWanted, UnfitCredential
from tests.worlds.values import a_task

Json = Any


class Authority:
    """Signs what is asked for; with `name` or `key` something else instead."""

    def __init__(self) -> None:
        self.name = ""
        self.own_key = False
        self.revoked: list[str] = []
        self._key = ec.generate_private_key(ec.SECP256R1())
        app = Flask("authority")
        app.add_url_rule("/v1/pki/sign/task", view_func=self._sign, methods=["POST"])
        app.add_url_rule("/v1/pki/revoke", view_func=self._revoke, methods=["POST"])
        self._server = make_server("127.0.0.1", 0, app)
        self.url = f"http://127.0.0.1:{self._server.port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _sign(self) -> Response:
        asked = request.get_json(force=True)
        csr = x509.load_pem_x509_csr(asked["csr"].encode())
        name = self.name or asked["common_name"]
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        public = self._key.public_key() if self.own_key else csr.public_key()
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(public)
            .serial_number(0x1234)
            .not_valid_before(now)
            .not_valid_after(now + timedelta(hours=1))
        )
        for extension in csr.extensions:
            made = made.add_extension(extension.value, extension.critical)
        pem = made.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()
        data = {"certificate": pem, "issuing_ca": pem, "ca_chain": [pem], "serial_number": "12:34"}
        return jsonify({"data": data})

    def _revoke(self) -> Response:
        self.revoked.append(request.get_json(force=True)["serial_number"])
        return jsonify({"data": {"state": "revoked"}})

    def stop(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def authority() -> Iterator[Authority]:
    """One that does as it likes."""
    made = Authority()
    yield made
    made.stop()


def wanted() -> LeaseWanted:
    """Return what a task wants."""
    return LeaseWanted("lse_1", "crm", a_task(deadline=datetime.now(UTC) + timedelta(hours=1)))


async def test_a_certificate_for_another_name_or_key_is_revoked_and_not_used(authority: Authority) -> None:
    """The signer does not decide which task a certificate names."""
    web, clock = BrokerHttp("the authority"), SystemClock()
    source = BaoSource(authority.url, lambda: "t", web=web, clock=clock)
    named = {"common_name": "{agent}", "uri_sans": "remit:{task}, spiffe://example.com/{agent}"}
    broker = OpenBaoPkiBroker(source, "pki", "task", clock=clock, parameters=named)
    try:
        given = await broker.obtain(wanted())
        assert given.certificate is not None
        assert given.secrets == (given.certificate.key,)
        # The root is not sent along, and no key is ever shown.
        assert given.certificate.chain.count("BEGIN CERTIFICATE") == 1
        assert "PRIVATE KEY" not in f"{given} {given!r} {given.certificate!r}"
        assert authority.revoked == []
        for name, own_key in (("administrator", False), ("", True)):
            authority.name, authority.own_key = name, own_key
            with pytest.raises(UnfitCredential, match="for another key or with other names") as raised:
                await broker.obtain(wanted())
            # The caller that leases revokes it, and tries until it is dead.
            await broker.revoke(raised.value.credential)
        assert authority.revoked == ["12:34", "12:34"]
    finally:
        await web.close()


async def test_a_name_that_no_certificate_can_have_is_not_asked_for(authority: Authority) -> None:
    """X.509 takes 64 characters for a common name."""
    web, clock = BrokerHttp("the authority"), SystemClock()
    source = BaoSource(authority.url, lambda: "t", web=web, clock=clock)
    long = {"common_name": "{agent}" * 20}
    try:
        with pytest.raises(NothingDone, match="cannot be used as certificate names"):
            await OpenBaoPkiBroker(source, "pki", "task", clock=clock, parameters=long).obtain(wanted())
    finally:
        await web.close()
