# SPDX-License-Identifier: Apache-2.0
"""The verifier of the reference of evidence, which uses nothing of remit."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

PLACE = Path(__file__).resolve().parents[2] / "docs/reference/evidence/verify_evidence.py"


def independent_verifier() -> Any:
    """Return it as a module."""
    assert "remit." not in PLACE.read_text(encoding="utf-8")
    spec = importlib.util.spec_from_file_location("verify_evidence", PLACE)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made
