# SPDX-License-Identifier: Apache-2.0
"""Only the proxy is answered: over TLS it shows a certificate of a configured name."""

import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from grpclib.exceptions import StreamTerminatedError

from remit.compose import open_services
from remit.compose.process import expressions
from remit.config import load_config
from remit.core.errors import ConfigInvalid
from remit.gateway.ext_authz.assembly import ext_authz_listener
from remit.gateway.ext_authz.listener import ProxyTls
from remit.services.authzen.declared_mapping import NoExpressions
from tests.worlds.attestation import WorldAuthority, of_now
from tests.worlds.behind_envoy import Asked, said
from tests.worlds.mcp_endpoint import PERMIT, gateway_world

Json = Any

ENVOY = "spiffe://example.org/envoy"


def written(folder: Path, authority: WorldAuthority, name: str) -> tuple[Path, Path]:
    """Write a certificate of a name, and its key."""
    chain, key = authority.svid_and_key(name)
    certificate, key_file = (
        folder / f"{name.rpartition('/')[2]}.pem",
        folder / f"{name.rpartition('/')[2]}.key",
    )
    pem = b"".join(x509.load_der_x509_certificate(one).public_bytes(Encoding.PEM) for one in chain)
    certificate.write_bytes(pem)
    key_file.write_bytes(key)
    return certificate, key_file


def shown(authority: Path, own: tuple[Path, Path] | None) -> ssl.SSLContext:
    """Return the context of a client that shows a certificate, or none."""
    context = ssl.create_default_context(cafile=authority)
    context.check_hostname = False
    context.set_alpn_protocols(["h2"])
    if own is not None:
        context.load_cert_chain(*own)
    return context


@asynccontextmanager
async def listening(folder: Path, authority: WorldAuthority) -> AsyncIterator[tuple[Any, int, Path]]:
    """A listener with TLS; gives its world, port and authority's file."""
    trusted = folder / "ca.pem"
    trusted.write_bytes(authority.pem)
    certificate, key = written(folder, authority, "spiffe://example.org/remit")
    tls = ProxyTls(certificate=certificate, key=key, clients_ca=trusted, clients=frozenset({ENVOY}))
    async with gateway_world(folder) as world:
        listener = ext_authz_listener(world.services, ("files",), expressions=NoExpressions())
        port = await listener.on_address("127.0.0.1", 0, tls)
        try:
            yield world, port, trusted
        finally:
            await listener.close()


async def test_certificate_of_the_proxy_is_answered_and_no_other(tmp_path: Path) -> None:
    """The configured name is answered. Another name, another authority, none, and plain text are not."""
    authority, other = of_now("example.org"), of_now("example.org")
    async with listening(tmp_path, authority) as (world, port, trusted):
        envoy = written(tmp_path, authority, ENVOY)
        asked = Asked(world.token, ("127.0.0.1", port), shown(trusted, envoy))
        assert (await asked()).status.code == 0
        asked.close()
        stranger = written(tmp_path, authority, "spiffe://example.org/stranger")
        (tmp_path / "other").mkdir()
        forged = written(tmp_path / "other", other, ENVOY)
        for tls in (shown(trusted, stranger), shown(trusted, forged), shown(trusted, None), None):
            asked = Asked(world.token, ("127.0.0.1", port), tls)
            with pytest.raises((OSError, StreamTerminatedError, TimeoutError)):
                await asked(within_s=5)
            asked.close()


UPSTREAM = "upstreams: {files: {url: 'http://127.0.0.1:9'}}\n"


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ("upstreams: [files]", "has no address"),
        ("upstreams: [files], host: 127.0.0.1", "would answer anyone who connects"),
        (
            "upstreams: [files], host: 0.0.0.0, certificate: a, key: b, clients_ca: c",
            "would answer anyone who connects",
        ),
        ("upstreams: [files], socket: s, certificate: a", "has certificates and no `host`"),
        ("upstreams: [], socket: s", "`listen.ext_authz.upstreams`"),
        ("upstreams: [others], socket: s", "`others` is no upstream"),
        ("upstreams: [files], socket: s, socket_open_to: all", "`listen.ext_authz.socket_open_to`"),
    ],
)
def test_configuration_without_a_bound_on_who_asks_is_refused(tmp_path: Path, given: str, fault: str) -> None:
    """A listener needs an address, and one that others reach needs certificates and names."""
    (tmp_path / "remit.yaml").write_text(f"{UPSTREAM}listen:\n  ext_authz: {{{given}}}\n")
    with pytest.raises(ConfigInvalid) as refused:
        load_config(tmp_path)
    assert fault in str(refused.value)


@pytest.mark.parametrize("installed", [True, False])
async def test_remit_answers_at_the_configured_socket_while_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: bool
) -> None:
    """A request without a token gets the challenge of the configured address; afterwards nothing listens."""
    if not installed:
        monkeypatch.setitem(sys.modules, "remit.adapters.expressions.cel", None)
    for name in ("tools", "tasks", "policies"):
        (tmp_path / name).mkdir()
    (tmp_path / "policies" / "base.cedar").write_text(PERMIT)
    (tmp_path / "remit.yaml").write_text(
        f"{UPSTREAM}listen: {{ext_authz: {{upstreams: [files], socket: ask.sock}}}}\n"
    )
    place = tmp_path / "ask.sock"
    async with open_services(load_config(tmp_path)):
        assert place.stat().st_mode & 0o777 == 0o600
        asked = Asked("", place)
        answer = await asked(headers={"authorization": ""})
        asked.close()
        assert said(answer)[0] == 401
        assert isinstance(expressions(), NoExpressions) is not installed
    assert not place.exists()
