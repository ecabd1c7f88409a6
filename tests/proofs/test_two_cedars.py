# SPDX-License-Identifier: Apache-2.0
"""The Cedar behind proofs and the Cedar that decides calls are two builds of one language: they agree."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import cedarpy
import msgspec
import pytest

from remit.adapters.policy.cedar.rule import parse
from remit.adapters.policy.cedar.rule_groups import extension
from remit.adapters.policy.cedar.schema import schema_of_one
from remit.adapters.policy.facts import Facts, context_shape, parameters
from remit.adapters.policy.types import TypeMismatch
from remit.core.decisions.access_request import AccessRequest
from remit.core.label import Classes
from tests.samples.decision_requests import changed, changes
from tests.samples.policy_requests import SUMMARISE, guardrails
from tests.servers import cedar_program

#: Requests of the decision vectors; each starts a program.
COUNT = 150
TYPES = [SUMMARISE]


FACTS = Facts(Classes(), TYPES, 65_536)


class Asked(msgspec.Struct, frozen=True):
    """A request with everything that Cedar needs beside the policies."""

    request: dict[str, Any]
    entities: list[dict[str, Any]]
    schema: str


def asked(request: AccessRequest, actions: set[str]) -> Asked | None:
    """The request in Cedar's form; None for one that remit refuses before an engine is asked."""
    tool, agent = request.tool, request.agent
    shape = context_shape(tool, parameters(TYPES))
    try:
        context, resource = FACTS.context(shape, request, extension), FACTS.tool(tool)
    except TypeMismatch:
        return None
    names = {"Agent": agent.name, "Action": tool.id, "Tool": tool.id, "Upstream": tool.upstream}
    uid = {kind: {"type": kind, "id": name} for kind, name in names.items()}
    groups = [{"type": "Group", "id": name} for name in agent.groups]
    entities: list[dict[str, Any]] = [
        {"uid": uid["Agent"], "attrs": FACTS.agent(agent), "parents": groups},
        *({"uid": one, "attrs": {}, "parents": []} for one in groups),
        {"uid": uid["Tool"], "attrs": resource, "parents": [uid["Upstream"]]},
        {"uid": uid["Upstream"], "attrs": {}, "parents": []},
    ]
    head = {"principal": uid["Agent"], "action": uid["Action"], "resource": uid["Tool"]}
    return Asked({**head, "context": context}, entities, schema_of_one(tool, shape, actions))


def told(program: str, folder: Path, policies: str, one: Asked) -> list[str]:
    """The words that the program prints: the decision, then the rules."""
    written = {
        name: value if name == "context" else f"{value['type']}::{json.dumps(value['id'])}"
        for name, value in one.request.items()
    }
    files = {
        "policies": policies,
        "schema": one.schema,
        "entities": json.dumps(one.entities),
        "request-json": json.dumps(written),
    }
    command = [program, "authorize", "-v", "--policy-format", "json"]
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
        command += [f"--{name}", str(folder / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout, done.stderr
    return done.stdout.split()


@pytest.mark.slow
def test_both_decide_the_decision_vectors_alike_by_the_same_rules(tmp_path: Path) -> None:
    """The shipped guardrails, on requests over their facts."""
    program = cedar_program.installed()
    rules, _ = parse(guardrails())
    policies = {rule.ref.id: rule.policy for rule in rules}
    text = json.dumps({"templates": {}, "staticPolicies": policies, "templateLinks": []})
    actions = {name for rule in rules for kind, name in rule.uids if kind == "Action"}
    compiled, agreed = cedarpy.PolicySet.from_json_str(text), 0
    for change in changes(COUNT):
        one = asked(changed(change), actions)
        if one is None:
            continue
        here = cedarpy.is_authorized(one.request, compiled, one.entities, one.schema)
        decision, *words = told(program, tmp_path, text, one)
        assert decision == here.decision.value.upper(), change
        assert {word for word in words if word in policies} == set(here.diagnostics.reasons), change
        agreed += 1
    assert agreed > COUNT // 2
