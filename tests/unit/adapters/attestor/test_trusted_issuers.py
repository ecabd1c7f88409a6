# SPDX-License-Identifier: Apache-2.0
"""Trusted issuers: keys that are learned and kept, tokens that are checked (`attestor.issuers`)."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest

from remit.adapters.attestor.issuers import Issuer, OidcIssuers
from remit.core.errors import Unauthenticated
from remit.core.identity.platforms import PLATFORMS
from remit.ports.issuers import IssuerUse
from tests.worlds.attestation import AUDIENCE, WorldFetch, WorldIssuer, b64, sign
from tests.worlds.values import WorldClock

WORKLOADS = frozenset({IssuerUse.WORKLOADS})


class World:
    """One issuer that is trusted, and what it takes to check its tokens."""

    def __init__(self, algorithm: str = "ES256", **more: Any) -> None:
        self.clock = WorldClock()
        self.theirs = WorldIssuer(algorithm=algorithm)
        self.fetch = WorldFetch(lambda: self.theirs.documents)
        options: dict[str, Any] = {"audience": AUDIENCE, "uses": WORKLOADS, **more}
        self.ours = OidcIssuers(
            [Issuer(name="ours", issuer=self.theirs.issuer, fetch=self.fetch, **options)], self.clock
        )

    async def refusal(self, token: str, use: IssuerUse = IssuerUse.WORKLOADS, **more: Any) -> str:
        """Return the code of the refusal; empty where there is none."""
        try:
            await self.ours.verify(token, use=use, **more)
        except Unauthenticated as refused:
            return refused.code
        return ""

    def fetched(self) -> int:
        """How often the key set was fetched."""
        return self.fetch.asked.count(f"{self.theirs.issuer}/keys")


async def test_a_token_of_a_trusted_issuer_holds() -> None:
    """Discovery, key set, signature, claims: once learned, nothing more is fetched."""
    world = World()
    token = world.theirs.token(world.clock.now(), jti="t-1", team="a")
    found = await world.ours.verify(token, use=IssuerUse.WORKLOADS)
    assert await world.ours.verify(token, use=IssuerUse.WORKLOADS) == found
    assert (found.name, found.issuer, found.subject) == ("ours", world.theirs.issuer, "worker")
    assert (found.token_id, found.claims["team"]) == ("t-1", "a")
    assert world.fetch.asked == list(world.theirs.documents)


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519"])
async def test_every_usual_algorithm_is_accepted(algorithm: str) -> None:
    """As the issuer's metadata says."""
    world = World(algorithm)
    assert await world.refusal(world.theirs.token()) == ""


async def test_an_algorithm_that_the_metadata_does_not_name_is_refused() -> None:
    """Even where we would accept it."""
    world = World("RS256")
    token = world.theirs.token(header={"alg": "PS256"})
    assert await world.refusal(token) == "token-algorithm"


async def test_an_algorithm_that_the_configuration_does_not_name_is_refused() -> None:
    """Before anything is fetched."""
    world = World("ES256", algorithms=frozenset({"RS256"}))
    assert await world.refusal(world.theirs.token()) == "token-algorithm"
    assert world.fetch.asked == []


async def test_none_and_shared_secrets_are_refused_before_anything_is_fetched() -> None:
    """RFC 8725 section 3.1."""
    world = World()
    payload = b64(json.dumps(world.theirs.claims()).encode())
    for algorithm in ("none", "HS256", "NONE", "", None, 7):
        header = b64(json.dumps({"alg": algorithm, "kid": "key-1"}).encode())
        assert await world.refusal(f"{header}.{payload}.{b64(b'x')}") == "token-algorithm"
    assert world.fetch.asked == []


