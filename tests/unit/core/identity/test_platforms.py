# SPDX-License-Identifier: Apache-2.0
"""Tokens in the shape of each platform: what proves which workload (`core.identity.platforms`,
`attestor.oidc`).
"""

import re
from typing import Any

import pytest

from remit.adapters.attestor.issuers import Issuer, OidcIssuers
from remit.adapters.attestor.oidc import OidcAttestor
from remit.core.errors import Unauthenticated
from remit.core.identity.platforms import PLATFORMS
from remit.core.identity.workload import AttestationMethod, IssuerBinding, checked_binding, claim, matches
from remit.ports.attestor import ShownAssertion
from remit.ports.issuers import IssuerUse
from tests.samples.platform_tokens import SHAPES
from tests.worlds.attestation import AUDIENCE, WorldFetch, WorldIssuer
from tests.worlds.values import WorldClock


class World:
    """One platform, its issuer, and the attestor that trusts it."""

    def __init__(self, name: str) -> None:
        issuer, self.claims, self.rules, self.instance = SHAPES[name]
        self.platform = PLATFORMS[name]
        self.theirs = WorldIssuer(issuer=issuer, algorithm=self.platform.algorithms[0])
        section = Issuer(
            name=name,
            issuer=issuer,
            audience=AUDIENCE,
            uses=frozenset({IssuerUse.WORKLOADS}),
            fetch=WorldFetch(lambda: self.theirs.documents),
            algorithms=frozenset(self.platform.algorithms),
            platform=self.platform,
        )
        self.attestor = OidcAttestor(OidcIssuers([section], WorldClock()))

    def token(self, **more: Any) -> ShownAssertion:
        """Return a token of the platform, with some claims changed (None: left out)."""
        return ShownAssertion(self.theirs.token(**{**self.claims, **more}))


@pytest.mark.parametrize("name", SHAPES)
async def test_a_token_in_the_shape_of_the_platform_proves_its_workload(name: str) -> None:
    """Issuer, subject and further claims are pinned; the running copy has the name its platform gave it."""
    world = World(name)
    proof = await world.attestor.attest(world.token())
    assert proof.workload == f"{world.theirs.issuer}#{world.claims['sub']}"
    assert proof.method is AttestationMethod.OIDC
    assert proof.instance == world.instance
    binding = checked_binding(IssuerBinding(world.theirs.issuer, world.claims["sub"], world.rules))
    assert matches(binding, proof)
    assert not matches(IssuerBinding(world.theirs.issuer, world.claims["sub"] + "x", world.rules), proof)
    assert not matches(IssuerBinding("https://other.example", world.claims["sub"], world.rules), proof)


@pytest.mark.parametrize("name", SHAPES)
async def test_each_rule_counts(name: str) -> None:
    """With one further rule that does not hold, the binding does not match."""
    world = World(name)
    proof = await world.attestor.attest(world.token())
    for rule in world.rules:
        changed = {**world.rules, rule: "something else"}
        assert not matches(IssuerBinding(world.theirs.issuer, world.claims["sub"], changed), proof)


@pytest.mark.parametrize("name", SHAPES)
async def test_what_the_platform_always_writes_must_be_there(name: str) -> None:
    """A token of the same issuer without it is for another party, or of another kind."""
    world = World(name)
    for pointer in world.platform.required:
        top = pointer.split("/")[1].replace("~1", "/") if pointer.startswith("/") else pointer
        with pytest.raises(Unauthenticated) as refused:
            await world.attestor.attest(world.token(**{top: None}))
        assert refused.value.code == "token-claims"
    with pytest.raises(Unauthenticated):
        await world.attestor.attest(world.token(sub="somebody else\n"))


@pytest.mark.parametrize("name", SHAPES)
def test_the_claims_that_are_named_are_claims_of_the_platform(name: str) -> None:
    """Those that a rule may be worth writing for exist in the platform's tokens, or are optional there."""
    _, claims, rules, _ = SHAPES[name]
    known = {**PLATFORMS[name].claims}
    assert known
    found = [pointer for pointer in known if claim(claims, pointer) is not None]
    assert len(found) >= len(known) // 2
    assert all(claim(claims, pointer) is not None for pointer in (*PLATFORMS[name].required, *rules))


def test_a_platform_with_issuers_of_its_own_knows_what_they_look_like() -> None:
    """The shapes above are among them."""

    for name, (issuer, *_) in SHAPES.items():
        platform = PLATFORMS[name]
        assert platform.issuer in ("", issuer)
        assert not platform.issuer_pattern or re.fullmatch(platform.issuer_pattern, issuer)
