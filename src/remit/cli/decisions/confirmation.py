# SPDX-License-Identifier: Apache-2.0
"""Proof that a person is present: a question on a terminal, or a digest that shows what the person read."""

from __future__ import annotations

import sys

from rich.text import Text

from remit.cli.exit_codes import UsageFault
from remit.cli.output import terminal
from remit.core.errors import Conflict


def confirmed(question: str, digest: str, given: str) -> bool:
    """Ask on the terminal and return the answer; without a terminal `given` must be the digest of what was
    shown.

    INVARIANT: a script can answer only by naming the exact thing that it answers. A piped `yes` is not proof
    of a person.
    """
    if given:
        if given != digest:
            raise Conflict(
                "the digest does not match what is shown now",
                code="digest-mismatch",
                remediation="review it again",
            )
        return True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageFault(
            "no terminal: cannot prompt",
            remediation=f"answer on a terminal, or review it and give `--confirm {digest}`",
        )
    terminal.err().print(Text.assemble("\n", (question, "bold"), " [y/N] "), end="")
    return sys.stdin.readline().strip().lower() in ("y", "yes")
