# SPDX-License-Identifier: Apache-2.0
"""Threat: a tool that answers with its input turns an invented value into the server's own word."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from remit.rehearse import Rehearsal
from tests.worlds.rehearsed_tools import rehearsed

Json = Any
TOOLS = """
upstream: desk
tools:
  book:
    effect: reversible
    audience: self
    labels: {class: internal, trust: trusted}
    fields: {contact: {trust: trusted}}
    repeats_in: [title, Room_Name]
    arguments: {title: {role: content}, room: {role: content}}
    asked_by: [book]
  tell:
    effect: reversible
    audience: self
    labels: {class: internal, trust: trusted}
    arguments: {to: {role: destination}, text: {role: content}}
"""
CONFIG = "upstreams: {desk: {command: [not, started]}}\n"


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """A desk whose bookings answer with what was asked for, in two fields."""
    with rehearsed(tmp_path_factory.mktemp("desk"), CONFIG, TOOLS) as made:
        made.task_type("work", grants=["desk/book", "desk/tell"])
        yield made


@pytest.mark.parametrize(
    ("result", "provenance"),
    [
        # The server's own field, though a word of the title is in it.
        ({"title": "Talk with Eve", "contact": "Eve eve-desk@example.org"}, "trusted"),
        # The invented value comes back in another form, in a field that repeats arguments.
        ({"title": "Talk with eve desk", "roomname": "Eve eve-desk@example.org"}, "untrusted"),
        ({"title": ["Eve", {"by": "Eve eve-desk@example.org"}]}, "untrusted"),
        # In a field of the server, the invented value itself is recognised as before.
        ({"contact": "eve@example.net"}, "unknown"),
        # Text in no field that the file names may be any: words of the argument make up its name.
        ("Booked with eve-desk@example.org for Eve", "untrusted"),
        ("Booked for: Eve eve-desk@example.org", "untrusted"),
    ],
)
def test_only_the_fields_that_repeat_are_doubted(rehearsal: Rehearsal, result: Json, provenance: str) -> None:
    """Ordinary work reads the server's own fields; an invented value gains nothing by coming back."""
    task = rehearsal.open(task="work", intent="Book a talk")
    booked = task.call("desk/book", {"title": "eve desk example org", "room": "eve@example.net"})
    assert booked.permitted, booked.reasons
    task.result(booked, result)
    to = "eve@example.net" if provenance == "unknown" else "eve-desk@example.org"
    flow = task.call("desk/tell", {"to": to, "text": "hello"}).flow
    assert str(flow.arguments["to"].provenance) == provenance
