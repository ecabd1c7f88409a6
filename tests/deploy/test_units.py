# SPDX-License-Identifier: Apache-2.0
"""systemd accepts the unit, finds the exposure that the guide states, and makes user and folders."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT

pytestmark = pytest.mark.slow

UNITS = ROOT / "deploy/systemd"
UNIT = str(UNITS / "remit.service")


def told(*words: str) -> str:
    """Run a program of systemd that must succeed; gives what it prints."""
    if shutil.which(words[0]) is None:
        pytest.skip(f"no `{words[0]}` here")
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_the_unit_has_no_faults(tmp_path: Path) -> None:
    """Every option and every name of a system call is known; only its program is not installed here."""
    unit = tmp_path / "remit.service"
    unit.write_text(Path(UNIT).read_text().replace("/opt/remit/bin/remit", "/bin/true"))
    assert told("systemd-analyze", "verify", str(unit)) == ""


def test_its_exposure_is_what_the_guide_says() -> None:
    """The score of `systemd-analyze security`, in tenths."""
    score = re.search(
        r"Overall exposure level for \S+: ([0-9.]+)",
        told("systemd-analyze", "security", "--offline=true", UNIT),
    )
    guide = re.search(r"gives the unit ([0-9.]+) of 10", (ROOT / "docs/howto/deploy.md").read_text())
    assert score
    assert guide
    assert score[1] == guide[1]


def test_state_belongs_to_remit_alone(tmp_path: Path) -> None:
    """The bundle belongs to root, the state to the service's user, and no one else may enter it."""
    (tmp_path / "etc").mkdir()
    told("systemd-sysusers", f"--root={tmp_path}", str(UNITS / "remit.sysusers"))
    told("systemd-tmpfiles", f"--root={tmp_path}", "--create", str(UNITS / "remit.tmpfiles"))
    (line,) = (tmp_path / "etc/passwd").read_text().splitlines()
    name, _, user, _, _, home, shell = line.split(":")
    assert (name, home, shell) == ("remit", "/srv/remit", "/usr/sbin/nologin")
    bundle, state = (tmp_path / one for one in ("srv/remit", "srv/remit/.remit"))
    assert (bundle.stat().st_uid, bundle.stat().st_mode & 0o777) == (0, 0o755)
    assert (state.stat().st_uid, state.stat().st_mode & 0o777) == (int(user), 0o700)
