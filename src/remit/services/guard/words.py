# SPDX-License-Identifier: Apache-2.0
"""Whose words a client reports. Only a person's words are intent.

A client reports a person's prompts, its own notices, subagents' reports and prompts that the model has
scheduled by the same event. What tells them apart, each of which must agree:

1. the process: words of a client that a governed session has started are never the person's
2. the event: a subagent has no person; a client may name the author (`source`)
3. the transcript's entries of this prompt, which the client writes after the event

What this is worth: the event comes from the client's own process, as the system's table of connections says.
The transcript is a file of the user, which other programs of the user can change; remit looks at all entries
of the prompt, so that an added one does not outweigh the client's own. Where a mark is missing, the origin is
unknown.
"""

from __future__ import annotations

from typing import Final

from remit.core.hooks.event import HookEvent
from remit.core.transcripts.turns import WordsOrigin

#: Words that clients put around what no person typed.
_OF_THE_CLIENT: Final = (
    "<task-notification>",
    "<system-reminder>",
    "<system_notification>",
    "<command-message>",
    "<local-command-",
)
#: The words of a client for authors of a prompt.
AT_TERMINAL: Final = "user"
WITHOUT_TERMINAL: Final = "sdk"


def origin_by_event(event: HookEvent, *, inside: bool, headless: bool) -> WordsOrigin:
    """Return the origin as far as the event shows it.

    `inside`: a governed session has started the client. `headless`: prompts of runs without a terminal count
    as the person's.
    """
    if inside or event.agent or event.text.lstrip().startswith(_OF_THE_CLIENT):
        return WordsOrigin.SYSTEM
    if event.source == AT_TERMINAL:
        return WordsOrigin.HUMAN
    if event.source == WITHOUT_TERMINAL:
        return WordsOrigin.HUMAN if headless else WordsOrigin.UNKNOWN
    return WordsOrigin.SYSTEM if event.source else WordsOrigin.UNKNOWN


def origin_by_marks(marks: list[tuple[str, str]], *, headless: bool) -> WordsOrigin:
    """Return the origin by a transcript's entries of one prompt: kind of origin and source of each."""
    if not marks:
        return WordsOrigin.UNKNOWN
    found = [_origin(kind, source, headless=headless) for kind, source in marks]
    if WordsOrigin.SYSTEM in found:
        return WordsOrigin.SYSTEM
    return WordsOrigin.HUMAN if all(one is WordsOrigin.HUMAN for one in found) else WordsOrigin.UNKNOWN


def _origin(kind: str, source: str, *, headless: bool) -> WordsOrigin:
    if kind not in ("", "human") or source not in ("", "typed", "queued", WITHOUT_TERMINAL):
        return WordsOrigin.SYSTEM
    if source == WITHOUT_TERMINAL:
        return WordsOrigin.HUMAN if headless else WordsOrigin.UNKNOWN
    return WordsOrigin.HUMAN if kind == "human" or source else WordsOrigin.UNKNOWN
