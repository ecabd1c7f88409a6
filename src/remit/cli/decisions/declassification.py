# SPDX-License-Identifier: Apache-2.0
"""Asking a human whether data is to be declassified: they see what it carries, and by whom."""

from __future__ import annotations

from remit.cli.decisions.confirmation import looked
from remit.cli.exit_codes import UsageFault
from remit.cli.output import terminal
from remit.core.json_value import Json


def said(to_class: str, trusted: bool, without: tuple[str, ...]) -> str:
    """Return in words what is said of data; raises `UsageFault` where that is nothing."""
    words = [f"{to_class}"] if to_class else []
    words += ["trusted"] if trusted else []
    words += [f"without `{one}`" for one in without]
    if not words:
        raise UsageFault(
            "no declassification is given", remediation="give `--to-class`, `--trusted` or `--without`"
        )
    return ", ".join(words)


def lowered(
    question: str,
    digest: str,
    given: str,
    *,
    reason: str,
    to_class: str,
    trusted: bool,
    without: tuple[str, ...],
) -> dict[str, Json] | None:
    """Ask, and give what to send; `None` where nobody agreed."""
    if not looked(question, digest, given, option="--yes-i-looked"):
        terminal.remark("nothing was declassified")
        return None
    return {
        "reason": reason,
        "seen": digest,
        "to_class": to_class,
        "trusted": trusted,
        "without": list(without),
    }
