# SPDX-License-Identifier: Apache-2.0
"""An earlier proof is shown again, elsewhere, later, or changed: each time 401, with the reason in the
evidence. (Access tokens at the MCP endpoint: test_gateway_intruders.)
"""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey

from remit.core.errors import Conflict, Unauthenticated
from remit.core.evidence.event import EventKind
from remit.core.oauth.access_token import TOKEN_TYPE
from remit.ports.store.changes import UseAssertion
from remit.ports.store.units import Unit
from remit.services.identity.authenticator import secret_digest
from tests.samples import tokens
from tests.worlds.services import ServiceWorld, Told, service_world
from tests.worlds.values import TENANT

Json = Any


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ServiceWorld]:
    """A gateway that people and agents have moved into."""
    async with service_world(tmp_path) as made:
        yield made


async def reasons(world: ServiceWorld, kind: EventKind = EventKind.TOKEN_REFUSED) -> list[str]:
    """Return the reason codes in the evidence."""
    entries = await world.services.evidence.log.pages(limit=1000, kinds=(kind.value,))
    return [json.loads(entry.leaf)["facts"]["code"] for entry in entries]


async def token_of(world: ServiceWorld, assertion: str, agent: str = "contract-bot") -> Told:
    """Show an assertion to the token endpoint."""
    return await world.form(
        {
            "grant_type": "client_credentials",
            "client_id": agent,
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion,
        }
    )


# Client assertions.


async def test_an_assertion_works_once(world: ServiceWorld) -> None:
    """The second use of a client assertion is refused, also long after; the first use wins, by any client."""
    assertion = world.assertion("contract-bot")
    assert (await token_of(world, assertion)).status == 200
    for seconds in (0, 30, 29):
        world.clock.advance(seconds)
        told = await token_of(world, assertion)
        assert (told.status, told.json["error"]) == (401, "invalid_client")
    assert await reasons(world) == ["invalid_client"] * 3
    fresh = world.assertion("contract-bot")
    answers = await asyncio.gather(*(token_of(world, fresh) for _ in range(8)))
    assert sorted(told.status for told in answers) == [200] + [401] * 7


async def test_an_assertion_used_before_a_restart_stays_used(world: ServiceWorld) -> None:
    """What makes an assertion single-use is in the store: a used one has its row there until it runs out."""
    assertion = world.assertion("contract-bot", jti="the-one")
    assert (await token_of(world, assertion)).status == 200
    use = UseAssertion(TENANT, secret_digest("contract-bot\nthe-one"), world.clock.now())
    with pytest.raises(Conflict):
        await world.services.store.commit(Unit((use,)))


BAD_ASSERTIONS: dict[str, dict[str, Json]] = {
    "of another audience": {"aud": "https://elsewhere.example"},
    "for another client": {"iss": "other-bot", "sub": "other-bot"},
    "issued by another": {"iss": "other-bot"},
    "without an id": {"jti": ""},
    "expired": {"exp": 1_000_000_000},
    "valid for too long": {"exp": 4_000_000_000},
    "from the future": {"iat": 4_000_000_000},
}


@pytest.mark.parametrize("what", BAD_ASSERTIONS)
async def test_an_assertion_that_says_something_else_is_refused(world: ServiceWorld, what: str) -> None:
    """An assertion speaks of this client, to this server, for now and not for long."""
    told = await token_of(world, world.assertion("contract-bot", **BAD_ASSERTIONS[what]))
    assert (told.status, told.json["error"]) == (401, "invalid_client")
    assert await reasons(world) == ["invalid_client"]


async def test_an_assertion_by_another_key_is_refused(world: ServiceWorld) -> None:
    """An agent's key proves that agent alone."""
    world.keys["contract-bot"], kept = ECKey.generate_key("P-256"), world.keys["contract-bot"]
    assert (await token_of(world, world.assertion("contract-bot"))).status == 401
    world.keys["contract-bot"] = world.keys["other-bot"]
    assert (await token_of(world, world.assertion("contract-bot"))).status == 401
    world.keys["contract-bot"] = kept
    assert (await token_of(world, world.assertion("contract-bot"))).status == 200


# Codes and sessions.


async def sign_in(world: ServiceWorld, code: str) -> Told:
    """Show a code."""
    return await world.ask("POST", "/api/v1/sign-in", {"code": code})


async def test_a_code_works_once(world: ServiceWorld) -> None:
    """A one-time code opens one session, however many ask at once, and each other use is recorded."""
    code = await world.services.identity.authenticator.make_code("lena", by="root")
    assert (await sign_in(world, code)).status == 200
    assert (await sign_in(world, code)).status == 401
    code = await world.services.identity.authenticator.make_code("lena", by="root")
    answers = await asyncio.gather(*(sign_in(world, code) for _ in range(4)))
    assert sorted(told.status for told in answers) == [200, 401, 401, 401]
    assert await reasons(world, EventKind.SIGN_IN_REFUSED) == ["sign-in-code"] * 4


