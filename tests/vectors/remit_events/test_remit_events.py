# SPDX-License-Identifier: Apache-2.0
"""What each kind of event says in the log, byte by byte, as logs have it that were written before there was a
struct for each kind.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.core.canonical import encode, encode_trusted
from remit.core.evidence.event import Event, EventBody, EventKind, fields_of
from remit.core.evidence.events.kinds import BODIES
from tests.worlds.values import START, TENANT

Json = Any

LINES = Path(__file__).with_name("events.jsonl").read_bytes().splitlines()


def body_of(line: bytes) -> EventBody:
    """Return the struct that says what a line says."""
    said = json.loads(line)
    kind = BODIES[EventKind(said["kind"])]
    values = {
        one.name: said["sealed" if one.sealed else "facts"][one.said_as]
        for one in fields_of(kind)
        if one.said_as in said["sealed" if one.sealed else "facts"]
    }
    assert len(values) == len(said["facts"]) + len(said["sealed"]), "a value that the struct does not have"
    return msgspec.convert(values, kind)


def test_there_is_an_event_of_every_kind() -> None:
    """Each kind has at least one line."""
    assert {EventKind(json.loads(line)["kind"]) for line in LINES} == set(EventKind)


@pytest.mark.parametrize("line", LINES, ids=lambda line: json.loads(line)["kind"])
def test_a_struct_says_in_the_log_what_its_kind_always_said(line: bytes) -> None:
    """The same facts and sealed values, the same ones left out, in the same bytes."""
    event = Event.of(body_of(line), at=START, tenant=TENANT)
    said = {"facts": event.facts, "kind": event.kind.value, "sealed": event.sealed}
    assert encode(said) == line
    assert encode_trusted(event.facts) == encode(event.facts)


def test_a_fact_that_this_version_does_not_know_is_passed_over() -> None:
    """A log of another version may say more."""
    kind = BODIES[EventKind.UPSTREAM_LOST]
    assert msgspec.convert({"upstream": "files", "colour": "red"}, kind) == kind(upstream="files")
