# SPDX-License-Identifier: Apache-2.0
"""The Cedar behind proofs and the Cedar that decides calls are two builds of one language: they agree."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import cedarpy
import pytest

from remit.adapters.policy.cedar.rule import parse
from remit.adapters.policy.cedar.rule_groups import extension
from remit.adapters.policy.cedar.schema import schema_of_one
from remit.adapters.policy.facts import Facts, context_shape, parameters
from remit.adapters.policy.types import TypeMismatch
from remit.core.label import Classes
from tests.samples.decision_requests import changed, changes
from tests.samples.policy_requests import SUMMARISE, guardrails
from tests.servers import cedar_program

#: Requests of the decision vectors; each starts a program.
COUNT = 150
TYPES = [SUMMARISE]


@pytest.mark.slow
def test_both_decide_the_decision_vectors_alike_by_the_same_rules(tmp_path: Path) -> None:
    """The shipped guardrails, on requests over their facts."""
    program = cedar_program.installed()
    rules, _ = parse(guardrails())
    policies = {rule.ref.id: rule.policy for rule in rules}
    text = json.dumps({"templates": {}, "staticPolicies": policies, "templateLinks": []})
    (tmp_path / "policies").write_text(text, encoding="utf-8")
    facts = Facts(Classes(), TYPES, 65_536)
    agreed = 0
    for change in changes(COUNT):
        request = changed(change)
        tool, agent = request.tool, request.agent
        shape = context_shape(tool, parameters(TYPES))
        try:
            context, resource = facts.context(shape, request, extension), facts.tool(tool)
        except TypeMismatch:
            continue  # remit refuses it before any engine is asked
        uids = {"Agent": agent.name, "Action": tool.id, "Tool": tool.id, "Upstream": tool.upstream}
        uid = {kind: {"type": kind, "id": name} for kind, name in uids.items()}
        groups = [{"type": "Group", "id": name} for name in agent.groups]
        entities = [
            {"uid": uid["Agent"], "attrs": facts.agent(agent), "parents": groups},
            *({"uid": one, "attrs": {}, "parents": []} for one in groups),
            {"uid": uid["Tool"], "attrs": resource, "parents": [uid["Upstream"]]},
            {"uid": uid["Upstream"], "attrs": {}, "parents": []},
        ]
        schema = schema_of_one(
            tool, shape, {name for rule in rules for kind, name in rule.uids if kind == "Action"}
        )
        asked = {
            "principal": uid["Agent"],
            "action": uid["Action"],
            "resource": uid["Tool"],
            "context": context,
        }
        here = cedarpy.is_authorized(asked, cedarpy.PolicySet.from_json_str(text), entities, schema)
        for name, value in (("entities", json.dumps(entities)), ("schema", schema)):
            (tmp_path / name).write_text(value, encoding="utf-8")
        told = {
            kind: f"{asked[kind]['type']}::{json.dumps(asked[kind]['id'])}"
            for kind in ("principal", "action", "resource")
        }
        (tmp_path / "request").write_text(json.dumps({**told, "context": context}), encoding="utf-8")
        command = [program, "authorize", "-v", "--policy-format", "json"]
        for option, name in (
            ("--policies", "policies"),
            ("--schema", "schema"),
            ("--entities", "entities"),
            ("--request-json", "request"),
        ):
            command += [option, str(tmp_path / name)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        lines = done.stdout.split()
        assert lines[0] == {"Allow": "ALLOW", "Deny": "DENY"}[here.decision.value], (
            change,
            done.stdout,
            done.stderr,
        )
        spoke = {word for word in lines if word in policies}
        assert spoke == set(here.diagnostics.reasons), (change, done.stdout)
        agreed += 1
    assert agreed > COUNT // 2
