# SPDX-License-Identifier: Apache-2.0
"""Workloads of a real SPIRE: its SVIDs hold under its bundle, however that comes, and under no other."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from spiffe import JwtSvid, WorkloadApiClient, X509Svid
from spiffe.errors import PySpiffeError

from remit.adapters.attestor.bundles import (
    Source,
    file_source,
    spiffe_endpoint_source,
    workload_api_source,
)
from remit.adapters.attestor.spiffe import SpiffeAttestor
from remit.adapters.fetch.ssrf_guard import GuardedFetch
from remit.adapters.runtime.system import SystemClock
from remit.core.errors import Unauthenticated
from remit.core.identity.workload import AttestationMethod, SpiffeBinding, matches
from remit.ports.attestor import JWT_SPIFFE_TYPE, ShownAssertion, ShownCertificate
from tests.servers.spire_server import PATIENCE_S, SERVER_ID, TRUST_DOMAIN, WORKER, Spire, programs
from tests.worlds.attestation import AUDIENCE, WorldAuthority

T = TypeVar("T")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def spire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spire]:
    """One server and one agent for all."""
    with Spire(programs(), tmp_path_factory.mktemp("s")).running() as running:
        yield running


def patiently(ask: Callable[[], T]) -> T:
    """Ask until it is given: an agent learns of new workloads within seconds."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            return ask()
        except PySpiffeError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


@pytest.fixture
def svid(spire: Spire) -> X509Svid:
    """An X.509-SVID of this process."""
    with WorkloadApiClient(spire.workload_api) as client:
        return patiently(client.fetch_x509_svid)


@pytest.fixture
def jwt_svid(spire: Spire) -> JwtSvid:
    """A JWT-SVID of this process, for us."""
    with WorkloadApiClient(spire.workload_api) as client:
        return patiently(lambda: client.fetch_jwt_svid({AUDIENCE}))


def chain_of(svid: X509Svid) -> ShownCertificate:
    """Return what a TLS client with this SVID shows."""
    return ShownCertificate(tuple(one.public_bytes(Encoding.DER) for one in svid.cert_chain))


def attestor(source: Source, trust_domain: str = TRUST_DOMAIN) -> SpiffeAttestor:
    """Trust one domain."""
    return SpiffeAttestor({trust_domain: source}, SystemClock(), audience=AUDIENCE)


async def test_svids_of_spire_hold_under_the_bundle_of_its_workload_api(
    spire: Spire, svid: X509Svid, jwt_svid: JwtSvid
) -> None:
    """Both kinds, with its own authorities and keys."""
    subject = attestor(workload_api_source(TRUST_DOMAIN, spire.workload_api))
    for shown, method in (
        (chain_of(svid), AttestationMethod.X509_SVID),
        (ShownAssertion(jwt_svid.token, JWT_SPIFFE_TYPE), AttestationMethod.JWT_SVID),
    ):
        proof = await subject.attest(shown)
        assert (proof.workload, proof.method) == (WORKER, method)
        assert matches(SpiffeBinding(WORKER), proof)
    await subject.close()


@pytest.mark.parametrize("form", ["pem", "spiffe"])
async def test_svids_of_spire_hold_under_a_bundle_in_a_file(
    spire: Spire, svid: X509Svid, jwt_svid: JwtSvid, tmp_path: Path, form: str
) -> None:
    """As `spire-server bundle show` writes it; PEM says nothing of JWT-SVIDs."""
    place = tmp_path / "bundle"
    place.write_text(spire.server("bundle", "show", "-format", form))
    subject = attestor(file_source(TRUST_DOMAIN, place))
    assert (await subject.attest(chain_of(svid))).workload == WORKER
    token = ShownAssertion(jwt_svid.token, JWT_SPIFFE_TYPE)
    if form == "spiffe":
        assert (await subject.attest(token)).workload == WORKER
    else:
        with pytest.raises(Unauthenticated, match="does not publish"):
            await subject.attest(token)


async def test_svids_of_spire_hold_under_the_bundle_of_its_endpoint(
    spire: Spire, svid: X509Svid, tmp_path: Path
) -> None:
    """`https_spiffe`: the server shows its own SVID, checked against the bundle to begin with."""
    place = tmp_path / "bundle.json"
    place.write_text(spire.server("bundle", "show", "-format", "spiffe"))

    def source(server_id: str) -> Source:
        return spiffe_endpoint_source(
            TRUST_DOMAIN,
            f"https://127.0.0.1:{spire.bundle_port}/",
            server_id=server_id,
            bootstrap=place,
            fetch_with=lambda context: GuardedFetch(private=True, context=context),
        )

    assert (await attestor(source(SERVER_ID)).attest(chain_of(svid))).workload == WORKER
    anchors, _ = await source(SERVER_ID)()
    assert anchors.refresh_hint_s
    with pytest.raises(Unauthenticated, match="cannot be had"):
        await attestor(source(f"spiffe://{TRUST_DOMAIN}/other")).attest(chain_of(svid))


async def test_svids_of_spire_hold_nowhere_else(spire: Spire, svid: X509Svid, tmp_path: Path) -> None:
    """Foreign where its trust domain is not named; untrusted under another's bundle of the same name."""
    stranger = tmp_path / "stranger.pem"
    stranger.write_bytes(WorldAuthority(TRUST_DOMAIN).pem)
    for subject, code in (
        (attestor(file_source("other.example", stranger), "other.example"), "svid-foreign"),
        (attestor(file_source(TRUST_DOMAIN, stranger)), "svid-untrusted"),
    ):
        with pytest.raises(Unauthenticated) as refused:
            await subject.attest(chain_of(svid))
        assert refused.value.code == code


async def test_a_new_authority_of_spire_is_followed_and_a_revoked_one_refused(
    spire: Spire, svid: X509Svid
) -> None:
    """Its authority is replaced, tainted and revoked; remit is not restarted, and learns by itself."""

    def authority(verb: str, *words: str) -> str:
        told = json.loads(spire.server("localauthority", "x509", verb, *words, "-output", "json"))
        found = told.get("prepared_authority") or told.get("active") or {}
        return str(found.get("authority_id", ""))

    def renewed() -> X509Svid:
        with WorkloadApiClient(spire.workload_api) as client:
            found = client.fetch_x509_svid()
        if found.leaf.issuer == svid.leaf.issuer and found.leaf == svid.leaf:
            raise PySpiffeError("the agent has not renewed it yet")
        return found

    subject = attestor(workload_api_source(TRUST_DOMAIN, spire.workload_api))

    async def code(shown: X509Svid) -> str:
        try:
            await subject.attest(chain_of(shown))
        except Unauthenticated as refused:
            return refused.code
        return ""

    async def becomes(shown: X509Svid, wanted: str) -> None:
        # Bundles of the Workload API are read again every ten seconds while SVIDs are shown.
        end = time.monotonic() + PATIENCE_S
        while (found := await code(shown)) != wanted:
            assert time.monotonic() < end, f"it stays `{found}`"
            await asyncio.sleep(1)

    assert await code(svid) == ""
    old, new = authority("show"), authority("prepare")
    authority("activate", "-authorityID", new)
    authority("taint", "-authorityID", old)
    fresh = await asyncio.to_thread(patiently, renewed)
    await becomes(fresh, "")
    authority("revoke", "-authorityID", old)
    await becomes(svid, "svid-untrusted")
    assert await code(fresh) == ""
    await subject.close()
