# SPDX-License-Identifier: Apache-2.0
"""The story's bundle, before its first use: what could come together, and what prevents it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from remit.compose import policy_engine
from remit.config import load_bundle, load_config
from remit.core.policy.bundle import Bundle
from remit.core.policy.reach import GRANT, Openness, PathKind, ReachSurvey, StepKind
from remit.core.policy.reach.remediation import RepairKind, remedies
from remit.services.policy.reach import survey
from tests.samples.reach import POLICIES, mended

STORY = Path(__file__).parents[3] / "examples/story/bundle"
UPSTREAMS = ("contracts", "deploy", "git", "mail", "register", "tickets")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the story's bundle in its own folder, with the default guardrails."""
    shutil.copytree(STORY, tmp_path / "bundle")
    shutil.copytree(POLICIES, tmp_path / "bundle/policies")
    upstreams = {name: {"url": f"https://{name}.example.com/mcp"} for name in UPSTREAMS}
    config = {
        "upstreams": upstreams,
        "groups": {"legal": ["lena"]},
        # As in the demo: lawyers mail contracts to the other side every day.
        "classes": {
            "clearance": {"self": "restricted", "internal": "confidential", "external": "confidential"}
        },
    }
    (tmp_path / "bundle/remit.yaml").write_text(json.dumps(config))
    return tmp_path / "bundle"


def surveyed(folder: Path) -> tuple[Bundle, ReachSurvey]:
    """Read a folder and look at it."""
    config = load_config(folder)
    bundle = load_bundle(config)
    return bundle, survey(bundle, policy_engine(config), config.groups)


def test_both_bots_have_the_toxic_combination_and_a_human_is_asked(folder: Path) -> None:
    """Both read what others wrote and can send mail anywhere; only the question where to is left."""
    _, found = surveyed(folder)
    assert [one.runner.name for one in found.toxic] == ["summarise-contract", "triage-tickets"]
    for one in found.toxic:
        (path,) = one.paths
        assert path.outlet.tool.id == "mail/send"
        assert path.guard.openness is Openness.ASKED
        assert path.guard.rules == ("flow/ask-destination",)


def test_the_chain_across_both_agents_is_seen(folder: Path) -> None:
    """A contract's text reaches the second agent by the shared ticket, before any agent has run."""
    _, found = surveyed(folder)
    triage = found.toxic[1]
    (arrived,) = [one for one in triage.private if not one.direct]
    assert arrived.source.name == "contracts/read"
    assert arrived.label.data_class == "confidential"
    assert [step.name for step in arrived.route if step.kind in (StepKind.TASK, StepKind.STORE)] == [
        "summarise-contract",
        "ticket/ of tickets",
        "triage-tickets",
    ]
    (handover,) = found.handovers
    assert ("summarise-contract", "contract-bot") in handover.writers
    assert handover.readers == (("triage-tickets", "ticket-bot"),)


def test_the_proposed_change_closes_each_path(folder: Path) -> None:
    """To keep the mail's address to known places is enough, and nothing else of the story gets narrower."""
    bundle, found = surveyed(folder)
    before = {key for path in found.paths if path.kind is not PathKind.TOXIC for key in path.keys}
    for one in found.toxic:
        best = remedies(found, one)[0]
        assert [(repair.kind, repair.tool) for repair in best.repairs] == [(RepairKind.PIN, "mail/send")]
        for repair in best.repairs:
            bundle = mended(bundle, repair)
    again = survey(bundle, policy_engine(load_config(folder)), {})
    assert {path.guard.openness for path in again.paths if path.kind is PathKind.TOXIC} == {Openness.REFUSED}
    assert {GRANT} <= {rule for path in again.paths for rule in path.guard.rules}
    assert before == {key for path in again.paths if path.kind is not PathKind.TOXIC for key in path.keys}


def test_clearance_alone_refuses_what_is_confidential(folder: Path) -> None:
    """Where outsiders may learn nothing, no path is left that a human could be asked about."""
    config = json.loads((folder / "remit.yaml").read_text())
    del config["classes"]
    (folder / "remit.yaml").write_text(json.dumps(config))
    _, found = surveyed(folder)
    assert {path.guard.openness for path in found.paths} == {Openness.REFUSED}
    assert all("data/clearance" in path.guard.rules for path in found.paths)
