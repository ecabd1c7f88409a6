# SPDX-License-Identifier: Apache-2.0
"""Threat: with several workers on one port, a call is decided by another than its task's owner, an end at one
leaves calls of another, or a worker that dies takes calls, or the service, with it.
"""

import asyncio
import base64
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from remit.api.worker_metrics import merged
from remit.cli.instance import worker_file
from remit.core.errors import Malformed
from remit.core.replicas.forwarding import read
from remit_sdk.auth import TaskAuth
from remit_sdk.key import AgentKey
from remit_sdk.session import AgentSession
from tests.clients.hammering import META, VERSION, Hammer
from tests.gateways.remit_up import ObservingRemit, Remit, until

Json = Any
LONG_S = 120.0
HANDED = "remit_connections_handed_over_total"
TO_OTHERS, FROM_OTHERS = ',which="to others"', ',which="from others"'
#: `list_notes` says that it was called.
WITNESS = """
    with (folder / "calls").open("a") as calls:
        calls.write("x")
"""
HEADERS = {
    "MCP-Protocol-Version": VERSION,
    "Mcp-Method": "tools/call",
    "Mcp-Name": "list_notes",
    "Accept": "application/json, text/event-stream",
}


class House(ObservingRemit):
    """A remit with two workers on PostgreSQL, with note-bot and an administrator signed in."""

    def furnish(self, database: str) -> None:
        """Begin in observe mode."""
        self.prepare(WITNESS)
        types = self.folder / "tasks" / "tidy-note.yaml"
        types.write_text(types.read_text().replace("calls: 50", "calls: 100000"))
        self.env["NOTES_DATABASE"] = database
        with self.config.open("a") as config:
            config.write("store: {kind: postgres, url: env:NOTES_DATABASE}\nreplica: {lease_ms: 4000}\n")
        self.begin("--workers", "2")

    @property
    def workers(self) -> list[int]:
        """The process of each worker, in the order of their numbers."""
        assert self.process is not None
        found = {}
        for one in psutil.Process(self.process.pid).children():
            words: list[str] = []
            with contextlib.suppress(psutil.NoSuchProcess):
                words = one.cmdline()
            for number in (1, 2):
                if str(worker_file(self.config, number, "ready")) in words:
                    found[number] = one.pid
        return [found[number] for number in sorted(found)]

    @property
    def executed(self) -> int:
        """How many calls the tool has begun: it is the witness."""
        place = self.folder / "notes" / "calls"
        return len(place.read_text()) if place.exists() else 0

    def recorded(self, task: str) -> dict[str, dict[str, str]]:
        """Return the outcomes of each call of a task, by the kind of the event."""
        found: dict[str, dict[str, str]] = {}
        kinds = ("--kind", "decision.made", "--kind", "tool.called")
        page: list[Json] = [{}]
        start = 0
        while page:
            words = ("--task", task, "--limit", "1000", "--start", str(start), *kinds)
            page = self.ask("audit", "log", *words)["items"]
            for one in page:
                found.setdefault(one["call"], {})[one["kind"]] = one["facts"]["outcome"]
                start = max(start, one["index"] + 1)
        return found

    @contextlib.asynccontextmanager
    async def at(self, worker: int) -> AsyncIterator[httpx2.AsyncClient]:
        """Provide a client with one connection, which one worker has accepted: the other one slept."""
        other = self.workers[1 - worker]
        os.kill(other, signal.SIGSTOP)
        try:
            limits = httpx2.Limits(max_connections=1, keepalive_expiry=LONG_S)
            client = httpx2.AsyncClient(trust_env=False, timeout=LONG_S, limits=limits)
            assert (await client.get(f"{self.url}/health/live")).status_code == 200
        finally:
            os.kill(other, signal.SIGCONT)
        try:
            yield client
        finally:
            await client.aclose()

    @contextlib.asynccontextmanager
    async def agent(self, task: str) -> AsyncIterator[TaskAuth]:
        """Provide the authority of note-bot in a task; it keeps the token that it has."""
        key = AgentKey.load(self.key)
        async with AgentSession(self.url, "note-bot", key) as agent:
            yield TaskAuth(agent.task({"id": task}), agent.prover, upstream="notes")

    async def called(self, client: httpx2.AsyncClient, auth: TaskAuth) -> httpx2.Response:
        """Call `list_notes` over a client's connection; return the answer."""
        call = {"name": "list_notes", "arguments": {}, "_meta": META}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
        return await client.post(f"{self.url}/mcp/notes", json=body, headers=HEADERS, auth=auth)

    @property
    def key(self) -> Path:
        """The key of note-bot."""
        return self.folder / ".remit" / "agents" / "note-bot.key.json"

    async def figure(self, name: str, worker: int, more: str = "") -> int:
        """Return a figure of one worker, as a scrape shows it that either one answers."""
        async with httpx2.AsyncClient(trust_env=False, timeout=LONG_S) as client:
            told = (await client.get(f"{self.url}/metrics")).text
        begins = f'{name}{{worker="{worker + 1}"{more}}} '
        return sum(int(line.split()[-1]) for line in told.splitlines() if line.startswith(begins))


