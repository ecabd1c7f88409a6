# SPDX-License-Identifier: Apache-2.0
"""The forms of all clients whose hooks remit knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from remit.core.coding.calls import CLAUDE_CODE, GEMINI
from remit.core.hooks import claude_code, codex, copilot, cursor, gemini
from remit.core.hooks.event import HookEvent
from remit.core.hooks.form import HookForm


def _read(told: dict[str, Any], name: str) -> HookEvent:
    """Return an event of Claude Code, which names itself."""
    return claude_code.read(told)


_CLAUDE_CODE: Final = HookForm(
    client=CLAUDE_CODE,
    title="Claude Code",
    version=claude_code.KNOWN_VERSION,
    kinds=claude_code.KINDS,
    read=_read,
    written=claude_code.written,
    asks=True,
    allows=True,
    by_command=False,
)
FORMS: Final[Mapping[str, HookForm]] = {
    one.client: one for one in (_CLAUDE_CODE, codex.FORM, copilot.FORM, cursor.FORM, gemini.FORM)
}
#: Other names of clients.
ALIASES: Final = {"gemini": GEMINI, "claude": CLAUDE_CODE}


def unsupported(client: str, mode: str, permits: str) -> tuple[str, str]:
    """Return why a client cannot be guarded that way, and what would help; empty where it can."""
    form = FORMS[client]
    if mode == "ask" and not form.asks:
        return (
            f"{form.title} cannot put a call to its person from a hook",
            "use the mode `enforce` (a refusal says what would help) or `observe`",
        )
    if permits == "allow" and not form.allows:
        return f"{form.title} takes no permit from a hook in place of its own rules", "leave it `silent`"
    return "", ""


def softest_mode(client: str) -> str:
    """Return the softest mode in which a refusal still has an effect."""
    return "ask" if FORMS[client].asks else "enforce"
