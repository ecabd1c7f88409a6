# SPDX-License-Identifier: Apache-2.0
"""The second reading: each session as a task of a rehearsal, call by call, with the results that came back.

The rehearsal observes: it decides each call and lets it go on, since the calls were made long ago. So each
decision is about what the session had really read by then. A subagent is a task beside its session's, with
the words of the same person.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from remit.cli.hindsight.account import Account, Decided
from remit.cli.hindsight.bundle import TASK_TYPE
from remit.cli.hindsight.prompts import Prompts
from remit.cli.hindsight.survey import Survey, mentions
from remit.cli.hindsight.transcript_files import TranscriptFile, lines
from remit.core.coding.calls import CodingCall, coding_call
from remit.core.coding.mcp_names import mcp_tool
from remit.core.errors import RemitError
from remit.core.json_value import Json
from remit.core.label import Trust
from remit.core.tasks.task import TaskState
from remit.core.transcripts.turns import (
    CallAnswer,
    CallTurn,
    ModeTurn,
    ResultTurn,
    TranscriptReader,
    Turn,
    WordsOrigin,
    WordsTurn,
)
from remit.rehearse.call import RehearsedCall, finish
from remit.rehearse.rehearsal import AGENT, PERSON, Rehearsal
from remit.rehearse.stage import BY
from remit.services.tasks.opening_rules import Opening

MAX_WORDS: Final = 20_000
"""Characters of a person's words that a task takes; a longer message is mostly pasted text."""
MAX_PARENTS: Final = 20_000


class _Chain:
    """One line of work in a session: the session itself, or a subagent."""

    def __init__(self, task: str, workspace: str) -> None:
        self.task = task
        self.workspace = workspace
        self.waiting: dict[str, tuple[RehearsedCall, Decided]] = {}


class Replay:
    """Replays transcripts through one rehearsal, and adds what happened to an account."""

    def __init__(self, rehearsal: Rehearsal, found: Survey, account: Account, prompts: Prompts) -> None:
        """Take the rehearsal, whose task type grants every tool, and what the first reading found."""
        self._r = rehearsal
        self.found = found
        self._account = account
        self._prompts = prompts
        self._seen: set[int] = set()
        self._said: dict[str, list[str]] = {}

    def file(self, file: TranscriptFile) -> None:
        """Replay one transcript."""
        reader = file.reader(self._seen)
        account = self._account
        account.files += 1
        account.size_bytes += file.size_bytes
        try:
            self._r.run(self._session(file, reader))
        except OSError:
            account.unreadable_files += 1
        counts = reader.counts
        account.lines += counts.lines
        account.unreadable += counts.unreadable
        account.repeated += counts.repeated
        account.cut += counts.cut

    def _turns(self, file: TranscriptFile, reader: TranscriptReader) -> Iterator[Turn]:
        for line in lines(file.path):
            if line is None:
                reader.counts.lines += 1
                reader.counts.unreadable += 1
                continue
            yield from reader.read(line)

    async def _session(self, file: TranscriptFile, reader: TranscriptReader) -> None:
        session = _Session(self, file, reader)
        try:
            for turn in self._turns(file, reader):
                await session.take(turn)
        finally:
            await session.end()

    def words_of(self, session: str) -> list[str]:
        """Return what the person said in a session so far."""
        if len(self._said) > MAX_PARENTS:
            self._said.clear()
        return self._said.setdefault(session, [])

    @property
    def rehearsal(self) -> Rehearsal:
        """The rehearsal."""
        return self._r

    @property
    def account(self) -> Account:
        """The account of everything so far."""
        return self._account

    @property
    def prompts(self) -> Prompts:
        """What is known of the clients' own questions."""
        return self._prompts


