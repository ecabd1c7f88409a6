# SPDX-License-Identifier: Apache-2.0
"""Asks a person whether to declassify data: shows the data's label and which calls wrote it."""

from __future__ import annotations

from remit.cli.decisions.confirmation import confirmed
from remit.cli.exit_codes import UsageFault
from remit.cli.output import terminal
from remit.core.json_value import Json


def said(to_class: str, trusted: bool, without: tuple[str, ...]) -> str:
    """Return the requested change of the label in words; raises `UsageFault` if there is none."""
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
    """Ask, and return the request to send; `None` if the person did not agree."""
    if not confirmed(question, digest, given):
        terminal.remark("nothing was declassified")
        return None
    return {
        "reason": reason,
        "confirm": digest,
        "to_class": to_class,
        "trusted": trusted,
        "without": list(without),
    }
