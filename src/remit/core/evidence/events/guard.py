# SPDX-License-Identifier: Apache-2.0
"""Events of coding assistants under guard."""

from __future__ import annotations

from typing import Annotated, Literal

from remit.core.evidence.event import EventBody, EventKind

GuardHolding = Literal["enforced", "not-enforced", "observed"]


class GuardReported(EventBody, kw_only=True):
    """A session of a coding assistant began, changed or ended under the guard of its hooks."""

    KIND = EventKind.GUARD_REPORTED
    client: Annotated[str, "the client"]
    state: Annotated[Literal["start", "change", "end"], "what happened to the session"]
    mode: Annotated[str, "what a refusal does: `observe`, `ask` or `enforce`"]
    holding: Annotated[
        GuardHolding,
        "whether a refused call does not happen: `enforced` by hooks that only an administrator changes, "
        "`not-enforced` where the person is asked or the user's own settings hold the hooks, or `observed`",
    ]
    hooks: Annotated[int, "events that the session's hooks have reported so far"]
    answers: Annotated[dict[str, int], "the answers to them, by kind"] = {}
    why: Annotated[str, "why it changed or ended"] = ""
