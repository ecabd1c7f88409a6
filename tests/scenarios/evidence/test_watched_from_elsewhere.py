# SPDX-License-Identifier: Apache-2.0
"""A person who trusts no operator verifies and watches a running remit, with a witness that is not ours."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from remit.core.evidence.checkpoint import VerifierKey
from tests.gateways.remit_up import Remit, furnished
from tests.servers.witness_program import NoWitness, OmniWitness

pytestmark = pytest.mark.slow


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    last = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < last
        time.sleep(0.2)


def test_evidence_verifies_by_the_policy_alone_and_a_rollback_is_an_alarm(tmp_path: Path) -> None:
    """The log grows, and the monitor follows; the operator restores an old state, and it exits with 4."""
    try:
        witness = OmniWitness(tmp_path / "witness", "witness.example/w1")
    except NoWitness as reason:
        pytest.skip(str(reason))
    told = {"public": True, "every": "1s", "witnesses": {"w1": {"key": str(witness.key), "url": witness.url}}}
    more = f"\ntrust: {{plain_loopback: true}}\nevidence: {json.dumps(told)}\n"
    env = {"XDG_STATE_HOME": str(tmp_path / "elsewhere")}
    with furnished(tmp_path, more=more, env=env) as remit:
        file, policy = tmp_path / "all.jsonl", tmp_path / "trust.policy"
        log = remit.ask("audit", "export", str(file))["verifier"]
        policy.write_text(f"log {log}\nwitness w1 {witness.key}\nquorum w1\n")
        unwitnessed = remit("audit", "verify", str(file), "--policy", str(policy), "--json")
        assert unwitnessed.code == 4
        assert "quorum-missing" in {fault["code"] for fault in unwitnessed.json["faults"]}
        with witness.serving(VerifierKey.parse(log)):
            watched = ("audit", "watch", "--policy", str(policy), "--once", "--json")
            until(lambda: remit(*watched).code == 0)
            remit.ask("audit", "export", str(file))
            verified = remit("audit", "verify", str(file), "--policy", str(policy), "--json")
            assert verified.code == 0, verified.out
            assert [one["witness"] for one in verified.json["witnessed"]] == ["witness.example/w1"]
            receipt = tmp_path / "one.tlog-proof"
            assert remit("audit", "prove", "3", "--out", str(receipt)).code == 0
            assert remit("audit", "verify", str(receipt), "--policy", str(policy)).code == 0
            restore_an_old_state(remit, watched)
            files = (tmp_path / "elsewhere" / "remit" / "watch").glob("*.alarm")
            alarms = {kept["code"]: kept for kept in (json.loads(file.read_text()) for file in files)}
            kept = alarms["rolled-back"]
            assert kept["seen"].startswith("remit/")
            assert kept["told"].startswith("remit/")


def restore_an_old_state(remit: Remit, watched: tuple[str, ...]) -> None:
    """Roll everything back that the operator has: store, head and keys."""
    port, state = remit.port, remit.folder / ".remit"
    assert remit.stop() == 0
    shutil.copytree(state, remit.folder / "old", symlinks=True)
    remit.start(port=port)
    seen = remit.ask("audit", "log")["size"]
    until(lambda: remit(*watched).code == 0 and remit(*watched).json["size"] >= seen)
    assert remit.stop() == 0
    shutil.rmtree(state)
    (remit.folder / "old").rename(state)
    remit.start(port=port)
    alarm = remit(*watched)
    assert alarm.code == 4, alarm.out + alarm.err
    assert alarm.json["code"] == "rolled-back"
