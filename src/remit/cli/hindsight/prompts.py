# SPDX-License-Identifier: Apache-2.0
"""How often the clients asked their person, as far as transcripts and settings show. Nothing is invented.

Certain are refusals by the person, which the transcript holds, and Codex's requests to leave its sandbox.
For Claude Code the rest is derived from the mode of each turn and the rules of today: at least one question
for each kind of call, at most one for each call. For everything else the number is unknown, and counted so.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

import msgspec

from remit.cli.hindsight.account import Decided
from remit.core.coding.calls import CLAUDE_CODE, CODEX
from remit.core.coding.claude_permissions import Asks, PermissionRules, asks
from remit.core.transcripts.turns import CallAnswer, CallTurn, ResultTurn

MAX_KINDS: Final = 200_000


class Prompts(msgspec.Struct):
    """The questions of the clients, counted. `rules` are by project; "" has those of the user."""

    rules: dict[str, PermissionRules] = {}
    rejected: int = 0
    refused: int = 0
    least: int = 0
    most: int = 0
    unknown: int = 0
    modes: dict[str, int] = {}
    _kinds: set[int] = set()

    def rules_of(self, workspace: str) -> PermissionRules:
        """Return the rules of the user and of a project."""
        user = self.rules.get("", PermissionRules())
        project = self.rules.get(workspace)
        return user if project is None else user.joined(project)

    def called(self, decided: Decided, mode: str, turn: CallTurn) -> None:
        """Count the question that a call needed."""
        self.modes[mode or "unknown"] = self.modes.get(mode or "unknown", 0) + 1
        answer = Asks.UNKNOWN
        if decided.client == CLAUDE_CODE:
            rules = self.rules_of(decided.workspace)
            answer = asks(turn.name, decided.made, rules, mode, decided.workspace)
        elif decided.client == CODEX and mode in ("never", "on-request"):
            answer = Asks.YES if turn.escalated and mode == "on-request" else Asks.NO
        if answer is Asks.UNKNOWN:
            self.unknown += 1
        elif answer is Asks.YES:
            self.most += 1
            kind = hash((decided.session, turn.name, _kind(decided)))
            if decided.client == CODEX or (kind not in self._kinds and len(self._kinds) < MAX_KINDS):
                self._kinds.add(kind)
                self.least += 1

    def answered(self, decided: Decided, turn: ResultTurn) -> None:
        """Count a refusal by the person, or by the client's own rules."""
        self.rejected += turn.answer is CallAnswer.REJECTED
        self.refused += turn.answer is CallAnswer.REFUSED


def _kind(decided: Decided) -> tuple[str, ...]:
    """Return what an answer "always" would have covered."""
    made = decided.made
    if made is None:
        return ()
    if made.command is not None:
        return made.command.programs
    return tuple(urlsplit(one).hostname or one for one in made.to)
