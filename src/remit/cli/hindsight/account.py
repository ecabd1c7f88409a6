# SPDX-License-Identifier: Apache-2.0
"""The account of a replay: what was done, what remit would have decided, and the secrets seen on the way.

Everything in it comes from transcripts, which are untrusted text. Counters are bounded, and a secret is kept
by kind and fingerprint alone: names and texts are kept without what looks like one.
"""

from __future__ import annotations

from collections import Counter
from typing import Final
from urllib.parse import urlsplit

import msgspec

from remit.core.coding.calls import CodingCall
from remit.core.coding.paths import CodingPathKind, kind_of, relative
from remit.core.credentials.known_secrets import FoundSecret, known_secrets, without_secrets
from remit.core.decisions.decision import Decision, Outcome
from remit.core.json_value import Json
from remit.core.transcripts.turns import CallAnswer, ResultTurn

MAX_NAMES: Final = 20_000
"""Distinct names that one counter keeps; later ones count as `(more)`."""
MAX_STOPPED: Final = 500
MAX_SECRETS: Final = 2_000
MAX_SHOWN: Final = 160
MAX_NAME: Final = 1_000
MORE: Final = "(more)"


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a transcript with remit's decision. `made` is None for a tool of an MCP server."""

    client: str
    session: str
    name: str
    tool: str
    arguments: dict[str, Json]
    made: CodingCall | None
    decision: Decision
    workspace: str

    @property
    def summary(self) -> str:
        """The call on one line."""
        made = self.made
        if made is not None and made.command is not None:
            said = str(self.arguments.get("command", ""))
        elif made is not None and (made.to or made.paths):
            said = " ".join(made.to or [relative(one, self.workspace) for one in made.paths])
        else:
            said = " ".join(str(one) for one in self.arguments.values() if isinstance(one, str | int))
        line = without_secrets(" ".join(said.split()))
        return line if len(line) <= MAX_SHOWN else line[: MAX_SHOWN - 1] + "…"


class Stopped(msgspec.Struct, frozen=True, kw_only=True):
    """A call that remit would have refused, and why."""

    client: str
    session: str
    name: str
    tool: str
    call: str
    rule: str
    why: str
    source: str
    remediation: str
    rejected: bool = False


class SeenSecret(msgspec.Struct):
    """A secret by kind and fingerprint: how often it was seen, and where first."""

    found: FoundSecret
    where: str
    session: str
    times: int = 0


class ToolUse(msgspec.Struct):
    """How a tool was used by the calls that were neither stopped nor rejected: the evidence for a grant."""

    calls: int = 0
    programs: Counter[str] = msgspec.field(default_factory=Counter)
    hosts: Counter[str] = msgspec.field(default_factory=Counter)
    roots: Counter[str] = msgspec.field(default_factory=Counter)
    packages: Counter[str] = msgspec.field(default_factory=Counter)


