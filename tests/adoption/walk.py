# SPDX-License-Identifier: Apache-2.0
"""The walk: from an empty home to enforced rules, as the README says it, and what work and attacks meet then.

1. observe: `wrap`, the client starts remit and all servers, and a first half of ordinary sessions is recorded
2. suggest and enforce: with what the person knows of the servers, and nothing else edited but the mode
3. a held-out half of ordinary sessions, on new values, is made under enforcement; each question is counted,
   and answered with yes
4. injected texts are planted, and a wholly deceived assistant calls what they want
5. memory is measured beside one client, and sessions that read the web and then write are counted apart
"""

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from tests.adoption import attacks
from tests.adoption.attacks import Attack
from tests.adoption.newcomer import Newcomer, Session
from tests.adoption.project import CANARY, Project, Web
from tests.adoption.work import Assistant, Call
from tests.clients.relay_processes import pss_mb, relays, shims

Json = Any
#: Sessions of each half; one of them reads manuals on the web.
SESSIONS = 6
OWN = ("files", "git", "memory")
#: The project is public, outsiders write the web alone, and only the person's programs read what is stored.
FACTS = (
    *(
        word
        for name in ("files", "git", "memory")
        for word in ("--trusted", name, "--audience", f"{name}=internal")
    ),
    *(word for name in ("files", "git", "memory", "fetch") for word in ("--data-class", f"{name}=public")),
)
_MODE = re.compile(r"^(\s+mode: )observe\b", re.MULTILINE)


class Work(msgspec.Struct):
    """How many ordinary calls there were, and what remit said of them, by tool."""

    calls: int = 0
    refused: Counter[str] = msgspec.field(default_factory=Counter)
    asked: Counter[str] = msgspec.field(default_factory=Counter)
    failed: Counter[str] = msgspec.field(default_factory=Counter)

    def count(self, call: Call, status: str, *, asked: bool = False) -> None:
        """Count one call by how it ended, and the question before it."""
        self.calls += 1
        name = f"{call.server}/{call.tool}"
        if asked:
            self.asked[name] += 1
        if status != "ok":
            (self.failed if status == "failed" else self.refused)[name] += 1

    @property
    def per_100(self) -> float:
        """The questions for each hundred calls."""
        return 100 * self.asked.total() / self.calls if self.calls else 0.0


class Tried(NamedTuple):
    """One attack: where it came from, what it was after, and what came of it."""

    source: str
    aim: str
    tool: str
    status: str
    through: bool


class Walked(msgspec.Struct):
    """Everything that the walk counted."""

    observed_s: float = 0.0
    to_observed: list[str] = []
    to_seen: list[str] = []
    to_enforced: list[str] = []
    edits: int = 0
    learnt: Work = msgspec.field(default_factory=Work)
    held_out: Work = msgspec.field(default_factory=Work)
    read_first: Work = msgspec.field(default_factory=Work)
    attacks: list[Tried] = []
    inside_vouched: list[Tried] = []
    shared_mb: float = 0.0
    apart_mb: float = 0.0


def walk(folder: Path, tell: Callable[[str], None], *, sessions: int = SESSIONS) -> Walked:
    """Take the walk in an empty folder; raises `NotInstalled` where the servers cannot be had."""
    made = Walked()
    with Web() as web:
        project = Project(folder, web)
        project.write_client_file()
        _warm_up(project)
        newcomer = Newcomer(project)
        assistant = Assistant(project, 1)
        try:
            tell("observe")
            _observe(newcomer, assistant, made, sessions)
            tell("suggest, enforce")
            _enforce(newcomer, made)
            tell("ordinary work of the held-out half")
            _work(newcomer, assistant, made.held_out, sessions)
            tell("planted attacks")
            _attack(newcomer, web, made)
            tell("memory, and sessions that read the web first")
            _measure_memory(newcomer, made)
            for _ in range(2):
                _one(newcomer, assistant.reading_first(), made.read_first)
        finally:
            newcomer.stop()
    return made


def _warm_up(project: Project) -> None:
    """Start each server once without remit: `fetch` installs a reader of pages when it is first used."""
    with Session(Newcomer(project)) as bare:
        bare.call(Call("fetch", "fetch", {"url": "http://warm.example/up"}))


def _observe(newcomer: Newcomer, assistant: Assistant, made: Walked, sessions: int) -> None:
    began = time.monotonic()
    newcomer.types("wrap", ".mcp.json")
    with Session(newcomer) as session:
        seen = [name for name, tools in session.tools.items() if tools]
        made.observed_s = time.monotonic() - began
        assert len(seen) == len(session.tools)
        made.to_observed = list(newcomer.typed)
        newcomer.sign_in()
        for call in assistant.working():
            made.learnt.count(call, session.call(call)[0])
    newcomer.types("audit", "summary")
    made.to_seen = newcomer.typed[len(made.to_observed) :]
    _work(newcomer, assistant, made.learnt, sessions - 1)


def _work(newcomer: Newcomer, assistant: Assistant, counted: Work, sessions: int) -> None:
    for number in range(sessions):
        last = number == sessions - 1
        _one(newcomer, assistant.reading() if last else assistant.working(), counted)


def _one(newcomer: Newcomer, calls: Iterable[Call], counted: Work) -> None:
    with Session(newcomer) as session:
        for call in calls:
            status, _, asked = session.insist(call)
            counted.count(call, status, asked=asked)


def _enforce(newcomer: Newcomer, made: Walked) -> None:
    before = len(newcomer.typed)
    newcomer.types("suggest")
    # A person says yes at the terminal; a script names what it has seen.
    reviewed = newcomer.json("suggest", *FACTS)["digest"]
    newcomer.types("suggest", *FACTS, "--apply", "--confirm", reviewed)
    config = newcomer.project.home / ".config" / "remit" / "remit.yaml"
    text, made.edits = _MODE.subn(r"\1enforce", config.read_text())
    config.write_text(text)
    newcomer.types("reload")
    made.to_enforced = newcomer.typed[before:]


def _attack(newcomer: Newcomer, web: Web, made: Walked) -> None:
    project = newcomer.project
    web.pages[attacks.PAGE] = attacks.SAID
    attacks.planted(project)
    for source in ("the model alone", "a file", "a web page"):
        aims = [*attacks.beyond(project)]
        if source == "a web page":
            aims += attacks.within(project)
        made.attacks += _tried(newcomer, source, aims)
    made.inside_vouched = _tried(newcomer, "a file", [*attacks.within(project)])


def _tried(newcomer: Newcomer, source: str, aims: Iterable[Attack]) -> list[Tried]:
    found = []
    with Session(newcomer) as session:
        for call in attacks.bait(newcomer.project, source):
            status, text, _ = session.insist(call)
            assert attacks.SAID[:30] in text, (source, status, text)
        for aim, call in aims:
            before = newcomer.project.state()
            status, text = session.call(call)
            changed = newcomer.project.state() != before
            stopped = status not in ("ok", "failed")
            through = changed or CANARY in text or not stopped
            found.append(Tried(source, aim, f"{call.server}/{call.tool}", status, through))
    return found


def _measure_memory(newcomer: Newcomer, made: Walked) -> None:
    """Measure one session of four servers, and, for comparison, a relay for each server."""
    with Session(newcomer) as session:
        made.shared_mb = pss_mb([*shims(session.pid), *relays(session.pid)])
    with ExitStack() as stack:
        apart = [stack.enter_context(Session(newcomer, name)) for name in session.tools]
        made.apart_mb = pss_mb([pid for one in apart for pid in relays(one.pid)])
