# SPDX-License-Identifier: Apache-2.0
"""Secrets that lie elsewhere: what counts when, and what a silent source means."""

from __future__ import annotations

from datetime import timedelta

import pytest

from remit.config.reading.secret_reference import ReadAhead
from remit.core.errors import KeyUnavailable
from remit.ports.secret_source import GONE, ReadSecret
from remit.services.credentials.secret_sources import KEEP, FetchedSecrets
from tests.worlds.values import WorldClock


class Scripted:
    """A source that gives, or raises, what stands there."""

    def __init__(self) -> None:
        self.says: ReadSecret | KeyUnavailable = ReadSecret(value="one")

    async def read(self, name: str) -> ReadSecret:
        """Say it."""
        if isinstance(self.says, KeyUnavailable):
            raise self.says
        return self.says


SILENT = KeyUnavailable("it does not answer", code="source-lost", remediation="look")
GONE_NOW = KeyUnavailable("there is none", code=GONE, remediation="write one")


async def made(clock: WorldClock, source: Scripted) -> tuple[FetchedSecrets, ReadAhead, ReadAhead]:
    """Return secrets with two places for one name."""
    fetched, one, other = FetchedSecrets(clock), ReadAhead(), ReadAhead()
    await fetched.add(source, {"kv/x#y": [one, other]}, "openbao")
    return fetched, one, other


async def test_all_who_name_it_have_it_and_the_newest() -> None:
    """One reading for all of them."""
    clock, source = WorldClock(), Scripted()
    fetched, one, other = await made(clock, source)
    assert one.read() == other.read() == "one"
    source.says = ReadSecret(value="two", version=2, since=clock.now())
    await fetched.refresh()
    assert one.read() == other.read() == "two"
    assert fetched.version("openbao:kv/x#y") == 2
    assert fetched.since("openbao:kv/x#y") == clock.now()


async def test_a_silent_source_is_waited_for_and_not_for_ever() -> None:
    """What was read goes on counting for `KEEP`; then it is refused, and counts again once it is read."""
    clock, source = WorldClock(), Scripted()
    fetched, one, _ = await made(clock, source)
    source.says = SILENT
    clock.advance(KEEP.total_seconds())
    await fetched.refresh()
    assert one.read() == "one"
    clock.advance(1)
    await fetched.refresh()
    with pytest.raises(KeyUnavailable, match="does not answer") as told:
        one.read()
    assert told.value.remediation == "look"
    assert fetched.since("openbao:kv/x#y") is None
    source.says = ReadSecret(value="one")
    await fetched.refresh()
    assert one.read() == "one"


async def test_a_clear_no_counts_at_once() -> None:
    """A secret that was deleted at its source is not carried for another moment."""
    source = Scripted()
    fetched, one, _ = await made(WorldClock(), source)
    source.says = GONE_NOW
    await fetched.refresh()
    with pytest.raises(KeyUnavailable, match="there is none"):
        one.read()


async def test_one_that_ends_at_its_source_ends_here_whether_or_not_that_answers() -> None:
    """Its end is known beforehand."""
    clock, source = WorldClock(), Scripted()
    source.says = ReadSecret(value="one", until=clock.now() + timedelta(seconds=30))
    fetched, one, _ = await made(clock, source)
    assert one.read() == "one"
    source.says = SILENT
    clock.advance(31)
    await fetched.refresh()
    with pytest.raises(KeyUnavailable):
        one.read()


async def test_what_was_never_read_is_refused() -> None:
    """With a word on where to look."""
    source = Scripted()
    source.says = SILENT
    _, one, _ = await made(WorldClock(), source)
    with pytest.raises(KeyUnavailable):
        one.read()
    with pytest.raises(KeyUnavailable, match="not been read yet"):
        ReadAhead().read()
