# SPDX-License-Identifier: Apache-2.0
"""That a human is there: a question on a terminal, or proof that somebody looked at exactly this."""

from __future__ import annotations

import sys

from rich.text import Text

from remit.cli.exit_codes import UsageFault
from remit.cli.output import terminal
from remit.core.errors import Conflict


def looked(question: str, digest: str, given: str, *, option: str) -> bool:
    """Ask on the terminal and give the answer; elsewhere `given` must be the digest of what was shown.

    INVARIANT: no script answers without naming the very thing that it answers. A `yes` in a pipe is no human.
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
            remediation=f"answer on a terminal, or review it and give `{option} {digest}`",
        )
    terminal.err().print(Text.assemble("\n", (question, "bold"), " [y/N] "), end="")
    return sys.stdin.readline().strip().lower() in ("y", "yes")
