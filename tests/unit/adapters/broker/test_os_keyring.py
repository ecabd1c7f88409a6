# SPDX-License-Identifier: Apache-2.0
"""A keyring that waits for a person delays only its caller."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

from remit.adapters.broker.os_keyring import OsKeyring
from remit.core.errors import KeyUnavailable


class Waiting(KeyringBackend):
    """Answers when a person has unlocked it."""

    priority = 1  # type: ignore[assignment, unused-ignore]
    unlocked: threading.Event
    asked: int
    dismissed: bool

    def get_password(self, service: str, username: str) -> str | None:
        """Wait, and answer."""
        self.asked += 1
        assert self.unlocked.wait(60)
        if self.dismissed:
            raise KeyringLocked("hunter2 is not for you")
        return "hunter2"

    def set_password(self, service: str, username: str, password: str) -> None:
        """Do nothing: nothing is stored."""


@pytest.fixture
def waiting() -> Iterator[Waiting]:
    """A locked keyring."""
    before = keyring.get_keyring()
    made = Waiting()  # type: ignore[no-untyped-call]
    made.unlocked, made.asked, made.dismissed = threading.Event(), 0, False
    keyring.set_keyring(made)
    yield made
    made.unlocked.set()
    keyring.set_keyring(before)


async def test_a_locked_keyring_is_asked_once_and_waited_for_no_longer_than_patience(
    waiting: Waiting,
) -> None:
    """The caller is told to unlock it; no thread for each request is left behind."""
    source = OsKeyring(patience_s=0.01)
    for _ in range(5):
        with pytest.raises(KeyUnavailable, match="does not answer") as told:
            await source.read("crm/remit")
        assert "unlock" in told.value.remediation
    async with asyncio.timeout(60):
        while not waiting.asked:  # noqa: ASYNC110 - its thread may not have come to it yet
            await asyncio.sleep(0.01)
    assert waiting.asked == 1


async def test_once_it_is_unlocked_it_is_read(waiting: Waiting) -> None:
    """By the next one who asks."""
    waiting.unlocked.set()
    assert (await OsKeyring().read("crm/remit")).value == "hunter2"


async def test_a_question_that_is_dismissed_is_no_clear_no(waiting: Waiting) -> None:
    """What was read before goes on counting for a while; nothing that the keyring says is repeated."""
    waiting.dismissed = True
    waiting.unlocked.set()
    with pytest.raises(KeyUnavailable, match="cannot be read") as told:
        await OsKeyring().read("crm/remit")
    assert told.value.code == "source-refused"
    assert "hunter2" not in f"{told.value} {told.value.debug}"
