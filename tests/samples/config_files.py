# SPDX-License-Identifier: Apache-2.0
"""`remit.yaml` from a text: what it means, or what is wrong with it."""

from __future__ import annotations

from pathlib import Path

from remit.config import Config, load_config
from remit.config.load import examine_config

UPSTREAM = "upstreams: {notes: {command: [python, notes.py]}}\n"


def config(tmp_path: Path, text: str) -> Config:
    """Load a configuration of this text."""
    (tmp_path / "remit.yaml").write_text(text, encoding="utf-8")
    return load_config(tmp_path)


def refusals(tmp_path: Path, text: str) -> list[str]:
    """What is wrong with a configuration of this text, one line each."""
    (tmp_path / "remit.yaml").write_text(text, encoding="utf-8")
    return [str(problem) for problem in examine_config(tmp_path)[1]]