async def test_a_code_runs_out(world: ServiceWorld) -> None:
    """After fifteen minutes a code opens nothing."""
    code = await world.services.identity.authenticator.make_code("lena", by="root")
    world.clock.advance(15 * 60)
    assert (await sign_in(world, code)).status == 401
    assert await reasons(world, EventKind.SIGN_IN_REFUSED) == ["sign-in-code"]


async def test_a_code_is_no_session_and_a_session_no_code(world: ServiceWorld) -> None:
    """Each secret is good at its own endpoint alone."""
    code = await world.services.identity.authenticator.make_code("lena", by="root")
    assert (await world.ask("GET", "/api/v1/me", by=code)).status == 401
    session = await world.session("lena")
    assert (await sign_in(world, session)).status == 401
    assert (await sign_in(world, code)).status == 200


async def test_a_session_ends_by_signing_out_and_by_time(world: ServiceWorld) -> None:
    """A session that was signed out, or ran out, opens nothing."""
    session, other = await world.session("lena"), await world.session("lena")
    assert (await world.ask("POST", "/api/v1/sign-out", by=session)).status == 204
    assert (await world.ask("GET", "/api/v1/me", by=session)).status == 401
    assert (await world.ask("POST", "/api/v1/sign-out", by=session)).status == 401
    assert (await world.ask("GET", "/api/v1/me", by=other)).status == 200
    world.clock.advance(12 * 3600)
    assert (await world.ask("GET", "/api/v1/me", by=other)).status == 401
    assert await reasons(world) == ["no-session"] * 3


# Access tokens.


def part(value: Json) -> str:
    """Return one part of a JWS."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def read(text: str) -> dict[str, Json]:
    """Read one part of a JWS, unchecked."""
    found: dict[str, Json] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return found


async def task_token(world: ServiceWorld) -> tuple[str, str]:
    """Open a task; gives its id and a token."""
    task = await world.open(await world.session("lena"))
    return task, await tokens.task_token(world.services, task)


async def refused_with(world: ServiceWorld, token: str, code: str) -> None:
    """A token opens nothing, and the evidence has the reason."""
    told = await world.ask("GET", "/api/v1/me", by=token)
    assert told.status == 401, told.content
    assert told.json["code"] == code
    assert (await reasons(world))[-1] == code


async def resigned(world: ServiceWorld, token: str, **changes: Json) -> str:
    """Return the token with other claims under remit's own key, as only a fault of remit's could."""
    claims = read(token.split(".")[1])
    mission = changes.pop("mission", {})
    if mission:
        claims["mission"] = {**claims["mission"], **mission}
    return await world.services.keys.tokens.sign(claims | changes, token_type=TOKEN_TYPE)


async def test_the_token_of_an_ended_task_is_dead(world: ServiceWorld) -> None:
    """Before its time has run out, and although its signature holds."""
    task, token = await task_token(world)
    assert (await world.ask("GET", "/api/v1/me", by=token)).status == 200
    await world.services.endings.revocations.end_task(task, reason="enough", by="root")
    await refused_with(world, token, "task-ended")


async def test_a_token_runs_out(world: ServiceWorld) -> None:
    """A token that was good a moment ago, and is remembered, is refused once its time has come."""
    _, token = await task_token(world)
    assert (await world.ask("GET", "/api/v1/me", by=token)).status == 200
    world.clock.advance(306)
    await refused_with(world, token, "token-expired")
    await refused_with(world, token, "token-expired")


OTHER_CLAIMS: dict[str, tuple[dict[str, Json], str]] = {
    "audience": ({"aud": ["https://elsewhere.example/mcp"]}, "token-audience"),
    "issuer": ({"iss": "https://elsewhere.example"}, "token-issuer"),
    "tenant": ({"tenant": "another"}, "token-tenant"),
    "agent": ({"client_id": "other-bot"}, "token-task"),
    "person": ({"sub": "leo"}, "token-task"),
    "authority": ({"mission": {"authority_hash": "sha256:other"}}, "token-authority"),
    "time": ({"nbf": 4_000_000_000}, "token-not-yet-valid"),
}


@pytest.mark.parametrize("what", OTHER_CLAIMS)
async def test_a_token_that_says_something_else_is_refused(world: ServiceWorld, what: str) -> None:
    """A token is of this audience, issuer, tenant, agent, person, authority and time, or of no use."""
    changes, code = OTHER_CLAIMS[what]
    _, token = await task_token(world)
    await refused_with(world, await resigned(world, token, **changes), code)


async def test_a_token_is_of_one_task(world: ServiceWorld) -> None:
    """The token of one task, made to name another task of the same agent, carries the wrong authority."""
    lena = await world.session("lena")
    other = await world.open(lena, "C-43")
    _, token = await task_token(world)
    await refused_with(world, await resigned(world, token, mission={"id": other}), "token-authority")


def alg_none(world: ServiceWorld, token: str) -> str:
    """Claims without a signature."""
    return f"{part({'alg': 'none', 'typ': TOKEN_TYPE})}.{token.split('.')[1]}."


def alg_none_signed(world: ServiceWorld, token: str) -> str:
    """`none` in the header, and the signature left in place."""
    _, claims, signature = token.split(".")
    return f"{part({'alg': 'None', 'typ': TOKEN_TYPE})}.{claims}.{signature}"


def hs256_with_the_public_key(world: ServiceWorld, token: str) -> str:
    """Return the token with the public key, which everyone knows, as the secret of a symmetric signature."""
    header, claims, _ = token.split(".")
    kid = read(header)["kid"]
    (key,) = (one for one in world.services.keys.tokens.jwks()["keys"] if one["kid"] == kid)
    public = ECKey.import_key({name: key[name] for name in ("kty", "crv", "x", "y")})
    text = f"{part({'alg': 'HS256', 'typ': TOKEN_TYPE, 'kid': kid})}.{claims}"
    mac = hmac.new(public.as_pem(private=False), text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def by_another_key(world: ServiceWorld, token: str) -> str:
    """The same header and claims under a key of the attacker's own."""
    header, claims, _ = token.split(".")
    key = ECKey.generate_key("P-256")
    payload = base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4))
    return jws.serialize_compact(read(header), payload, key)


