# SPDX-License-Identifier: Apache-2.0
"""Sessions of people that are bound to a key: taken with a proof of that key for this request, and in no
other way.
"""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from remit.core.evidence.event import EventKind
from remit.core.oauth.dpop import token_hash
from remit.core.oauth.one_time_code import TerminalCode
from remit.ports.store.changes import PutApproval
from remit.ports.store.units import Unit
from remit.services.identity.authenticator import secret_digest
from remit.services.oauth.refresh_tokens import challenge_of
from remit_sdk.key import AgentKey
from tests.worlds.services import PUBLIC_URL, ServiceWorld, Told, service_world
from tests.worlds.values import an_approval

Json = Any

KEY, OTHER = AgentKey.generate(), AgentKey.generate()
ME = "/api/v1/me"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ServiceWorld]:
    """A served gateway."""
    async with service_world(tmp_path) as made:
        yield made


def code_of(told: Told) -> tuple[int, str]:
    """Return the status of an answer and the code of its refusal."""
    return told.status, told.json.get("code", "")


class Terminal:
    """A person's terminal with its key, which counts its proofs."""

    def __init__(self, world: ServiceWorld, secret: str, key: AgentKey = KEY) -> None:
        self._world, self.secret, self._key, self._proofs = world, secret, key, 0

    def shown(self, path: str, method: str = "GET", **claims: Json) -> dict[str, str]:
        """Return the headers that show the session for one request."""
        self._proofs += 1
        made = {
            "jti": f"proof-{id(self)}-{self._proofs}",
            "htm": method,
            "htu": PUBLIC_URL + path,
            "iat": int(self._world.clock.now().timestamp()),
            "ath": token_hash(self.secret),
            "nonce": self._world.services.oauth.proofs.nonce(),
        } | claims
        proof = self._key.sign(made, {"typ": "dpop+jwt", "jwk": self._key.public_jwk})
        return {"authorization": f"DPoP {self.secret}", "dpop": proof}

    async def ask(self, path: str, **more: Json) -> Told:
        """Make a request with a fresh proof."""
        return await self._world.ask("GET", path, headers=self.shown(path), **more)


async def signed_in(world: ServiceWorld, person: str, jkt: str) -> Told:
    """Sign a person in by a code, with the thumbprint of a key."""
    code = await world.services.identity.authenticator.make_code(person, by="root")
    return await world.ask("POST", "/api/v1/sign-in", {"code": code, "dpop_jkt": jkt})


async def terminal(world: ServiceWorld, person: str = "lena") -> Terminal:
    """Return a person's terminal whose session is bound to its key."""
    told = await signed_in(world, person, KEY.thumbprint)
    assert told.status == 200, told.content
    assert told.json["url"] == PUBLIC_URL
    return Terminal(world, told.json["session"])


async def test_a_bound_session_needs_its_key(world: ServiceWorld) -> None:
    """The secret alone, or with another key, is refused; with a proof of its key it is the person's."""
    bound = await terminal(world)
    assert (await bound.ask(ME)).json["name"] == "lena"
    assert code_of(await world.ask("GET", ME, by=bound.secret)) == (401, "session-unproven")
    thief = Terminal(world, bound.secret, OTHER)
    assert code_of(await thief.ask(ME)) == (401, "session-unproven")


async def test_a_proof_is_for_one_request_once(world: ServiceWorld) -> None:
    """Another address or method, another session, an old one, or the same one again."""
    bound = await terminal(world)
    shown = bound.shown(ME)
    assert (await world.ask("GET", ME, headers=shown)).status == 200
    assert code_of(await world.ask("GET", ME, headers=shown)) == (401, "proof-replayed")
    wrong = {
        "proof-address": bound.shown("/api/v1/people"),
        "proof-method": bound.shown(ME, "POST"),
        "proof-token": bound.shown(ME, ath=token_hash("rms_other")),
        "proof-nonce": bound.shown(ME, nonce="of-another-start"),
        "proof-missing": {"authorization": f"DPoP {bound.secret}"},
    }
    found = {code: code_of(await world.ask("GET", ME, headers=one)) for code, one in wrong.items()}
    assert found == {code: (401, code) for code in wrong}


