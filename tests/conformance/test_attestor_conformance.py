# SPDX-License-Identifier: Apache-2.0
"""What every attestor keeps to (`ports.attestor`), run on each of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from remit.adapters.attestor.bundles import endpoint_source
from remit.adapters.attestor.issuers import Issuer, OidcIssuers
from remit.adapters.attestor.local import LocalAttestor
from remit.adapters.attestor.oidc import OidcAttestor
from remit.adapters.attestor.spiffe import SpiffeAttestor
from remit.core.errors import RemitError, Unauthenticated
from remit.core.identity.workload import Binding, IssuerBinding, LocalBinding, SpiffeBinding, matches
from remit.ports.attestor import (
    JWT_SPIFFE_TYPE,
    JWT_TYPE,
    Attestor,
    Shown,
    ShownAssertion,
    ShownCertificate,
    ShownPeer,
)
from remit.ports.issuers import IssuerUse
from remit.services.identity.attestation import Attestors
from tests.worlds.attestation import AUDIENCE, WorldAuthority, WorldFetch, WorldIssuer
from tests.worlds.values import WorldClock

DIGEST = "ab" * 32
ENDPOINT = "https://bundle.example/bundle"


@dataclass
class Subject:
    """One attestor: what holds before it, what does not, and where its keys come from."""

    attestor: Attestor
    good: Callable[[], Shown]
    binding: Binding
    bad: dict[str, tuple[Callable[[], Shown], str]]
    clock: WorldClock
    fetch: WorldFetch | None = None
    unavailable: str = ""
    others: list[Shown] = field(default_factory=list)


def oidc() -> Subject:
    """Tokens of an issuer."""
    clock, theirs, stranger = WorldClock(), WorldIssuer(), WorldIssuer()
    fetch = WorldFetch(lambda: theirs.documents)
    issuer = Issuer(
        name="ours",
        issuer=theirs.issuer,
        audience=AUDIENCE,
        uses=frozenset({IssuerUse.WORKLOADS}),
        fetch=fetch,
    )
    return Subject(
        attestor=OidcAttestor(OidcIssuers([issuer], clock)),
        good=lambda: ShownAssertion(theirs.token(clock.now())),
        binding=IssuerBinding(theirs.issuer, "worker"),
        bad={
            "forged": (lambda: ShownAssertion(stranger.token(clock.now())), "token-signature"),
            "expired": (lambda: ShownAssertion(theirs.token(clock.now(), exp=1)), "token-expired"),
            "foreign": (
                lambda: ShownAssertion(theirs.token(clock.now(), iss="https://other.example")),
                "token-issuer",
            ),
            "nonsense": (lambda: ShownAssertion("nonsense"), "token-malformed"),
        },
        clock=clock,
        fetch=fetch,
        unavailable="issuer-unavailable",
    )


def spiffe(kind: str) -> Subject:
    """SVIDs of one kind."""
    clock, authority, stranger = WorldClock(), WorldAuthority(), WorldAuthority()
    other = WorldAuthority("other.example")
    fetch = WorldFetch(lambda: {ENDPOINT: authority.bundle})
    attestor = SpiffeAttestor(
        {authority.trust_domain: endpoint_source(authority.trust_domain, ENDPOINT, fetch)},
        clock,
        audience=AUDIENCE,
    )

    def shown(by: WorldAuthority) -> Shown:
        if kind == "x509":
            return ShownCertificate(by.svid())
        return ShownAssertion(by.jwt_svid(now=clock.now()), JWT_SPIFFE_TYPE)

    return Subject(
        attestor=attestor,
        good=lambda: shown(authority),
        binding=SpiffeBinding("spiffe://example.org/worker"),
        bad={
            "forged": (lambda: shown(stranger), "svid-untrusted"),
            "foreign": (lambda: shown(other), "svid-foreign"),
            "nonsense": (
                lambda: (
                    ShownCertificate((b"nonsense",))
                    if kind == "x509"
                    else ShownAssertion("nonsense", JWT_SPIFFE_TYPE)
                ),
                "svid-malformed",
            ),
        },
        clock=clock,
        fetch=fetch,
        unavailable="bundle-unavailable",
    )


def local() -> Subject:
    """Processes of this machine."""
    return Subject(
        attestor=LocalAttestor(),
        good=lambda: ShownPeer(42, 1000, DIGEST),
        binding=LocalBinding(1000, DIGEST),
        bad={
            "nobody": (lambda: ShownPeer(42, -1, DIGEST), "not-attestable"),
            "no digest": (lambda: ShownPeer(42, 1000, ""), "not-attestable"),
        },
        clock=WorldClock(),
    )


SUBJECTS: dict[str, Callable[[], Subject]] = {
    "oidc": oidc,
    "x509-svid": lambda: spiffe("x509"),
    "jwt-svid": lambda: spiffe("jwt"),
    "local": local,
}


@pytest.fixture(params=SUBJECTS)
def subject(request: pytest.FixtureRequest) -> Subject:
    """Each attestor in turn, with what the others judge."""
    made = SUBJECTS[request.param]()
    made.others = [other().good() for name, other in SUBJECTS.items() if name != request.param]
    return made


async def test_what_holds_is_proven_and_matches_its_binding(subject: Subject) -> None:
    """With the assurance of its method, and no other binding."""
    shown = subject.good()
    assert subject.attestor.judges(shown)
    proof = await subject.attestor.attest(shown)
    assert proof.assurance is proof.method.assurance
    assert matches(subject.binding, proof)
    bindings = [other().binding for other in SUBJECTS.values()]
    assert [one for one in bindings if matches(one, proof)] == [subject.binding] * bindings.count(
        subject.binding
    )
    assert proof.expires is None or proof.expires > subject.clock.now()


async def test_what_does_not_hold_is_refused_with_a_code(subject: Subject) -> None:
    """At step 1, with the remediation, and without what was shown in the message."""
    for make, code in subject.bad.values():
        shown = make()
        with pytest.raises(Unauthenticated) as refused:
            await subject.attestor.attest(shown)
        assert refused.value.code == code
        assert refused.value.step == 1
        if isinstance(shown, ShownAssertion):
            assert shown.token not in str(refused.value) or len(shown.token) < 20


async def test_what_is_of_another_form_is_not_judged(subject: Subject) -> None:
    """Nor attested, where it is asked all the same."""
    for shown in subject.others:
        if subject.attestor.judges(shown):
            # The two kinds of SVID have one attestor.
            assert isinstance(subject.attestor, SpiffeAttestor)
            continue
        with pytest.raises(Unauthenticated):
            await subject.attestor.attest(shown)


def test_judging_never_raises(subject: Subject) -> None:
    """Whatever is shown."""
    shown: list[Shown] = [
        *(ShownAssertion(text, kind) for text in ("", "a.b.c", "x" * 10**6) for kind in (JWT_TYPE, "x", "")),
        ShownAssertion("nonsense", JWT_SPIFFE_TYPE),
        ShownCertificate(()),
        ShownCertificate((b"", b"\x30\x03\x02\x01\x01")),
        ShownPeer(0, 0, ""),
    ]
    for one in shown:
        assert subject.attestor.judges(one) in (True, False)


async def test_many_are_judged_at_once(subject: Subject) -> None:
    """With one reading of the keys."""
    proofs = await asyncio.gather(*(subject.attestor.attest(subject.good()) for _ in range(40)))
    assert len({proof.workload for proof in proofs}) == 1
    if subject.fetch is not None:
        assert len(subject.fetch.asked) == len(set(subject.fetch.asked))


async def test_without_keys_everything_is_refused_until_they_are_there(subject: Subject) -> None:
    """Fails closed, and asks again after a pause only."""
    if subject.fetch is None:
        pytest.skip("it rests on no keys")
    subject.fetch.down = True
    for _ in range(5):
        with pytest.raises(Unauthenticated) as refused:
            await subject.attestor.attest(subject.good())
        assert refused.value.code == subject.unavailable
    assert len(subject.fetch.asked) == 1
    subject.fetch.down = False
    subject.clock.advance(11)
    assert matches(subject.binding, await subject.attestor.attest(subject.good()))


async def test_all_attestors_together_judge_each_thing_once() -> None:
    """What one refuses is not tried with another; what none judges is refused."""
    subjects = [make() for make in SUBJECTS.values()]
    services = Attestors([one.attestor for one in subjects])
    for one in subjects:
        assert services.judges(one.good())
    # The first SPIFFE attestor judges for both kinds, so the second kind's own authority is untrusted there.
    for one in (subjects[0], subjects[1], subjects[3]):
        assert matches(one.binding, await services.attest(one.good()))
    strange = ShownAssertion("nonsense", "urn:example:type")
    assert not services.judges(strange)
    with pytest.raises(RemitError) as refused:
        await services.attest(strange)
    assert refused.value.code == "not-attestable"


async def test_a_jwt_svid_as_client_assertion_is_for_the_issuer_alone() -> None:
    """draft-ietf-oauth-spiffe-client-auth; as an ordinary token it may have further audiences."""
    authority = WorldAuthority()
    document = json.dumps(authority.bundle).encode()
    fetch = WorldFetch(lambda: {ENDPOINT: document})
    attestor = SpiffeAttestor(
        {"example.org": endpoint_source("example.org", ENDPOINT, fetch)}, WorldClock(), audience=AUDIENCE
    )
    token = authority.jwt_svid(aud=[AUDIENCE, "https://other.example"])
    with pytest.raises(Unauthenticated) as refused:
        await attestor.attest(ShownAssertion(token, JWT_SPIFFE_TYPE))
    assert refused.value.code == "token-audience"
    assert (await attestor.attest(ShownAssertion(token, JWT_TYPE))).workload == "spiffe://example.org/worker"
