# SPDX-License-Identifier: Apache-2.0
"""`remit doctor` tells the remit of this folder from another one that answers at the same address."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from remit.cli.doctor.running_instance import whose_looks
from remit.config import Config, load_config

HERE = "http://127.0.0.1:8700"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Return a configuration whose store is not in use."""
    (tmp_path / ".remit").mkdir()
    (tmp_path / "remit.yaml").write_text("upstreams:\n  notes: {command: [notes]}\n")
    return load_config(tmp_path / "remit.yaml")


def taken_by(config: Config, number: int) -> None:
    """Note who serves the store."""
    config.at(".remit/remit.db.lock").write_text(f"{number}\n")


def test_another_remit_at_the_address_is_told(config: Config) -> None:
    """Nothing has taken this folder's store, so what answers serves another one."""
    (look,) = whose_looks(config, HERE, answers=True)
    assert (look.state, "not the one of this folder" in look.says) == ("note", True)


def test_one_that_has_gone_serves_nothing(config: Config) -> None:
    """The number that stands beside the store is that of a process that is no more."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    taken_by(config, ended.pid)
    assert len(whose_looks(config, HERE, answers=True)) == 1


def test_the_one_that_serves_this_folder_is_not_told(config: Config) -> None:
    """Its process is there."""
    taken_by(config, os.getpid())
    assert whose_looks(config, HERE, answers=True) == []


def test_what_cannot_be_told_is_not_told(config: Config) -> None:
    """Nothing answers, it is on another machine, or what stands beside the store is no number."""
    assert whose_looks(config, HERE, answers=False) == []
    assert whose_looks(config, "https://remit.example.com", answers=True) == []
    config.at(".remit/remit.db.lock").write_text("?")
    assert whose_looks(config, HERE, answers=True) == []