async def test_a_key_that_a_token_brings_along_is_refused() -> None:
    """`jwk`, `jku`, `x5c`, `x5u` and `crit` in a header are never followed; Entra's `x5t` means nothing."""
    world = World()
    stranger = WorldIssuer()
    jwk = stranger.jwks["keys"][0]
    for header in ({"jwk": jwk}, {"jku": "https://evil.example"}, {"x5c": ["AA"]}, {"crit": ["exp"]}):
        assert await world.refusal(stranger.token(header=header)) == "token-malformed"
    assert await world.refusal(world.theirs.token(header={"x5t": "abc"})) == ""
    assert await world.refusal(stranger.token()) == "token-signature"


async def test_other_issuers_and_other_uses_are_refused() -> None:
    """An issuer is believed for what it is trusted for, and compared to the letter."""
    world = World()
    for issuer in (world.theirs.issuer + "/", "https://other.example", "", None, ["a"]):
        token = world.theirs.token(iss=issuer)
        assert await world.refusal(token) == "token-issuer"
        assert not world.ours.trusts(token, IssuerUse.WORKLOADS)
    token = world.theirs.token()
    assert world.ours.trusts(token, IssuerUse.WORKLOADS)
    for use in (IssuerUse.PEOPLE, IssuerUse.ID_JAG):
        assert await world.refusal(token, use) == "token-issuer"
        assert not world.ours.trusts(token, use)
    assert not world.ours.trusts("nonsense", IssuerUse.WORKLOADS)


async def test_a_token_for_another_purpose_does_not_pass() -> None:
    """RFC 8725 section 3.11: `typ` of a logout token, a proof, an ID-JAG."""
    world = World(uses=frozenset(IssuerUse))
    for kind in ("logout+jwt", "dpop+jwt", "oauth-id-jag+jwt", "secevent+jwt", "application/dpop+jwt"):
        assert await world.refusal(world.theirs.token(header={"typ": kind})) == "token-type"
    for kind in ("JWT", "jwt", "application/jwt", "at+jwt"):
        assert await world.refusal(world.theirs.token(header={"typ": kind})) == ""
    access = world.theirs.token(header={"typ": "at+jwt"})
    assert await world.refusal(access, IssuerUse.PEOPLE) == "token-type"
    jag = world.theirs.token(header={"typ": "oauth-id-jag+jwt"})
    assert await world.refusal(jag, IssuerUse.ID_JAG, token_type="oauth-id-jag+jwt") == ""
    plain = world.theirs.token()
    assert await world.refusal(plain, IssuerUse.ID_JAG, token_type="oauth-id-jag+jwt") == "token-type"


async def test_the_audience_is_that_of_the_configuration_or_of_the_question() -> None:
    """A token for another audience is not for us."""
    world = World()
    assert await world.refusal(world.theirs.token(aud="https://other.example")) == "token-audience"
    assert await world.refusal(world.theirs.token(aud="x"), audience="x") == ""
    assert await world.refusal(world.theirs.token(), audience="x") == "token-audience"


async def test_times_are_checked_with_the_leeway_of_the_configuration() -> None:
    """And a token may not be valid for longer than a day."""
    world = World(leeway_s=5)
    token = world.theirs.token()
    world.clock.advance(304)
    assert await world.refusal(token) == ""
    world.clock.advance(2)
    assert await world.refusal(token) == "token-expired"
    at = int(world.clock.now().timestamp())
    assert await world.refusal(world.theirs.token(iat=at, exp=at + 90_000)) == "token-claims"


async def test_a_token_that_holds_no_more_costs_no_fetch() -> None:
    """What can be seen without a key is seen first."""
    world = World()
    for claims in ({"exp": 1}, {"aud": "x"}, {"sub": ""}):
        assert await world.refusal(world.theirs.token(**claims)) != ""
    assert world.fetch.asked == []


async def test_a_token_of_ten_megabytes_is_refused_unread() -> None:
    """Whatever it says."""
    world = World()
    assert await world.refusal(world.theirs.token(fill="x" * 10_000_000)) == "token-malformed"
    assert not world.ours.trusts("x" * 10_000_000, IssuerUse.WORKLOADS)


