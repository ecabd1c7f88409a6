# SPDX-License-Identifier: Apache-2.0
"""Where bundles of trust domains come from, and what becomes of them (`adapters.attestor.bundles`)."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from remit.adapters.attestor.bundles import (
    ENDPOINT_SOCKET,
    Source,
    endpoint_source,
    file_source,
    spiffe_endpoint_source,
    workload_api_source,
)
from remit.adapters.attestor.spiffe import SpiffeAttestor
from remit.adapters.fetch.ssrf_guard import GuardedFetch
from remit.core.errors import RemitError, SourceUnavailable, Unauthenticated
from remit.ports.attestor import ShownAssertion, ShownCertificate
from tests.servers.tls_server import local_server, reply
from tests.servers.workload_api import workload_api
from tests.worlds.attestation import AUDIENCE, HERE, WorldAuthority, WorldFetch, of_now
from tests.worlds.values import START, WorldClock

URL = "https://bundle.example/bundle"
SERVER_ID = "spiffe://example.org/spire/server"


async def code_of(source: Source) -> str:
    """Return the code of a refusal; empty where there is none."""
    try:
        await source()
    except RemitError as refused:
        return refused.code
    return ""


def attestor(clock: WorldClock, **sources: Source) -> SpiffeAttestor:
    """Trust `example.org`, and more where given."""
    named = {name.replace("_", "."): source for name, source in sources.items()}
    return SpiffeAttestor(named, clock, audience=AUDIENCE)


async def refusal(subject: SpiffeAttestor, chain: tuple[bytes, ...]) -> str:
    """Return the code of the refusal of an X.509-SVID; empty where there is none."""
    try:
        await subject.attest(ShownCertificate(chain))
    except Unauthenticated as refused:
        return refused.code
    return ""


async def test_a_file_holds_a_bundle_in_either_form(tmp_path: Path) -> None:
    """A JWK Set, fresh for as long as it says; or certificates in PEM."""
    authority = WorldAuthority(refresh_hint_s=300)
    place = tmp_path / "bundle"
    place.write_text(json.dumps(authority.bundle))
    anchors, fresh_s = await file_source(HERE, place)()
    assert (len(anchors.authorities), len(anchors.jwt_keys), fresh_s) == (1, 1, 300)
    place.write_bytes(authority.pem)
    anchors, fresh_s = await file_source(HERE, place)()
    assert (len(anchors.authorities), len(anchors.jwt_keys), fresh_s) == (1, 0, 60)
    place.write_text("{}")
    assert await code_of(file_source(HERE, place)) == "trust-bundle"
    with pytest.raises(OSError, match="No such file"):
        await file_source(HERE, tmp_path / "missing")()


@pytest.mark.parametrize(("hint", "fresh_s"), [(None, 60), (0, 60), (1, 10), (600, 600), (10**9, 3600)])
async def test_a_refresh_hint_counts_within_bounds(hint: int | None, fresh_s: float) -> None:
    """Neither all the time nor never."""
    authority = WorldAuthority(refresh_hint_s=hint)
    _, found = await endpoint_source(HERE, URL, WorldFetch(lambda: {URL: authority.bundle}))()
    assert found == fresh_s


async def test_a_bundle_never_goes_back() -> None:
    """One with a lower sequence than before is refused; the newer one stays in use."""
    clock = WorldClock()
    old, new = WorldAuthority(sequence=1), WorldAuthority(sequence=2)
    serving = [new]
    subject = attestor(
        clock, example_org=endpoint_source(HERE, URL, WorldFetch(lambda: {URL: serving[0].bundle}))
    )
    assert await refusal(subject, new.svid()) == ""
    serving[0] = old
    clock.advance(200)
    assert await refusal(subject, old.svid()) == "svid-untrusted"
    assert await refusal(subject, new.svid()) == ""


async def test_an_authority_is_rotated_without_a_restart() -> None:
    """An SVID of a new authority has the bundle read again; one of a withdrawn authority is refused then."""
    clock = WorldClock()
    old, new = WorldAuthority(), WorldAuthority()
    serving = [old]
    fetch = WorldFetch(lambda: {URL: serving[0].bundle})
    subject = attestor(clock, example_org=endpoint_source(HERE, URL, fetch))
    assert await refusal(subject, old.svid()) == ""
    serving[0] = new
    clock.advance(11)
    assert await refusal(subject, new.svid()) == ""
    assert await refusal(subject, old.svid()) == "svid-untrusted"
    assert len(fetch.asked) == 2


async def test_a_bundle_that_cannot_be_read_again_is_used_for_a_day() -> None:
    """Then nothing of the trust domain holds, until it is there again."""
    clock = WorldClock()
    authority = WorldAuthority()
    fetch = WorldFetch(lambda: {URL: authority.bundle})
    subject = attestor(clock, example_org=endpoint_source(HERE, URL, fetch))
    assert await refusal(subject, authority.svid()) == ""
    fetch.down = True
    clock.advance(23 * 3600)
    assert await refusal(subject, authority.svid()) == ""
    clock.advance(2 * 3600)
    assert await refusal(subject, authority.svid()) == "bundle-unavailable"
    fetch.down = False
    clock.advance(11)
    assert await refusal(subject, authority.svid()) == ""


async def test_trust_domains_are_kept_apart() -> None:
    """The authority of one says nothing of the other, though both are trusted; a third is foreign."""
    ours, theirs, foreign = (WorldAuthority(name) for name in (HERE, "partner.example", "else.example"))
    subject = attestor(
        WorldClock(),
        example_org=endpoint_source(HERE, URL, WorldFetch(lambda: {URL: ours.bundle})),
        partner_example=endpoint_source("partner.example", URL, WorldFetch(lambda: {URL: theirs.bundle})),
    )
    assert await refusal(subject, ours.svid()) == ""
    assert await refusal(subject, theirs.svid()) == ""
    assert await refusal(subject, theirs.svid("spiffe://example.org/worker")) == "svid-untrusted"
    assert await refusal(subject, ours.svid("spiffe://partner.example/worker")) == "svid-untrusted"
    assert await refusal(subject, foreign.svid()) == "svid-foreign"


async def test_one_slow_trust_domain_delays_no_other() -> None:
    """Each trust domain is read separately."""
    ours, theirs = WorldAuthority(), WorldAuthority("partner.example")
    slow = WorldFetch(lambda: {URL: theirs.bundle})
    slow.gate = asyncio.Event()
    subject = attestor(
        WorldClock(),
        example_org=endpoint_source(HERE, URL, WorldFetch(lambda: {URL: ours.bundle})),
        partner_example=endpoint_source("partner.example", URL, slow),
    )
    waiting = asyncio.create_task(refusal(subject, theirs.svid()))
    await asyncio.sleep(0)
    assert await refusal(subject, ours.svid()) == ""
    assert not waiting.done()
    slow.gate.set()
    assert await waiting == ""


async def test_an_endpoint_is_read_over_the_web(tmp_path: Path) -> None:
    """`https_web`: an authority of the web vouches for the server, here one of the test's own."""
    web, authority = of_now("web.example"), of_now()
    place = tmp_path / "ca.pem"
    place.write_bytes(web.pem)
    async with local_server(lambda _: reply(json.dumps(authority.bundle).encode()), web) as server:
        source = endpoint_source(HERE, server.url("/bundle"), GuardedFetch(private=True, ca_file=place))
        anchors, _ = await source()
        assert anchors.authorities == (authority.certificate,)
        assert await code_of(endpoint_source(HERE, server.url(), GuardedFetch())) == "fetch-forbidden"
    async with local_server(lambda _: reply(b"", status="500 Oops"), web) as server:
        source = endpoint_source(HERE, server.url(), GuardedFetch(private=True, ca_file=place))
        assert await code_of(source) == "fetch-failed"


