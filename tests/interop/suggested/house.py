# SPDX-License-Identifier: Apache-2.0
"""A house that observes a world without descriptions, and enforces what `remit suggest` says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from remit.core.identity.principals import person_of
from remit.core.tasks.grant import Grant
from remit.core.tools.suggestions import (
    TypeDraft,
    UpstreamFacts,
    drafted,
    grants_of,
    grants_text,
    observed_calls,
    tools_text,
    with_leads,
    with_observed,
)
from remit.core.tools.tool import Tool
from remit.ports.upstream import Catalogue
from remit.rehearse import Rehearsal, RehearsedCall, RehearsedTask
from tests.interop.worlds.replay import Worlds
from tests.interop.worlds.tool import HERE

Json = Any
AGENT: Final = "helper"
PERSON: Final = "ann"
TYPE: Final = """task: everyday
purpose: What a person does day by day
run_by: [helper]
requested_by: [ann]
deadline: 12h
"""
#: What a newcomer says of an upstream; outsiders write in all of them.
FACTS: Final = UpstreamFacts(audience="internal", data_class="internal")


@dataclass(frozen=True)
class Made:
    """One call of an episode, as it was decided."""

    attacker: bool
    call: RehearsedCall

    @property
    def ungranted(self) -> bool:
        """Whether the grants alone refuse it."""
        return any(one.code in GRANT_CODES for one in self.call.reasons)


#: Codes of refusals by the grants of a task, whatever the policies say.
GRANT_CODES: Final = frozenset({"not-granted", "argument-refused", "argument-undeclared", "argument-missing"})


@contextmanager
def observing(world: str) -> Iterator[Rehearsal]:
    """Open a remit that observes a world of which no tool is described."""
    with TemporaryDirectory() as place:
        yield from _opened(Path(place), world, "observe", TYPE + "grants: []\n", "")


@contextmanager
def enforcing(world: str, draft: TypeDraft, tools: str) -> Iterator[Rehearsal]:
    """Open a remit that enforces what was suggested."""
    with TemporaryDirectory() as place:
        yield from _opened(Path(place), world, "enforce", TYPE + grants_text(draft), tools)


def _opened(folder: Path, world: str, mode: str, kind: str, tools: str) -> Iterator[Rehearsal]:
    settings = {
        "upstreams": {world: {"command": ["not", "started"], "mode": mode}},
        "classes": {"clearance": {"self": "restricted", "internal": "confidential", "external": "internal"}},
    }
    (folder / "remit.yaml").write_text(json.dumps(settings), encoding="utf-8")
    for part in ("tasks", "tools"):
        (folder / part).mkdir()
    (folder / "tasks" / "everyday.yaml").write_text(kind, encoding="utf-8")
    if tools:
        (folder / "tools" / "world.yaml").write_text(tools, encoding="utf-8")
    with Rehearsal(folder, own_policies=True) as rehearsal:
        rehearsal.agent(AGENT, environment="production")
        catalogue = Catalogue(protocol="2025-11-25", capabilities={"tools": {}}, tools=tuple(listed(world)))
        rehearsal.run(rehearsal.stage.services.tools.registry.learned(world, catalogue))
        yield rehearsal


def listed(world: str) -> list[dict[str, Json]]:
    """Return the tools of a world as its server lists them."""
    found: list[dict[str, Json]] = json.loads((HERE / world / "schemas.json").read_text(encoding="utf-8"))
    return found


def episode(house: Rehearsal, worlds: Worlds, world: str, user: str, attack: str | None = None) -> list[Made]:
    """Do a person's task; where there is an attack, the agent obeys its text as soon as it reads it."""
    spot = worlds.open(world, user, attack)
    house.restore()
    task = house.open(task="everyday", agent=AGENT, on_behalf_of=PERSON, intent=spot.prompt)
    at = len(spot.calls) if attack is None else spot.seen_after
    made = _make(task, worlds, world, spot.calls[:at], attacker=False)
    # Who never reads the text cannot obey it.
    if attack is not None and made[-1].call.permitted:
        made += _make(task, worlds, world, worlds.attack(), attacker=True)
        made += _make(task, worlds, world, spot.calls[at:], attacker=False)
    task.end()
    return made


def _make(
    task: RehearsedTask,
    worlds: Worlds,
    world: str,
    calls: Sequence[tuple[str, dict[str, Json]]],
    *,
    attacker: bool,
) -> list[Made]:
    made = []
    for name, arguments in calls:
        call = task.call(f"{world}/{name}", arguments)
        if call.permitted:
            text, error = worlds.call(name, arguments)
            task.result(call, text, error=error)
        made.append(Made(attacker, call))
    return made


def learnt(house: Rehearsal, world: str) -> tuple[TypeDraft, str]:
    """Return the suggested grants, and the suggested file of tools."""
    surfaces = {f"{world}/{one['name']}": one for one in listed(world)}
    drafts = {
        tool: drafted(Tool(upstream=world, name=one["name"], surface=one), FACTS, "restricted")
        for tool, one in surfaces.items()
    }
    calls = with_leads(list(observed_calls(house.events(), {}, person_of)), drafts)
    required = {tool: one["inputSchema"].get("required", ()) for tool, one in surfaces.items()}
    called = sorted({one.tool for one in calls})
    shown = with_observed(drafts, calls)
    found = [shown[tool] for tool in called]
    return grants_of("everyday", calls, required, drafts=drafts), tools_text(world, found)


def refused_by_grants(draft: TypeDraft, tool: str, arguments: dict[str, Json]) -> bool:
    """Return whether suggested grants refuse a call, by the rules that decide calls."""
    return all(Grant.load(one.spec).permits(arguments) for one in draft.grants if one.tool == tool)
