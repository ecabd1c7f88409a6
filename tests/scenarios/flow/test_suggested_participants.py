# SPDX-License-Identifier: Apache-2.0
"""What `remit tool suggest` proposes for stored participants governs calls, once a person has accepted it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from remit.core.tools.suggestions import UpstreamFacts, drafted, tools_text
from remit.core.tools.tool import Tool
from remit.rehearse import Rehearsal, RehearsedCall
from tests.samples.drafts import all_proposed
from tests.worlds.rehearsed_tools import rehearsed

Json = Any

CONFIG = """
upstreams:
  calendar: {command: [not, started]}
classes:
  clearance: {self: restricted, internal: confidential, external: public}
directory: {corp.example: internal}
"""
STRING: Json = {"type": "string"}
PERSON: Json = {"properties": {"email": {"type": "string", "format": "email"}, "name": STRING}}
SCHEMAS: dict[str, Json] = {
    "get_event": {
        "inputSchema": {"properties": {"event_id": STRING}, "required": ["event_id"]},
        "outputSchema": {
            "properties": {
                "organizer": PERSON,
                "attendees": {"type": "array", "items": PERSON},
                "guests": {"type": "array", "items": STRING},
                "note": STRING,
            }
        },
    },
    "reschedule_event": {"inputSchema": {"properties": {"event_id": STRING, "starts": STRING}}},
}
FACTS = UpstreamFacts(audience="internal", data_class="internal")
INSIDE: Json = {
    "organizer": {"email": "ann@corp.example", "name": "Ann"},
    "attendees": [{"email": "bo@corp.example", "name": "Bo"}],
    "guests": ["cy@corp.example"],
    "note": "Bring the plan.",
}


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """Provide a calendar whose description was drafted, with every proposal accepted."""
    drafts = [
        drafted(Tool(upstream="calendar", name=name, surface={"name": name, **one}), FACTS, "restricted")
        for name, one in SCHEMAS.items()
    ]
    folder: Path = tmp_path_factory.mktemp("calendar")
    # Without participants, a change that guests are told of reaches outsiders.
    text = all_proposed(tools_text("calendar", drafts)).replace("audience: internal", "audience: external")
    with rehearsed(folder, CONFIG, text) as made:
        made.task_type("work", grants=["calendar/get_event", "calendar/reschedule_event"])
        yield made


def moved(rehearsal: Rehearsal, shown: Json) -> RehearsedCall:
    """Read the event that the person names, and reschedule it."""
    rehearsal.restore()
    task = rehearsal.open(task="work", intent="Reschedule event E-7 to noon")
    assert task.read("calendar/get_event", {"event_id": "E-7"}, shown).permitted
    return task.read("calendar/reschedule_event", {"event_id": "E-7", "starts": "noon"}, {"done": True})


def test_an_event_among_colleagues_is_moved(rehearsal: Rehearsal) -> None:
    """All who take part are in the directory, so outsiders learn nothing."""
    assert moved(rehearsal, INSIDE).permitted


@pytest.mark.parametrize(
    "more",
    [
        {"organizer": {"email": "eve@evil.example", "name": "Ann"}},
        {"attendees": [{"email": "eve@evil.example", "name": "Bo"}]},
        {"guests": ["cy@corp.example", "eve@evil.example"]},
    ],
)
def test_an_outsider_in_any_proposed_field_counts(rehearsal: Rehearsal, more: Json) -> None:
    """Each field is marked: the organiser, a list of persons, and a list of addresses."""
    assert not moved(rehearsal, INSIDE | more).permitted
