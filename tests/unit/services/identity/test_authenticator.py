# SPDX-License-Identifier: Apache-2.0
"""Step 1: a secret is never kept as text, and no identity outlives what it stands for. (Replays and
forgeries: tests/scenarios/identity/test_replay.py.)
"""

import base64
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from remit.core.errors import Unauthenticated
from remit.core.identity.principals import AgentState
from remit.core.identity.workload import Assurance
from remit.ports.store.changes import PutPerson
from remit.ports.store.units import Unit
from remit.services.identity import authenticator as authenticate
from tests.samples.tokens import HELD, task_token, task_token_given
from tests.worlds.calls import CallWorld, call_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A gateway with a desk."""
    async with call_world(tmp_path) as made:
        yield made


async def test_a_token_says_who_for_whom_and_for_what(world: CallWorld) -> None:
    """Agent, person, task, the authority's digest, and how the agent was proven."""
    task, token = await world.open()
    claims = world.services.identity.authenticator.claims(token, world.clock.now(), proven=HELD)
    assert (claims.client_id, claims.subject, claims.task) == ("clerk", "lena", task.id)
    assert claims.authority_hash == (await world.services.tasks.live.load(task.id)).authority_hash
    assert claims.principal.assurance is Assurance.KEY_BOUND
    assert claims.principal.on_behalf_of == "lena"
    assert claims.audience[0] == world.services.identity.authenticator.resources.joined


async def test_a_token_never_outlives_its_task(world: CallWorld) -> None:
    """Shortly before the deadline a token is as short as what is left."""
    task, _ = await world.open()
    world.clock.advance(1800 - 60)
    given = await task_token_given(world.services, task.id)
    assert given.claims.expires == int(task.deadline.timestamp())


async def test_no_secret_is_kept_as_text(world: CallWorld) -> None:
    """Neither codes, nor sessions, nor tokens can be read from the files of the gateway."""
    code = await world.services.identity.authenticator.make_code("lena", by="root")
    session, _, _ = await world.services.identity.authenticator.sign_in(code)
    unused = await world.services.identity.authenticator.make_code("lena", by="root")
    _, token = await world.open()
    await world.call(token, "read")
    kept = b"".join(file.read_bytes() for file in world.folder.glob("remit.db*"))
    assert b"clerk" in kept
    for secret in (code, session, unused, token, token.split(".")[2]):
        assert secret.encode() not in kept


def unsigned(name: str) -> str:
    """Return an unsigned assertion of a client."""
    parts = ({"alg": "ES256"}, {"iss": name, "sub": name})
    texts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join((*texts, "AA"))


async def test_only_a_usable_agent_with_a_key_is_proven(world: CallWorld) -> None:
    """A suspended agent, and an unregistered name, get the same kind of answer."""
    await world.services.identity.directory.move("clerk", AgentState.SUSPENDED, by="root", reason="odd")
    for name in ("clerk", "nobody"):
        with pytest.raises(Unauthenticated) as refused:
            await world.services.oauth.clients.by_signature(unsigned(name))
        assert refused.value.code == "invalid_client"


async def test_a_person_who_left_is_nobody(world: CallWorld) -> None:
    """Neither a session nor a code of a person who is not active any more opens anything."""
    authenticator = world.services.identity.authenticator
    session, _, _ = await authenticator.sign_in(await authenticator.make_code("lena", by="root"))
    code = await authenticator.make_code("lena", by="root")
    left = msgspec.structs.replace(await world.person("lena"), active=False)
    await world.services.store.commit(Unit((PutPerson(left),)))
    with pytest.raises(Unauthenticated):
        await authenticator.person(session)
    with pytest.raises(Unauthenticated):
        await authenticator.sign_in(code)


async def test_a_code_may_be_typed_as_people_type(world: CallWorld) -> None:
    """Space around it and capitals do not matter."""
    code = await world.services.identity.authenticator.make_code("lena", by="root")
    _, person, expires = await world.services.identity.authenticator.sign_in(f"  {code.upper()}\n")
    assert person.name == "lena"
    assert expires == world.clock.now() + timedelta(hours=12)


async def test_remembered_tokens_are_bounded(world: CallWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest is forgotten first, and is verified again when it comes again."""
    monkeypatch.setattr(authenticate, "CACHE", 3)
    task, _ = await world.open()
    tokens = [await task_token(world.services, task.id) for _ in range(5)]
    for token in (*tokens, *tokens):
        assert world.services.identity.authenticator.claims(token, world.clock.now()).task == task.id
    assert len(world.services.identity.authenticator._cache) == 3


async def test_expired_tokens_are_forgotten_with_the_next_one(world: CallWorld) -> None:
    """An ended task leaves no token in memory for long."""
    authenticator = world.services.identity.authenticator
    task, _ = await world.open()
    for _ in range(3):
        authenticator.claims(await task_token(world.services, task.id), world.clock.now())
    assert len(authenticator._cache) >= 3
    world.clock.advance(3600)
    later, _ = await world.open()
    authenticator.claims(await task_token(world.services, later.id), world.clock.now())
    assert len(authenticator._cache) == 1


def test_a_digest_of_a_secret_is_its_sha256() -> None:
    """As the empty text's is known to be."""
    assert authenticate.secret_digest("")[:16] == "e3b0c44298fc1c14"