@pytest.fixture
def house(tmp_path: Path, postgres: str) -> Iterator[House]:
    """The house, stopped at the end."""
    made = House(tmp_path / "house")
    try:
        made.furnish(postgres)
        yield made
    finally:
        if made.process is not None and made.process.poll() is None:
            assert made.stop() == 0


def is_permitted(answer: Any) -> bool:
    """Return whether a call was carried out."""
    return answer.status_code == 200 and '"content"' in answer.text and '"isError":true' not in answer.text


async def test_a_call_reaches_its_tasks_owner_through_either_worker(house: House) -> None:
    """A connection goes to the owner of its first call; a call of another owner is passed on from there."""
    own, other = [await asyncio.to_thread(house.open) for _ in range(2)]
    async with house.at(0) as first, house.at(1) as second, house.agent(own) as a, house.agent(other) as b:
        # Who gets the first call of a task owns it. The first client's connection then goes over, once.
        for client, auth in ((first, a), (second, b), (first, b), (first, b), (first, a), (first, b)):
            answer = await house.called(client, auth)
            assert is_permitted(answer), answer.text
        assert await house.figure(HANDED, 0, TO_OTHERS) == await house.figure(HANDED, 1, FROM_OTHERS) == 1
        assert await house.figure("remit_tasks_owned", 0) == await house.figure("remit_tasks_owned", 1) == 1
        assert await house.figure(HANDED, 1, TO_OTHERS) == 0
        await asyncio.to_thread(house.ask, "end", other)
        for client in (first, second):
            assert not is_permitted(await house.called(client, b))
    assert house.executed == 6
    assert house.ask("status")["workers"] == 2


async def test_a_scrape_has_the_figures_of_every_worker(house: House) -> None:
    """Whichever worker answers, each counter only grows; one that does not answer is named."""
    for worker in (0, 1):
        async with house.at(worker) as client:
            told = (await client.get(f"{house.url}/metrics")).text
            samples = [line for line in told.splitlines() if not line.startswith("#")]
            assert all('{worker="' in line for line in samples)
            names = [line.split(" ", 3)[2] for line in told.splitlines() if line.startswith("# TYPE ")]
            assert len(names) == len(set(names))
            assert {f'remit_worker_up{{worker="{number}"}} 1' for number in (1, 2)} <= set(samples)
    async with house.at(0) as client:
        os.kill(house.workers[1], signal.SIGSTOP)
        try:
            told = (await client.get(f"{house.url}/metrics")).text
        finally:
            os.kill(house.workers[1], signal.SIGCONT)
    assert 'remit_worker_up{worker="2"} 0' in told.splitlines()
    assert 'remit_log_events{worker="1"}' in told


def test_figures_of_a_tool_with_a_strange_name_stay_one_line() -> None:
    """An upstream names its tools; only a line feed ends a line of metrics."""
    text = '# HELP calls x\n# TYPE calls counter\ncalls{tool="a\u2028b\x85c\x0cd"} 1\n'
    assert merged({"1": text}) == text.replace("{", '{worker="1",')


def test_a_header_that_is_too_deep_to_read_is_refused() -> None:
    """It is told apart from a fault of this worker, and leaves no connection open."""
    with pytest.raises(Malformed):
        read(base64.urlsafe_b64encode(b'{"x":' + b"[" * 20_000))


def test_doctor_finds_nothing_wrong_with_workers(house: House) -> None:
    """It asks the one that answers, which knows the other."""
    checks = house("doctor", "--json").json["findings"]
    states = {one["subject"]: one["state"] for one in checks if "fsync" not in one["says"]}
    assert "fail" not in states.values()
    assert states["remit"] == states["replicas"] == "ok"


