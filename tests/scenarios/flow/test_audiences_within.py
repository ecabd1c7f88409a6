# SPDX-License-Identifier: Apache-2.0
"""A team inside learns what all inside may learn; a group outside, or an outsider beside it, does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from remit.rehearse import Rehearsal
from tests.worlds.rehearsed_tools import outcome_of, rehearsed

Json = Any

CONFIG = """
upstreams:
  desk: {command: [not, started]}
groups: {team: [], guests: []}
classes:
  order: [public, internal, confidential, restricted]
  clearance: {self: restricted, internal: confidential, external: public}
  within: {"group:team": internal}
directory: {corp.example: internal, team.example: "group:team", guests.example: "group:guests"}
"""
TOOLS = """
upstream: desk
tools:
  read_plan:
    effect: none
    audience: internal
    labels: {class: confidential, trust: trusted}
  send:
    effect: irreversible
    audience: external
    audience_by: [to]
    labels: {class: internal, trust: trusted}
    arguments: {to: {role: destination}, text: {role: content}}
  post:
    effect: irreversible
    audience: "group:team"
    labels: {class: internal, trust: trusted}
    arguments: {text: {role: content}}
"""
#: A site's own rule: what leaves the house waits.
INSIDE = """
@id("site/inside")
forbid (principal, action in Action::"effect:irreversible", resource)
unless { context.audiences.contains("internal") };
"""


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """Provide the desk under the default policies."""
    with rehearsed(tmp_path_factory.mktemp("desk"), CONFIG, TOOLS) as made:
        made.task_type("work", grants=["desk/read_plan", "desk/send", "desk/post"])
        yield made


@pytest.mark.parametrize(
    ("to", "outcome"),
    [
        ("bo@team.example", "permit"),
        (["bo@team.example", "al@corp.example"], "permit"),
        (["bo@team.example", "x@guests.example"], "deny"),
        (["bo@team.example", "x@elsewhere.example"], "deny"),
        ("x@guests.example", "deny"),
        ("bo@team.example.elsewhere.example", "deny"),
        ("bo@team.example <x@elsewhere.example>", "deny"),
    ],
)
def test_confidential_data_goes_to_the_team_and_to_no_group_outside(
    rehearsal: Rehearsal, to: Json, outcome: str
) -> None:
    """The group is listed for no clearance, so that of what it lies within counts."""
    task = rehearsal.open(task="work", intent=f"Send the plan to {to}")
    task.read("desk/read_plan", {}, {"plan": "x"})
    assert outcome_of("desk", task, "send", to=to, text="The plan") == outcome


def test_policies_ask_for_an_audience_with_all_groups_in_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    """`context.audiences` holds the audience and those that it lies within."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "policies").mkdir()
    (folder / "policies/site.cedar").write_text(
        INSIDE + "permit (principal, action, resource);", encoding="utf-8"
    )
    with rehearsed(folder, CONFIG, TOOLS) as made:
        made.task_type("work", grants=["desk/send", "desk/post"])
        task = made.open(task="work", intent="Post it")
        assert outcome_of("desk", task, "post", text="x") == "permit"
        assert outcome_of("desk", task, "send", to="bo@team.example", text="x") == "permit"
        assert outcome_of("desk", task, "send", to="x@guests.example", text="x") == "deny"