def with_its_own_key(world: ServiceWorld, token: str) -> str:
    """A key of the attacker's own, brought along in the header."""
    key = ECKey.generate_key("P-256")
    header = read(token.split(".", maxsplit=1)[0]) | {"jwk": key.as_dict(private=False)}
    claims = token.split(".")[1]
    signed = jws.serialize_compact(
        {"alg": "ES256", "kid": header["kid"]}, base64.urlsafe_b64decode(claims + "=="), key
    )
    return f"{part(header)}.{claims}.{signed.split('.')[2]}"


def an_assertion(world: ServiceWorld, token: str) -> str:
    """What an agent signs to get a token is none."""
    return world.assertion("contract-bot")


async def another_type(world: ServiceWorld, token: str) -> str:
    """A JWT of remit's that is not an access token."""
    return await world.services.keys.tokens.sign(read(token.split(".")[1]), token_type="logout+jwt")


Forge = Callable[[ServiceWorld, str], str | Awaitable[str]]

FORGERIES: dict[Forge, str] = {
    alg_none: "token-algorithm",
    alg_none_signed: "token-algorithm",
    hs256_with_the_public_key: "token-algorithm",
    by_another_key: "token-signature",
    with_its_own_key: "token-header",
    an_assertion: "token-key",
    another_type: "token-type",
}


@pytest.mark.parametrize("forged", FORGERIES, ids=lambda forged: forged.__name__)
async def test_a_forged_token_is_refused(world: ServiceWorld, forged: Forge) -> None:
    """Whatever is tried with algorithm, key and type, the answer is 401 and the reason is on record."""
    _, token = await task_token(world)
    made = forged(world, token)
    await refused_with(world, made if isinstance(made, str) else await made, FORGERIES[forged])


async def test_no_changed_character_of_a_token_is_overlooked(world: ServiceWorld) -> None:
    """Each character of a token matters but those bits of the last that encode nothing."""
    _, token = await task_token(world)
    now = world.clock.now()
    for place in range(len(token) - 1):
        if token[place] == ".":
            continue
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        with pytest.raises(Unauthenticated):
            world.services.identity.authenticator.claims(changed, now)


async def test_a_flood_of_refusals_is_counted(world: ServiceWorld) -> None:
    """A thousand bad tokens in a second leave twenty entries, and the next one tells of the others."""
    for _ in range(100):
        assert (await world.ask("GET", "/api/v1/me", by="nonsense")).status == 401
    assert len(await reasons(world)) == 20
    world.clock.advance(1)
    await world.ask("GET", "/api/v1/me", by="nonsense")
    entries = await world.services.evidence.log.pages(limit=1000, kinds=(EventKind.TOKEN_REFUSED.value,))
    assert json.loads(entries[-1].leaf)["facts"]["further"] == 80
