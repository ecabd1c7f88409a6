# SPDX-License-Identifier: Apache-2.0
"""Passkeys, with an authenticator made of software: registering, signing in, and what does not hold."""

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from remit.services.people.webauthn import WebAuthn
from tests.clients.soft_authenticator import PRESENT, SoftAuthenticator
from tests.worlds.pages import Browsing, lena
from tests.worlds.services import ServiceWorld, service_world

__all__ = ["lena"]
Json = Any


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ServiceWorld]:
    """A gateway."""
    async with service_world(tmp_path) as made:
        yield made


async def csrf(browser: Browsing) -> str:
    """Return what this browser's forms carry now."""
    page = await browser.get("/oauth/account")
    if page.status != 200:
        page = await browser.get("/oauth/sign-in")
    return str(page.forms[0]["fields"]["csrf"])


async def post(browser: Browsing, path: str, body: Json) -> Any:
    """Send what the script sends."""
    return await browser.ask(f"/oauth/passkey/{path}", body, **{"x-remit-form": await csrf(browser)})


async def options(browser: Browsing, purpose: str) -> Json:
    """Get a challenge."""
    told = await post(browser, "challenge", {"for": purpose})
    assert told.status == 200, told.text
    return json.loads(told.text)


async def register(browser: Browsing, key: SoftAuthenticator, **changes: str) -> Any:
    """Register a passkey."""
    credential = key.create(await options(browser, "register"), **changes)
    return await post(browser, "register", {"credential": credential, "name": "Laptop"})


async def sign_in(browser: Browsing, key: SoftAuthenticator, **changes: str) -> Any:
    """Sign in with a passkey."""
    credential = key.get(await options(browser, "sign-in"), **changes)
    return await post(browser, "sign-in", {"credential": credential, "then": "/oauth/account"})


async def test_a_passkey_is_registered_and_signs_in(world: ServiceWorld, lena: Browsing) -> None:
    """A person who is signed in adds it; at another browser it states who they are."""
    key = SoftAuthenticator()
    assert (await register(lena, key)).status == 200
    other = Browsing(world)
    assert (await sign_in(other, key)).status == 200
    page = await other.get("/oauth/account")
    assert page.status == 200
    assert "Laptop" in page.text
    assert (await sign_in(Browsing(world), key)).status == 200
    assert (await world.kinds()).count("person.signed_in") == 3


async def test_the_options_ask_for_a_verified_user(lena: Browsing) -> None:
    """Discoverable, verified, and with a handle that does not tell the person's name."""
    asked = await options(lena, "register")
    chosen = asked["authenticatorSelection"]
    assert (chosen["residentKey"], chosen["userVerification"]) == ("required", "required")
    assert asked["rp"]["id"] == "localhost"
    assert "lena" not in asked["user"]["id"]
    assert (await options(lena, "sign-in"))["userVerification"] == "required"


async def test_a_user_who_was_not_verified(world: ServiceWorld, lena: Browsing) -> None:
    """Presence alone neither registers nor signs in."""
    assert (await register(lena, SoftAuthenticator(flags=PRESENT))).status == 401
    key = SoftAuthenticator()
    await register(lena, key)
    key.flags = PRESENT
    assert (await sign_in(Browsing(world), key)).status == 401


@pytest.mark.parametrize(
    "change",
    [{"host": "evil.example"}, {"origin": "http://evil.example"}, {"origin": "http://127.0.0.1:8700"}],
)
async def test_an_answer_for_another_site(
    world: ServiceWorld, lena: Browsing, change: dict[str, Any]
) -> None:
    """What another site had answered is nothing here."""
    assert (await register(lena, SoftAuthenticator(**change))).status == 401
    key = SoftAuthenticator()
    await register(lena, key)
    for name, value in change.items():
        setattr(key, name, value)
    assert (await sign_in(Browsing(world), key)).status == 401


async def test_a_counter_that_does_not_rise(world: ServiceWorld, lena: Browsing) -> None:
    """A copy of the key is noticed at its first use after the original's."""
    key = SoftAuthenticator(counter=5)
    await register(lena, key)
    key.counter = 6
    assert (await sign_in(Browsing(world), key)).status == 200
    key.counter = 6
    refused = await sign_in(Browsing(world), key)
    assert refused.status == 401
    assert "copied" in refused.text
    assert "person.sign_in_refused" in await world.kinds()