async def test_a_new_key_is_found_when_a_token_names_it() -> None:
    """The key set is fetched once more, at most every ten seconds."""
    world = World()
    assert await world.refusal(world.theirs.token()) == ""
    world.theirs.turn("key-2")
    world.clock.advance(11)
    assert await world.refusal(world.theirs.token(world.clock.now())) == ""
    assert world.fetched() == 2


async def test_unknown_keys_cause_one_fetch_in_ten_seconds() -> None:
    """A caller that invents names of keys cannot make remit ask all the time."""
    world = World()
    await world.refusal(world.theirs.token())
    world.clock.advance(11)
    for number in range(50):
        token = world.theirs.token(world.clock.now(), {"kid": f"invented-{number}"})
        assert await world.refusal(token) == "token-signature"
    assert world.fetched() == 2


async def test_a_key_that_was_withdrawn_is_believed_no_more() -> None:
    """Once the key set was read again."""
    world = World()
    old = world.theirs.token()
    assert await world.refusal(old) == ""
    world.theirs.turn("key-2")
    del world.theirs.keys["key-1"]
    world.clock.advance(11)
    assert await world.refusal(world.theirs.token(world.clock.now())) == ""
    assert await world.refusal(old) == "token-signature"


async def test_known_keys_go_on_during_an_outage_and_unknown_ones_are_refused() -> None:
    """For a day; then what was learned is too old to be believed."""
    world = World()
    assert await world.refusal(world.theirs.token()) == ""
    world.fetch.down = True
    world.clock.advance(3 * 3600)
    for _ in range(3):
        assert await world.refusal(world.theirs.token(world.clock.now())) == ""
        world.clock.advance(11)
    unknown = world.theirs.token(world.clock.now(), {"kid": "other"})
    assert await world.refusal(unknown) == "token-signature"
    world.clock.advance(21 * 3600)
    assert await world.refusal(world.theirs.token(world.clock.now())) == "issuer-unavailable"
    world.fetch.down = False
    world.clock.advance(11)
    assert await world.refusal(world.theirs.token(world.clock.now())) == ""


async def test_an_issuer_that_was_never_reached_is_not_asked_by_each_token() -> None:
    """The refusal is remembered for ten seconds."""
    world = World()
    world.fetch.down = True
    for _ in range(20):
        assert await world.refusal(world.theirs.token()) == "issuer-unavailable"
    assert len(world.fetch.asked) == 1


async def test_one_fetch_serves_all_who_wait() -> None:
    """Fifty tokens at once, one metadata document, one key set; one that gives up spoils nothing."""
    world = World()
    world.fetch.gate = asyncio.Event()
    impatient = asyncio.create_task(world.refusal(world.theirs.token()))
    waiting = [asyncio.create_task(world.refusal(world.theirs.token())) for _ in range(50)]
    await asyncio.sleep(0)
    impatient.cancel()
    world.fetch.gate.set()
    assert await asyncio.gather(*waiting) == [""] * 50
    assert world.fetch.asked == list(world.theirs.documents)


async def test_a_key_that_is_known_waits_for_no_fetch() -> None:
    """While a slow issuer is asked for an unknown key, tokens under known keys are checked at once."""
    world = World()
    assert await world.refusal(world.theirs.token()) == ""
    world.clock.advance(11)
    world.fetch.gate = asyncio.Event()
    unknown = asyncio.create_task(world.refusal(world.theirs.token(world.clock.now(), {"kid": "other"})))
    await asyncio.sleep(0)
    assert await world.refusal(world.theirs.token(world.clock.now())) == ""
    assert not unknown.done()
    world.fetch.gate.set()
    assert await unknown == "token-signature"


