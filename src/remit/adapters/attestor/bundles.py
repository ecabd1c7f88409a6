# SPDX-License-Identifier: Apache-2.0
"""Sources of trust domain bundles: files, the Workload API, bundle endpoints.

Each source returns the bundle and the seconds for which it is fresh; `RefreshedTrustBundle` does the rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from remit.adapters.attestor.refreshed import read_source
from remit.core.errors import SourceUnavailable, Unauthenticated
from remit.core.identity.spiffe import TrustAnchors, leaf_id, read_bundle, read_pem_bundle
from remit.core.keys.jwks import MAX_KEYSET_BYTES, VerificationKeys, read_keyset
from remit.ports.fetch import Fetch

Source = Callable[[], Awaitable[tuple[TrustAnchors, float]]]
Context = Callable[[], Awaitable[ssl.SSLContext]]

#: Bounds of a bundle's refresh hint: least, default without a hint, and most seconds until it is read again.
MIN_FRESH_S: Final = 10.0
USUAL_FRESH_S: Final = 60.0
MAX_FRESH_S: Final = 3600.0
#: Longest wait for one answer of the Workload API.
WORKLOAD_API_TIMEOUT_S: Final = 4.0
ENDPOINT_SOCKET: Final = "SPIFFE_ENDPOINT_SOCKET"


def file_source(trust_domain: str, path: Path) -> Source:
    """Read a bundle from a file: a SPIFFE bundle (JWK Set), or certificates in PEM."""

    async def read() -> tuple[TrustAnchors, float]:
        content = await asyncio.to_thread(read_source, path)
        if content.lstrip().startswith(b"{"):
            anchors = read_bundle(trust_domain, content)
        else:
            anchors = read_pem_bundle(trust_domain, content)
        return anchors, _fresh_s(anchors)

    return _forward_only(read)


def endpoint_source(trust_domain: str, url: str, fetch: Fetch) -> Source:
    """Read a bundle from an endpoint with a web certificate (`https_web`, SPIFFE Federation section
    5.2.1).
    """

    async def read() -> tuple[TrustAnchors, float]:
        answer = await fetch.get(url, max_bytes=MAX_KEYSET_BYTES)
        if answer.status != 200:
            raise SourceUnavailable(f"`{url[:200]}` answered {answer.status}", code="fetch-failed")
        anchors = read_bundle(trust_domain, answer.body)
        return anchors, _fresh_s(anchors)

    return _forward_only(read)


def workload_api_source(trust_domain: str, socket: str = "") -> Source:
    """Read a bundle from the Workload API at `socket` (`unix:///path`), or at `SPIFFE_ENDPOINT_SOCKET`.

    The bundle is of the SPIFFE agent's own trust domain, or of one that it is federated with.
    """

    async def read() -> tuple[TrustAnchors, float]:
        place = socket or os.environ.get(ENDPOINT_SOCKET, "")
        # The local SPIFFE agent is asked often, so that a revoked authority loses effect soon.
        return await asyncio.to_thread(_from_workload_api, trust_domain, place), MIN_FRESH_S

    return read


def spiffe_endpoint_source(
    trust_domain: str, url: str, *, server_id: str, bootstrap: Path, fetch_with: Callable[[Context], Fetch]
) -> Source:
    """Read a bundle from an endpoint that shows its own X.509-SVID (`https_spiffe`, section 5.2.2).

    The server is checked against the bundle that was read last, and at first against the file `bootstrap`.
    `server_id` is its SPIFFE ID; `fetch_with` returns a fetcher that uses a TLS context.
    """
    first = file_source(trust_domain, bootstrap)
    last: TrustAnchors | None = None

    async def context() -> ssl.SSLContext:
        known = last or (await first())[0]
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        # The host name does not matter: the SPIFFE ID identifies the server.
        made.check_hostname = False
        made.load_verify_locations(
            cadata="".join(one.public_bytes(Encoding.PEM).decode() for one in known.authorities)
        )
        made.sslobject_class = _checking(server_id)
        return made

    over_web = endpoint_source(trust_domain, url, fetch_with(context))

    async def read() -> tuple[TrustAnchors, float]:
        nonlocal last
        last, fresh_s = await over_web()
        return last, fresh_s

    return read


def _checking(expected: str) -> type[ssl.SSLObject]:
    class SpiffeConnection(ssl.SSLObject):
        def do_handshake(self) -> None:
            super().do_handshake()
            try:
                found = str(leaf_id((self.getpeercert(binary_form=True) or b"",)))
            except Unauthenticated as fault:
                raise ssl.SSLCertVerificationError(fault.message) from None
            if found != expected:
                raise ssl.SSLCertVerificationError(f"the server is {found[:200]}")

    return SpiffeConnection


def _forward_only(read: Source) -> Source:
    """Refuse a bundle older than one already seen, because an attacker could use it to bring back old
    keys.
    """
    highest = -1

    async def checked() -> tuple[TrustAnchors, float]:
        nonlocal highest
        anchors, fresh_s = await read()
        if anchors.sequence is not None:
            if anchors.sequence < highest:
                raise SourceUnavailable(
                    f"the bundle of `{anchors.trust_domain}` is older than the one before",
                    code="bundle-rollback",
                    remediation="check its source; restart remit if its owner started a new sequence",
                )
            highest = anchors.sequence
        return anchors, fresh_s

    return checked


def _fresh_s(anchors: TrustAnchors) -> float:
    hint = anchors.refresh_hint_s
    # A hint of 0 means no hint (SPIFFE Trust Domain and Bundle, section 4.1.2).
    return USUAL_FRESH_S if not hint else min(max(float(hint), MIN_FRESH_S), MAX_FRESH_S)


def _from_workload_api(trust_domain: str, socket: str) -> TrustAnchors:
    if not socket:
        raise SourceUnavailable(
            f"`{ENDPOINT_SOCKET}` is not set", remediation="set it, or write the socket's address"
        )
    # Imported late: it loads gRPC's C core, for the few installations that get bundles this way.
    from spiffe import TrustDomain, WorkloadApiClient
    from spiffe.errors import PySpiffeError

    try:
        with WorkloadApiClient(socket, default_timeout=WORKLOAD_API_TIMEOUT_S) as client:
            name = TrustDomain(trust_domain)
            authorities = client.fetch_x509_bundles().get_bundle_for_trust_domain(name)
            keys = client.fetch_jwt_bundles().get_bundle_for_trust_domain(name)
    except (PySpiffeError, OSError) as fault:
        raise SourceUnavailable(
            f"the Workload API at `{socket[:200]}` provides no bundle of `{trust_domain}`",
            remediation="check that the SPIRE agent runs and that remit is registered with it",
            debug=repr(fault),
        ) from None
    if authorities is None and keys is None:
        raise SourceUnavailable(
            f"the Workload API at `{socket[:200]}` does not know trust domain `{trust_domain}`",
            remediation="federate with it, or use another source for its bundle",
        )
    return TrustAnchors(
        trust_domain=trust_domain,
        authorities=tuple(authorities.x509_authorities) if authorities else (),
        jwt_keys=_jwt_keys(keys.jwt_authorities) if keys else VerificationKeys(),
    )


def _jwt_keys(found: Mapping[str, object]) -> VerificationKeys:
    """Read the library's keys again by our own rules; leave out kinds that no JWT-SVID uses."""
    listed = []
    for kid, key in found.items():
        with contextlib.suppress(JoseError, ValueError, TypeError):
            if isinstance(key, ec.EllipticCurvePublicKey):
                listed.append({**ECKey.import_key(key).as_dict(private=False), "kid": kid})
            elif isinstance(key, rsa.RSAPublicKey):
                listed.append({**RSAKey.import_key(key).as_dict(private=False), "kid": kid})
    return read_keyset({"keys": listed})