class Account(msgspec.Struct):
    """Everything that a replay found."""

    files: int = 0
    unreadable_files: int = 0
    size_bytes: int = 0
    lines: int = 0
    unreadable: int = 0
    repeated: int = 0
    cut: int = 0
    stray_results: int = 0
    unfinished: int = 0
    subagents: int = 0
    sessions: Counter[str] = msgspec.field(default_factory=Counter)
    words: Counter[str] = msgspec.field(default_factory=Counter)
    calls: int = 0
    unparsed: int = 0
    tools: Counter[str] = msgspec.field(default_factory=Counter)
    programs: Counter[str] = msgspec.field(default_factory=Counter)
    hosts: Counter[str] = msgspec.field(default_factory=Counter)
    secret_files: Counter[str] = msgspec.field(default_factory=Counter)
    outside: Counter[str] = msgspec.field(default_factory=Counter)
    servers: Counter[str] = msgspec.field(default_factory=Counter)
    permitted: int = 0
    questions: Counter[str] = msgspec.field(default_factory=Counter)
    rules: Counter[str] = msgspec.field(default_factory=Counter)
    stopped_calls: int = 0
    stopped_sessions: set[int] = msgspec.field(default_factory=set)
    stopped: list[Stopped] = msgspec.field(default_factory=list)
    secrets: dict[str, SeenSecret] = msgspec.field(default_factory=dict)
    uses: dict[str, ToolUse] = msgspec.field(default_factory=dict)

    def called(self, call: Decided) -> None:
        """Add a call and its decision."""
        self.calls += 1
        self._tally(self.tools, f"{call.client}/{call.name}", 160)
        made = call.made
        if made is None:
            self._tally(self.servers, call.tool.partition("/")[0])
        elif made.command is not None:
            self.unparsed += not made.command.parsed
            for program in made.command.programs:
                self._tally(self.programs, program, 80)
        for host in _hosts(made):
            self._tally(self.hosts, host)
        for path in made.paths if made is not None else ():
            kind = kind_of(path, call.workspace)
            if kind is CodingPathKind.SECRET:
                self._tally(self.secret_files, relative(path, call.workspace), 200)
            elif kind is CodingPathKind.OUTSIDE:
                self._tally(self.outside, relative(path, call.workspace), 200)
        for name, value in call.arguments.items():
            if isinstance(value, str):
                self.secrets_in(value, call.session, f"{call.name} `{name}`")
        if made is not None and made.text and "content" not in call.arguments:
            self.secrets_in(made.text, call.session, f"a file that {call.name} wrote")
        outcome = call.decision.outcome
        if outcome is Outcome.DENY:
            self._stop(call)
        elif outcome is Outcome.DEFER:
            self._tally(self.questions, _rule(call))
        else:
            self.permitted += 1

    def answered(self, call: Decided, turn: ResultTurn) -> None:
        """Add what came back for a call."""
        self.secrets_in(turn.text, call.session, f"a result of {call.name}")
        if turn.answer is CallAnswer.DONE and call.decision.outcome is not Outcome.DENY:
            self._use(call)

    def secrets_in(self, text: str, session: str, where: str) -> None:
        """Add the secrets of a text."""
        for found in known_secrets(text):
            seen = self.secrets.get(found.fingerprint)
            if seen is None:
                if len(self.secrets) >= MAX_SECRETS:
                    continue
                seen = SeenSecret(found, without_secrets(where), without_secrets(session))
                self.secrets[found.fingerprint] = seen
            seen.times += 1

    def _tally(self, counter: Counter[str], name: str, longest: int = MAX_NAME) -> None:
        name = without_secrets(name)[:longest]
        counter[name if name in counter or len(counter) < MAX_NAMES else MORE] += 1

    def _stop(self, call: Decided) -> None:
        self.stopped_calls += 1
        self._tally(self.rules, _rule(call))
        self.stopped_sessions.add(hash((call.client, call.session)))
        if len(self.stopped) >= MAX_STOPPED:
            return
        reasons = call.decision.reasons
        first = reasons[0] if reasons else None
        source = next((one.text for one in reasons if one.code == "flow" and one is not first), "")
        self.stopped.append(
            Stopped(
                client=call.client,
                session=without_secrets(call.session),
                name=without_secrets(call.name),
                tool=without_secrets(call.tool),
                call=call.summary,
                rule=_rule(call),
                why=without_secrets(first.text) if first else "",
                source=without_secrets(source),
                remediation=without_secrets(first.remediation) if first else "",
            )
        )

    def _use(self, call: Decided) -> None:
        use = self.uses.setdefault(call.tool, ToolUse())
        use.calls += 1
        made = call.made
        if made is None:
            return
        if made.command is not None:
            for program in made.command.programs:
                self._tally(use.programs, program)
        for host in _hosts(made):
            self._tally(use.hosts, host)
        if made.command is None:
            for path in made.paths:
                self._tally(use.roots, _root(path, call.workspace))


def _rule(call: Decided) -> str:
    reasons = call.decision.reasons
    return reasons[0].rule or reasons[0].code if reasons else "grant"


def _hosts(made: CodingCall | None) -> list[str]:
    if made is None:
        return []
    return list(dict.fromkeys(host_of(one) for one in made.to))


def host_of(target: str) -> str:
    """Return the host of a URL; another target as it is."""
    if "://" not in target:
        return target[:255]
    try:
        return (urlsplit(target).hostname or "")[:255] or "(unreadable)"
    except ValueError:
        return "(unreadable)"


def _root(path: str, workspace: str) -> str:
    """Return the folder that a grant for this path would name: `.` for the workspace."""
    below = relative(path, workspace)
    if not below.startswith(("/", "~")):
        return "."
    return "/".join(path.split("/")[:3]) if below.startswith("/") else below.rpartition("/")[0] or below