async def test_a_thousand_keys_are_refused_and_known_ones_go_on() -> None:
    """A key set beyond bounds is as good as none."""
    world = World()
    assert await world.refusal(world.theirs.token()) == ""
    for number in range(1000):
        world.theirs.keys[f"filler-{number}"] = world.theirs.keys["key-1"]
    world.clock.advance(11)
    assert (
        await world.refusal(world.theirs.token(world.clock.now(), {"kid": "filler-1"})) == "token-signature"
    )
    assert await world.refusal(world.theirs.token(world.clock.now(), {"kid": "key-1"})) == ""
    fresh = World()
    fresh.theirs.keys = dict(world.theirs.keys)
    assert await fresh.refusal(fresh.theirs.token()) == "issuer-unavailable"


async def test_metadata_of_another_issuer_is_not_believed() -> None:
    """OpenID Connect Discovery 1.0 section 4.3."""
    world = World()
    documents = dict(world.theirs.documents)
    metadata = f"{world.theirs.issuer}/.well-known/openid-configuration"
    bad: list[Any] = [
        {**documents[metadata], "issuer": "https://other.example"},
        [],
        {"issuer": 1},
        b"<html>",
    ]
    for document in bad:
        documents[metadata] = document
        world.ours = OidcIssuers(
            [
                Issuer(
                    name="ours",
                    issuer=world.theirs.issuer,
                    audience=AUDIENCE,
                    uses=WORKLOADS,
                    fetch=WorldFetch(lambda: documents),
                )
            ],
            world.clock,
        )
        assert await world.refusal(world.theirs.token()) == "issuer-unavailable"


async def test_a_key_set_may_come_from_a_file_or_from_an_address(tmp_path: Path) -> None:
    """Then nothing is discovered; a file is read again when it has changed."""
    world = World(jwks_uri="https://issuer.example/keys")
    assert await world.refusal(world.theirs.token()) == ""
    assert world.fetch.asked == ["https://issuer.example/keys"]
    place = tmp_path / "jwks.json"
    world = World(jwks_file=place)
    assert await world.refusal(world.theirs.token()) == "issuer-unavailable"
    place.write_text(json.dumps(world.theirs.jwks))
    world.clock.advance(11)
    assert await world.refusal(world.theirs.token()) == ""
    world.theirs.turn("key-2")
    place.write_text(json.dumps(world.theirs.jwks))
    world.clock.advance(11)
    assert await world.refusal(world.theirs.token()) == ""
    assert world.fetch.asked == []


async def test_a_key_set_says_for_how_long_it_is_fresh() -> None:
    """Within a minute and an hour; then it is read again beside, and after twice the time before."""
    world = World()
    world.fetch.headers = {"cache-control": "public, max-age=300"}
    await world.refusal(world.theirs.token())
    world.clock.advance(299)
    await world.refusal(world.theirs.token(world.clock.now()))
    assert world.fetched() == 1
    world.clock.advance(2)
    await world.refusal(world.theirs.token(world.clock.now()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert world.fetched() == 2
    world.clock.advance(601)
    await world.refusal(world.theirs.token(world.clock.now()))
    assert world.fetched() == 3


async def test_what_a_platform_does_not_issue_is_refused() -> None:
    """A preset knows what its tokens hold."""
    world = World("RS256", platform=PLATFORMS["kubernetes"])
    assert await world.refusal(world.theirs.token(sub="somebody")) == "token-claims"


async def test_a_token_is_read_in_one_way_only() -> None:
    """Padding, another alphabet, duplicate members, trailing dots: no token."""
    world = World()
    token = world.theirs.token()
    head, payload, signature = token.split(".")
    twice = base64.urlsafe_b64encode(b'{"alg":"ES256","alg":"none","kid":"key-1"}').rstrip(b"=").decode()
    for bad in (f"{token}.", f"{head}=.{payload}.{signature}", f"{twice}.{payload}.{signature}", "a.b", ""):
        assert await world.refusal(bad) == "token-malformed"
    assert await world.refusal(f"{head}.{payload}.") == "token-signature"
    (key,) = world.theirs.keys.values()
    other = sign(key, world.theirs.claims(sub="somebody-else"), {"alg": "ES256", "kid": "key-1"})
    assert await world.refusal(f"{head}.{other.split('.')[1]}.{signature}") == "token-signature"
