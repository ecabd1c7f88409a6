# SPDX-License-Identifier: Apache-2.0
"""One suite for every source of standing secrets, each a real one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from remit.core.errors import KeyUnavailable
from remit.ports.secret_source import GONE
from tests.conformance.secret_sources import AtKeyring, AtKv, AtSecretService, SecretPlace
from tests.servers.secret_service import secret_service

SECRET = "hunter2-und-ein-ä"


@pytest.fixture(params=["kv-1", "kv-2", "keyring", "secret-service"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SecretPlace]:
    """A source's surroundings, with one secret."""
    kind: str = request.param
    made: SecretPlace
    with ExitStack() as stack:
        if kind == "keyring":
            made = AtKeyring(tmp_path)
        elif kind == "secret-service":
            made = AtSecretService(tmp_path, stack.enter_context(secret_service(tmp_path)))
        else:
            made = AtKv(request.getfixturevalue("bao"), int(kind[-1]))
        made.write(SECRET)
        yield made
        await made.close()


async def test_what_is_stored_is_read_and_the_newest_of_it(place: SecretPlace) -> None:
    """Read again at each asking."""
    assert (await place.source.read(place.name)).value == SECRET
    place.write("another")
    assert (await place.source.read(place.name)).value == "another"


async def test_what_was_read_is_not_shown(place: SecretPlace) -> None:
    """In a log or a traceback neither."""
    found = await place.source.read(place.name)
    assert SECRET not in f"{found} {found!r}"


async def test_a_source_that_counts_versions_tells_which_and_since_when(place: SecretPlace) -> None:
    """The others tell neither, and nothing is made up."""
    before = await place.source.read(place.name)
    place.write("another")
    after = await place.source.read(place.name)
    if not before.version:
        assert (after.version, before.since, after.since) == (0, None, None)
        return
    assert after.version == before.version + 1
    assert before.since is not None
    assert after.since is not None
    assert before.since < after.since
    assert abs(after.since - datetime.now(UTC)) < timedelta(minutes=5)


async def test_what_is_not_there_is_a_clear_no(place: SecretPlace) -> None:
    """Another name, and one that was removed: with a remediation, and no secret in it."""
    lead, _, last = place.name.rpartition("/")
    with pytest.raises(KeyUnavailable) as told:
        await place.source.read(f"{lead}/of-nobody#{last}" if "#" in last else f"{lead}/of-nobody")
    assert told.value.code == GONE
    assert told.value.remediation
    place.remove()
    with pytest.raises(KeyUnavailable) as told:
        await place.source.read(place.name)
    assert told.value.code == GONE
    assert SECRET not in f"{told.value} {told.value.debug}"
    place.write(SECRET)
    assert (await place.source.read(place.name)).value == SECRET


async def test_a_source_that_does_not_answer_has_said_no_to_nothing(place: SecretPlace) -> None:
    """It is another fault than a clear no; afterwards it is read as before."""
    await place.source.read(place.name)
    place.cut()
    try:
        with pytest.raises(KeyUnavailable) as told:
            await place.source.read(place.name)
    finally:
        place.mend()
    assert told.value.code != GONE
    assert told.value.remediation
    assert (await place.source.read(place.name)).value == SECRET