async def test_an_authenticator_that_does_not_count(world: ServiceWorld, lena: Browsing) -> None:
    """It stays at 0, as those do whose passkeys are copied to other devices."""
    key = SoftAuthenticator(counter=0)
    await register(lena, key)
    for _ in range(2):
        key.counter = 0
        assert (await sign_in(Browsing(world), key)).status == 200


async def test_a_challenge_works_once_at_one_browser(world: ServiceWorld, lena: Browsing) -> None:
    """Not again, not elsewhere, not for the other purpose, and not after five minutes."""
    key = SoftAuthenticator()
    await register(lena, key)
    browser = Browsing(world)
    asked = await options(browser, "sign-in")
    body = {"credential": key.get(asked), "then": ""}
    assert (await post(Browsing(world), "sign-in", body)).status == 401
    assert (await post(browser, "sign-in", body)).status == 200
    assert (await post(browser, "sign-in", {"credential": key.get(asked)})).status == 401
    late = Browsing(world)
    asked = await options(late, "sign-in")
    world.clock.advance(301)
    assert (await post(late, "sign-in", {"credential": key.get(asked)})).status == 401
    registering = await options(lena, "register")
    assert (await post(lena, "sign-in", {"credential": key.get(registering)})).status == 401
    signing = await options(lena, "sign-in")
    credential = SoftAuthenticator().create({**signing, "user": {"id": "x"}})
    assert (await post(lena, "register", {"credential": credential})).status == 401


async def test_a_key_that_is_not_the_registered_one(world: ServiceWorld, lena: Browsing) -> None:
    """Its id alone is worth nothing, nor is another person's handle."""
    key = SoftAuthenticator()
    await register(lena, key)
    stranger = SoftAuthenticator(id=key.id, key=ec.generate_private_key(ec.SECP256R1()))
    assert (await sign_in(Browsing(world), stranger)).status == 401
    assert (await sign_in(Browsing(world), SoftAuthenticator())).status == 401
    key.user_handle = "b3RoZXI"
    assert (await sign_in(Browsing(world), key)).status == 401


async def test_adding_one_needs_a_new_proof(world: ServiceWorld, lena: Browsing) -> None:
    """A session that was left open adds none; nor does a caller without a session."""
    world.clock.advance(901)
    assert (await post(lena, "challenge", {"for": "register"})).status == 403
    assert (await post(Browsing(world), "challenge", {"for": "register"})).status == 401


async def test_an_answer_that_was_left_lying(world: ServiceWorld, lena: Browsing) -> None:
    """What is no answer at all is said so, without a stack trace."""
    clientless: list[Json] = [{}, {"response": {}}, {"response": 7}]
    for credential in (*clientless, {"id": 7, "response": {"clientDataJSON": "!!"}}):
        told = await post(lena, "sign-in", {"credential": credential})
        assert told.status in (400, 401), told.text
        assert "Traceback" not in told.text
    assert (await post(lena, "sign-in", {"credential": []})).status == 400
    assert (await lena.ask("/oauth/passkey/challenge", {"for": "sign-in"})).status == 403


async def test_a_removed_passkey_opens_nothing(world: ServiceWorld, lena: Browsing) -> None:
    """From the moment on that its person removes it."""
    key = SoftAuthenticator()
    await register(lena, key)
    page = await lena.get("/oauth/account")
    form = next(one for one in page.forms if one["fields"].get("end") == "passkey")
    assert (await lena.post(form["action"], form["fields"])).status == 303
    assert (await sign_in(Browsing(world), key)).status == 401


async def test_an_answer_beyond_what_authenticators_send(world: ServiceWorld, lena: Browsing) -> None:
    """CBOR can hold a pattern to be compiled: as much as an answer may have is refused unread."""
    credential = SoftAuthenticator().create(await options(lena, "register"))
    pattern = b"|".join(b"a%d[^b]{1,9}" % one for one in range(1_500))
    attestation = b"\xd8\x23\x7a" + len(pattern).to_bytes(4) + pattern
    credential["response"]["attestationObject"] = base64.urlsafe_b64encode(attestation).decode().rstrip("=")
    told = await post(lena, "register", {"credential": credential, "name": "Laptop"})
    assert told.status == 400
    with pytest.raises(ValueError, match="a member of more than"):
        WebAuthn("localhost", "https://localhost").registered(credential, "")