async def test_an_endpoint_may_show_an_svid_of_its_own(tmp_path: Path) -> None:
    """`https_spiffe`: checked against the bundle to begin with, then against the one that was read last."""
    old, new = of_now(), of_now()
    place = tmp_path / "bundle.json"
    place.write_text(json.dumps(old.bundle))

    def source(port: int, server_id: str = SERVER_ID) -> Source:
        return spiffe_endpoint_source(
            HERE,
            f"https://127.0.0.1:{port}/bundle",
            server_id=server_id,
            bootstrap=place,
            fetch_with=lambda context: GuardedFetch(private=True, context=context),
        )

    def answer(_: str) -> bytes:
        return reply(json.dumps({"keys": [*old.bundle["keys"], *new.bundle["keys"]]}).encode())

    async with local_server(answer, old, SERVER_ID) as server:
        following = source(server.port)
        assert len((await following())[0].authorities) == 2
        assert await code_of(source(server.port, "spiffe://example.org/other")) == "fetch-failed"
    async with local_server(answer, new, SERVER_ID) as server:
        # By what was read, the new authority is known; by the file alone it is not.
        assert await code_of(source(server.port)) == "fetch-failed"
    async with local_server(answer, old) as server:
        assert await code_of(source(server.port)) == "fetch-failed"


async def test_bundles_come_from_the_workload_api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the agent's own trust domain and of those that it is federated with."""
    ours, theirs = WorldAuthority(), WorldAuthority("partner.example")
    with workload_api({HERE: ours, "partner.example": theirs}, tmp_path) as address:
        monkeypatch.setenv(ENDPOINT_SOCKET, address)
        subject = attestor(
            WorldClock(),
            example_org=workload_api_source(HERE),
            partner_example=workload_api_source("partner.example", address),
        )
        assert await refusal(subject, ours.svid()) == ""
        assert await refusal(subject, theirs.svid()) == ""
        proof = await subject.attest(ShownAssertion(theirs.jwt_svid(now=START)))
        assert proof.workload == "spiffe://partner.example/worker"
        with pytest.raises(SourceUnavailable, match="does not know trust domain"):
            await workload_api_source("else.example", address)()
    with pytest.raises(SourceUnavailable, match="provides no bundle"):
        await workload_api_source(HERE, address)()


async def test_a_workload_api_that_is_nowhere_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the name of the variable."""
    monkeypatch.delenv(ENDPOINT_SOCKET, raising=False)
    with pytest.raises(SourceUnavailable, match=f"`{ENDPOINT_SOCKET}` is not set"):
        await workload_api_source(HERE)()