class _Session:
    """One transcript while it is replayed."""

    def __init__(self, replay: Replay, file: TranscriptFile, reader: TranscriptReader) -> None:
        self._replay, self._file, self._reader = replay, file, reader
        self._chains: dict[str, _Chain] = {}
        self._services = replay.rehearsal.stage.services
        self._own: list[str] = []
        self._words_judged = replay.found.words.get(file.path, set())
        self._modes: dict[str, str] = {}

    async def take(self, turn: Turn) -> None:
        if isinstance(turn, WordsTurn):
            await self._words(turn)
        elif isinstance(turn, ModeTurn):
            self._modes[turn.chain] = turn.mode
        elif isinstance(turn, CallTurn):
            await self._call(turn)
        elif isinstance(turn, ResultTurn):
            await self._result(turn)

    async def _words(self, turn: WordsTurn) -> None:
        account = self._replay.account
        account.words[turn.origin] += 1
        if turn.origin is not WordsOrigin.HUMAN:
            return
        account.secrets_in(turn.text, self._reader.session, "the person's words")
        text = turn.text[:MAX_WORDS]
        said = self._replay.words_of(self._reader.session)
        if sum(map(len, said)) < MAX_WORDS:
            said.append(text)
        self._own.append(text)
        if chain := self._chains.get(turn.chain):
            stage = self._replay.rehearsal.stage
            await self._services.tasks.tasks.add_message(chain.task, text, await stage.person(PERSON))

    async def _chain(self, name: str) -> _Chain:
        found = self._chains.get(name)
        if found is not None:
            return found
        parent = self._reader.parent or self._file.parent
        inherited = self._replay.words_of(parent or self._reader.session) if name or parent else self._own
        goal, *later = inherited or [""]
        stage = self._replay.rehearsal.stage
        opening = Opening(agent=AGENT, task_type=TASK_TYPE, goal=goal, params={}, on_behalf_of=PERSON)
        task = await stage.open_task(opening)
        made = _Chain(task.id, self._reader.workspace)
        self._chains[name] = made
        person = await stage.person(PERSON)
        for text in later:
            await self._services.tasks.tasks.add_message(task.id, text, person)
        account = self._replay.account
        if name or parent:
            account.subagents += 1
        else:
            account.sessions[self._file.client] += 1
        return made

    async def _call(self, turn: CallTurn) -> None:
        chain = await self._chain(turn.chain)
        client = self._file.client
        made, tool, arguments = _as_called(client, turn, self._reader.workspace)
        run = await self._replay.rehearsal.stage.start(chain.task, tool, arguments)
        call = RehearsedCall(chain.task, tool, arguments, run)
        decided = Decided(
            client=client,
            session=self._reader.session,
            name=turn.name,
            tool=tool,
            arguments=arguments,
            made=made,
            decision=call.decision,
            workspace=self._reader.workspace,
        )
        self._replay.account.called(decided)
        mode = self._modes.get(turn.chain, self._modes.get("", ""))
        self._replay.prompts.called(decided, mode, turn)
        if turn.id:
            chain.waiting[turn.id] = call, decided

    async def _result(self, turn: ResultTurn) -> None:
        chain = self._chains.get(turn.chain)
        call, decided = chain.waiting.pop(turn.id, (None, None)) if chain else (None, None)
        account = self._replay.account
        if call is None or decided is None:
            account.stray_results += 1
            return
        account.answered(decided, turn)
        self._replay.prompts.answered(decided, turn)
        if not call.permitted:
            return
        text = turn.text if turn.answer is CallAnswer.DONE else ""
        request = call.request
        if request is not None and request.tool.label.trust is not Trust.UNTRUSTED:
            text = text if mentions(text, self._words_judged) else ""
        try:
            await finish(call.run, text, error=turn.error)
        except RemitError:
            account.unfinished += 1

    async def end(self) -> None:
        for chain in self._chains.values():
            self._replay.account.unfinished += len(chain.waiting)
            await self._services.endings.revocations.end_task(
                chain.task, reason="the transcript ends", by=BY, state=TaskState.COMPLETED
            )
        self._chains.clear()
        # A session begins with its own folder: what another one wrote is not known to be what this one read.
        await self._replay.rehearsal.stage.restore()


def _as_called(client: str, turn: CallTurn, workspace: str) -> tuple[CodingCall | None, str, dict[str, Json]]:
    """Return the call in remit's terms, with the id of its tool and its arguments."""
    found = mcp_tool(turn.name)
    if found is not None:
        given = turn.arguments if isinstance(turn.arguments, dict) else {}
        return None, f"{found.upstream}/{found.name}", given
    made = coding_call(client, turn.name, turn.arguments, cwd=turn.cwd or workspace, workspace=workspace)
    return made, f"{client}/{made.tool}", made.arguments