async def test_a_killed_worker_takes_no_call_with_it_and_comes_back(house: House) -> None:
    """Its calls end as refusals, or are closed as unknown; none was executed without a recorded decision."""
    task = await asyncio.to_thread(house.open)
    async with house.at(1) as client, house.agent(task) as auth:
        assert is_permitted(await house.called(client, auth))
    killed = house.workers
    async with house.at(0) as client, house.agent(task) as auth:

        async def call() -> int:
            with contextlib.suppress(httpx2.HTTPError):
                answer = await house.called(client, auth)
                return 200 if is_permitted(answer) else answer.status_code
            return 0

        os.kill(killed[1], signal.SIGKILL)
        async with asyncio.timeout(LONG_S):
            while await call() != 200:
                pass
    until(lambda: len(house.workers) == 2)
    after = await asyncio.to_thread(lambda: house.workers)
    assert after[0] == killed[0]
    assert after[1] != killed[1]
    calls = house.recorded(task)
    permitted = [one for one in calls.values() if one["decision.made"] == "permit"]
    assert 0 < house.executed <= len(permitted)
    until(
        lambda: all(
            "tool.called" in one or one["decision.made"] != "permit" for one in house.recorded(task).values()
        )
    )


def test_a_kill_of_each_worker_under_load(house: House) -> None:
    """Both carry calls, and each is killed in turn: calls go on, and none is executed without a decision."""
    tasks = [house.open(), house.open()]
    hammers = [Hammer(house.url, house.key, task) for task in tasks]
    with hammers[0].swinging(2), hammers[1].swinging(2):
        _all_answered(hammers)
        for number in (0, 1):
            before = house.workers
            os.kill(before[number], signal.SIGKILL)
            until(partial(_replaced, house, before))
            _all_answered(hammers)
    outcomes = [one["decision.made"] for task in tasks for one in house.recorded(task).values()]
    assert 0 < house.executed <= outcomes.count("permit")


def _replaced(house: House, before: list[int]) -> bool:
    """Return whether there are two workers again, which are not the ones before."""
    return len(house.workers) == 2 and house.workers != before


def _all_answered(hammers: list[Hammer]) -> None:
    """Return once each has had more answers."""
    before = [one.answered for one in hammers]

    def answered() -> bool:
        return all(one.answered > was + 5 for one, was in zip(hammers, before, strict=True))

    until(answered)


def test_restart_and_reload_reach_every_worker_and_no_call_fails(house: House) -> None:
    """A restart goes from worker to worker; a reload changes the mode at both before it returns."""
    task, before = house.open(), house.workers
    hammer = Hammer(house.url, house.key, task)
    with hammer.swinging(2):
        until(lambda: hammer.answered > 5)
        told = house.ask("restart")
        assert told["workers"] == 2
        house.mode("enforce")
        house.ask("reload")
        count = hammer.answered
        until(lambda: hammer.answered > count + 5 or hammer.failed)
    assert hammer.failed == []
    assert house.workers == before
    changes = house.ask("audit", "log", "--kind", "upstream.mode", "--limit", "10")["items"]
    assert len(changes) == 2


def test_workers_end_with_their_supervisor(house: House) -> None:
    """Killed, it leaves no worker that holds the port."""
    workers = [psutil.Process(pid) for pid in house.workers]
    assert house.process is not None
    house.process.kill()
    house.process.wait()
    _, alive = psutil.wait_procs(workers, timeout=LONG_S)
    assert alive == []
    assert house("status").code == 3


async def test_a_workers_socket_serves_only_what_another_passes_on(house: House) -> None:
    """The user's own processes get no second way in."""
    place = worker_file(house.config, 1, "sock")
    assert place.stat().st_mode & 0o777 == 0o600
    transport = httpx2.AsyncHTTPTransport(uds=str(place))
    async with httpx2.AsyncClient(transport=transport, trust_env=False) as client:
        answer = await client.get("http://localhost/health/live")
    assert (answer.status_code, answer.json()["code"]) == (400, "passed-on")


def test_the_embedded_store_has_one_process(tmp_path: Path) -> None:
    """The remediation is named."""
    alone = Remit(tmp_path / "house")
    alone.folder.mkdir()
    assert alone("init", ".").code == 0
    said = alone("up", "--workers", "2")
    assert said.code == 2
    assert "configure PostgreSQL" in said.err
