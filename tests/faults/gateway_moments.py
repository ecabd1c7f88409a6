# SPDX-License-Identifier: Apache-2.0
"""Breaking a gateway's process at one moment of one call: at each await of steps 5 to 7, and in its commit.

The call says which, in its subject: `... stopped at 2 of record waits`, `... killed at 1 of lease begins`.
Moments are counted by name from the beginning of step 5 to the end of step 7: wherever the call itself waits
for something and goes on, every turn of the event loop meanwhile (then all that the process does waits for
something), and in step 5 every statement to the store. Those of a call that nothing broke are told in a file.
"""

import asyncio
import json
import os
import re
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Generator, Sequence
from pathlib import Path
from typing import Any

from remit.adapters.store.postgres.loop_connection import Done, Heard, LoopConnection, Statement
from remit.adapters.store.postgres.session import PostgresSession
from remit.adapters.store.postgres.store_claim import BEGIN
from remit.services.mediation.call_steps import CallSteps

#: What a call says of where it is to be broken.
_ASKED = re.compile(r" (stopped|killed) at ([0-9]+) of (.+)$")
_SIGNALS = {"stopped": signal.SIGSTOP, "killed": signal.SIGKILL}

Work = Callable[[CallSteps, Any], Awaitable[object]]


class Moments:
    """Counts the moments of a call that asks for it, and breaks the process at the one that it names."""

    def __init__(self, folder: Path) -> None:
        """Tell in `folder` where it was broken (`broken`), or which moments there were (`moments`)."""
        self._folder = folder
        self._how = signal.SIGSTOP
        self._wanted = ("", 0)
        self._met: Counter[str] = Counter()
        self._counts = False
        #: Which step the call is in.
        self.step = ""

    def begin(self, subject: str) -> None:
        """Count from here on, if the subject asks for it."""
        if asked := _ASKED.search(subject):
            self._how, self._wanted = _SIGNALS[asked[1]], (asked[3], int(asked[2]))
            self._met.clear()
            self._counts = True

    def end(self) -> None:
        """Count no more."""
        if self._counts:
            self._counts = False
            (self._folder / "moments").write_text(json.dumps(self._met))

    def here(self, what: str) -> None:
        """Count this moment."""
        if not self._counts:
            return
        self._met[what] += 1
        if self._wanted == (what, self._met[what]):
            self._counts = False
            # A reader of the file may find the process still running for an instant.
            (self._folder / "broken").touch()
            os.kill(os.getpid(), self._how)


class _Watched:
    """An awaitable that counts where it waits and where it goes on."""

    def __init__(self, awaited: Awaitable[object], moments: Moments, step: str) -> None:
        self._awaited = awaited
        self._moments = moments
        self._step = step

    def __await__(self) -> Generator[object, object, object]:
        inner, here = self._awaited.__await__(), self._moments.here
        self._moments.step = self._step
        here(f"{self._step} begins")
        met: BaseException | None = None
        while True:
            try:
                wanted = next(inner) if met is None else inner.throw(met)
            except StopIteration as stop:
                here(f"{self._step} is over")
                return stop.value
            here(f"{self._step} waits")
            try:
                yield wanted
            except BaseException as fault:  # noqa: BLE001 - it is the awaited one's to meet
                met = fault
            else:
                met = None
            here(f"{self._step} goes on")


def _counted(step: str, moments: Moments) -> Work:
    """Return a step's method, with its moments counted."""
    work: Work = getattr(CallSteps, step)

    async def counting(steps: CallSteps, before: Any) -> object:
        if step == "record":
            moments.begin(str(before.request.arguments.get("subject", "")))
        try:
            return await _Watched(work(steps, before), moments, step)
        except BaseException:
            moments.end()
            raise
        finally:
            if step == "forward":
                moments.end()

    return counting


def let_tests_break_calls(loop: asyncio.AbstractEventLoop, folder: Path) -> None:
    """Have the calls of this process counted, and told of in `folder`."""
    moments = Moments(folder)

    for step in ("record", "lease", "forward"):
        setattr(CallSteps, step, _counted(step, moments))
    execute = PostgresSession.execute

    def executed(self: PostgresSession, query: str, values: Any = (), /) -> Any:
        if moments.step == "record":
            moments.here(" ".join(query.split()[:3]))
        return execute(self, query, values)

    PostgresSession.execute = executed  # type: ignore[method-assign]
    send = LoopConnection.send

    def sent(
        self: LoopConnection,
        loop: asyncio.AbstractEventLoop,
        session: PostgresSession,
        statements: Sequence[Statement],
        done: Done,
        *,
        within_s: float,
    ) -> None:
        def told(answer: Heard) -> None:
            moments.here("answered")
            done(answer)

        if moments.step != "record" or statements[0] is not BEGIN:
            send(self, loop, session, statements, done, within_s=within_s)
            return
        # A batch that goes as a whole: nothing of it is there before, and all of it is on its way after.
        moments.here("begin")
        send(self, loop, session, statements, told, within_s=within_s)
        moments.here("commit")

    LoopConnection.send = sent  # type: ignore[method-assign]
    turn = loop._run_once  # type: ignore[attr-defined]

    def turned() -> None:
        moments.here(f"a turn of the loop in {moments.step}")
        turn()

    loop._run_once = turned  # type: ignore[attr-defined]
