# SPDX-License-Identifier: Apache-2.0
"""What replicas say to each other beside the store opens nothing; what none of them has made is nothing."""

import base64
import json
from typing import Any

import msgspec
import pytest

from remit.core.errors import Malformed
from remit.core.replicas import forwarding as passing
from remit.core.replicas import wakeup as waking
from remit.core.replicas.wakeup import Nudge, Wake

SEALING = b"s" * 32
CHANNEL = "remit.test"
WAKE = Wake(by="writer_1", ear="writer_1", number=1, key="1", about=Nudge.CHANGE)


def test_what_a_replica_has_said_is_read_and_holds() -> None:
    """To the letter."""
    message = waking.written(WAKE, SEALING, CHANNEL)
    assert waking.read(message) == WAKE
    assert waking.holds(message, SEALING, CHANNEL)
    assert len(message) < waking.MOST_BYTES


@pytest.mark.parametrize("place", range(0, 200, 7))
def test_a_message_that_was_changed_does_not_hold(place: int) -> None:
    """Wherever, by one bit."""
    message = bytearray(waking.written(WAKE, SEALING, CHANNEL))
    message[place % len(message)] ^= 1
    assert not waking.holds(bytes(message), SEALING, CHANNEL)


def test_a_message_holds_under_its_key_and_on_its_channel_alone() -> None:
    """Another house, another tenant, another use of the same key."""
    message = waking.written(WAKE, SEALING, CHANNEL)
    assert not waking.holds(message, b"t" * 32, CHANNEL)
    assert not waking.holds(message, SEALING, "remit.other")
    seal = passing.seal_of(SEALING, "writer_1", "http://one")
    assert not waking.holds(message.partition(b".")[0] + b"." + seal.encode(), SEALING, CHANNEL)


def _as_told(value: Any) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(value).encode()) + b".x"


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b".",
        b"x",
        b"\xff\x00",
        b"e30.x",
        b"A" * 5000,
        _as_told({}),
        _as_told([]),
        _as_told(msgspec.to_builtins(WAKE) | {"about": "end everything"}),
        _as_told(msgspec.to_builtins(WAKE) | {"number": "1"}),
        _as_told(msgspec.to_builtins(WAKE) | {"more": 1}),
        base64.urlsafe_b64encode(b"[" * 600),
    ],
)
def test_what_is_no_wake_is_malformed(message: bytes) -> None:
    """Whatever it is instead."""
    with pytest.raises(Malformed):
        waking.read(message)