async def test_the_first_proof_is_told_the_nonce(world: ServiceWorld) -> None:
    """As agents are; that is no refusal for the evidence."""
    bound = await terminal(world)
    told = await world.ask("GET", ME, headers=bound.shown(ME, nonce=""))
    assert told.status == 401
    assert told.headers["dpop-nonce"] == world.services.oauth.proofs.nonce()


async def test_a_session_without_a_key_takes_no_proof(world: ServiceWorld) -> None:
    """A proof of some key beside it would say more than holds."""
    plain = await world.session("lena")
    assert (await world.ask("GET", ME, by=plain)).status == 200
    assert code_of(await Terminal(world, plain).ask(ME)) == (401, "session-unbound")


@pytest.mark.parametrize("jkt", ["x", "=" * 43, "x" * 44, "x" * 43 + "\n"])
async def test_what_is_no_thumbprint_binds_nothing(world: ServiceWorld, jkt: str) -> None:
    """The code is not used up."""
    code = await world.services.identity.authenticator.make_code("lena", by="root")
    told = await world.ask("POST", "/api/v1/sign-in", {"code": code, "dpop_jkt": jkt})
    assert told.status == 400
    again = await world.ask("POST", "/api/v1/sign-in", {"code": code, "dpop_jkt": KEY.thumbprint})
    assert again.status == 200


async def test_a_session_from_the_browser_is_bound_too(world: ServiceWorld) -> None:
    """The terminal names its key when it brings the code."""
    lena = await world.services.identity.directory.person("lena")
    browser = await world.services.people.browsers.open(lena, method="passkey", place="a browser")
    held = TerminalCode(
        redirect_uri="http://127.0.0.1:1/signed-in",
        code_challenge=challenge_of("v" * 43),
        person="lena",
        session=secret_digest(browser),
        method="passkey",
        authenticated=world.clock.now(),
    )
    code, keep = world.services.people.browsers.tickets.make(held, timedelta(seconds=60))
    await world.services.store.commit(Unit((keep,)))
    told = await world.ask(
        "POST",
        "/api/v1/sign-in/browser",
        {
            "code": code,
            "code_verifier": "v" * 43,
            "redirect_uri": held.redirect_uri,
            "dpop_jkt": KEY.thumbprint,
        },
    )
    secret = told.json["session"]
    assert code_of(await world.ask("GET", ME, by=secret)) == (401, "session-unproven")
    assert (await Terminal(world, secret).ask(ME)).json["name"] == "lena"


async def test_a_bound_session_watches_and_signs_out(world: ServiceWorld) -> None:
    """The session is looked at again while it watches; signing out with a proof ends it."""
    task = await world.open(await world.session("lena"))
    await world.services.store.commit(Unit((PutApproval(an_approval("apr_one", task=task)),)))
    bound = await terminal(world, "ada")

    async def heard(part: bytes) -> None:
        if b"pending" in part:
            shown = bound.shown("/api/v1/sign-out", "POST")
            assert (await world.ask("POST", "/api/v1/sign-out", headers=shown)).status in (200, 204)

    told = await bound.ask("/api/v1/approvals/watch", heard=heard)
    assert b"pending" in told.content
    assert code_of(await bound.ask(ME)) == (401, "no-session")


async def test_the_evidence_says_whether_a_session_is_bound(world: ServiceWorld) -> None:
    """Of each sign-in."""
    await terminal(world)
    await world.session("ada")
    found = await world.services.evidence.log.pages(limit=1000)
    leaves = [json.loads(one.leaf) for one in found if one.kind == EventKind.PERSON_SIGNED_IN]
    assert [leaf["facts"]["bound"] for leaf in leaves][-2:] == [True, False]
