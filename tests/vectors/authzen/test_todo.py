# SPDX-License-Identifier: Apache-2.0
"""The forty decisions of AuthZEN's todo interop, as a table of facts: who may do what to whose entry.

They are written in the form of the final Authorization API 1.0: an entry's owner is a property of the
resource.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.worlds.authzen import AuthzenWorld, authzen_world

Json = Any

RICK, MORTY = "rick@the-citadel.com", "morty@the-citadel.com"
SUMMER, BETH, JERRY = "summer@the-smiths.com", "beth@the-smiths.com", "jerry@the-smiths.com"
#: Per person: whether they may create an entry, change or delete one of rick's, and one they created (for
#: rick: of morty's). All of them may see people and the list.
MAY: dict[str, tuple[bool, bool, bool]] = {
    RICK: (True, True, True),
    MORTY: (True, False, True),
    SUMMER: (True, False, True),
    BETH: (False, False, False),
    JERRY: (False, False, False),
}
ENTRY = "7240d0db-8ff0-41ec-98b2-34a096273b9"
ENTRIES = {RICK: f"{ENTRY}2", MORTY: f"{ENTRY}1", SUMMER: f"{ENTRY}3", BETH: f"{ENTRY}4", JERRY: f"{ENTRY}5"}


def evaluation(person: str, action: str, kind: str, id: str, **properties: str) -> dict[str, Json]:
    """Return one evaluation."""
    resource: dict[str, Json] = {"type": kind, "id": id, "properties": properties}
    return {"subject": {"type": "user", "id": person}, "action": {"name": action}, "resource": resource}


def decisions(person: str) -> list[tuple[dict[str, Json], bool]]:
    """Return the eight evaluations about a person, with what they must give."""
    create, ricks, own = MAY[person]
    owner = MORTY if person == RICK else person
    out = [
        (evaluation(person, "can_read_user", "user", BETH), True),
        (evaluation(person, "can_read_user", "user", person), True),
        (evaluation(person, "can_read_todos", "todo", "todo-1"), True),
        (evaluation(person, "can_create_todo", "todo", "todo-1"), create),
    ]
    for action in ("can_update_todo", "can_delete_todo"):
        out.append((evaluation(person, action, "todo", ENTRIES[RICK], ownerID=RICK), ricks))
        out.append((evaluation(person, action, "todo", ENTRIES[owner], ownerID=owner), own))
    return out


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[AuthzenWorld]:
    """Provide services with the fixtures, where every person has a task."""
    async with authzen_world(tmp_path) as made:
        for person in MAY:
            await made.begin(person, "keep-todos")
        yield made


@pytest.mark.parametrize("person", MAY)
async def test_decisions(world: AuthzenWorld, person: str) -> None:
    """Each person may do what the scenario says, one by one and all at once."""
    wanted = decisions(person)
    for body, decision in wanted:
        told = await world.asks("evaluation", body, by="todo-backend")
        assert told.json["decision"] is decision, (body, told.content)
    all_at_once = {"evaluations": [body for body, _ in wanted]}
    told = await world.asks("evaluations", all_at_once, by="todo-backend")
    assert [one["decision"] for one in told.json["evaluations"]] == [decision for _, decision in wanted]
