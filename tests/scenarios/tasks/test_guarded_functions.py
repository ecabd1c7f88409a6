# SPDX-License-Identifier: Apache-2.0
"""The SDK's front before a real remit: functions of a program, decided before and observed after."""

from __future__ import annotations

import asyncio
import functools
import re
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import remit_sdk as remit
from tests.gateways.remit_up import Remit
from tests.servers.ports import free_port

Json = Any

#: The guide: its files are those of the remit here, and its examples run.
PAGE = (Path(__file__).parents[3] / "docs" / "howto" / "use-the-sdk.md").read_text(encoding="utf-8")
CONFIG, TOOLS, TASK = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
EXAMPLES = "\n".join(re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remit]:
    """A running remit with functions for billing."""
    made = Remit(tmp_path_factory.mktemp("functions") / "house")
    made.folder.mkdir()
    assert made("init", ".").code == 0
    with (made.folder / "remit.yaml").open("a") as config:
        config.write(f"\n{CONFIG}")
    (made.folder / "tools" / "billing.yaml").write_text(TOOLS)
    (made.folder / "tasks" / "settle-complaint.yaml").write_text(TASK)
    try:
        made.start()
        made.enter()
        for bot in ("note-bot", "reader-bot"):
            registered = made("agent", "register", bot, "--owner", "admin", "--purpose", "settle complaints")
            assert registered.code == 0, registered.err
        yield made
    finally:
        if made.process is not None and made.process.poll() is None:
            made.stop()


@pytest.fixture(autouse=True)
def identity(house: Remit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who the agent is stands in its environment."""
    monkeypatch.setenv("REMIT_URL", house.url)
    monkeypatch.setenv("REMIT_AGENT", "note-bot")
    monkeypatch.setenv("REMIT_KEY_FILE", str(house.folder / ".remit" / "agents" / "note-bot.key.json"))


def ended(house: Remit, task: str) -> tuple[str, str]:
    """Return the state of a task, and the reason of its end."""
    shown = house.ask("task", "show", task)
    return shown["state"], shown.get("end_reason") or shown.get("reason") or ""


async def test_a_permitted_function_runs_once_with_what_was_judged(house: Remit) -> None:
    """It returns what the model may see, and the task is completed at the end of the block."""
    ran: list[tuple[str, int]] = []
    async with remit.task("settle-complaint", customer="C-1") as task:

        @task.guard(tool="billing/refund")
        async def refund(customer: str, cents: int = 100) -> str:
            ran.append((customer, cents))
            return f"refunded {cents}"

        @task.guard(tool="billing/customer")
        def customer(customer: str) -> dict[str, str]:
            return {"name": "Ada", "iban": "DE89370400440532013000"}

        assert await refund("C-1") == "refunded 100"
        seen = await customer("C-1")
        assert seen["name"] == "Ada"
        assert "DE89" not in str(seen)
    assert ran == [("C-1", 100)]
    assert ended(house, task.id)[0] == "completed"


async def test_a_refused_function_does_not_run(house: Remit) -> None:
    """The refusal is an exception, and a value where the program asks for one."""
    async with remit.task("settle-complaint", customer="C-1") as task:

        @task.guard(tool="billing/refund")
        async def refund(customer: str, cents: int) -> None:
            pytest.fail("it ran")

        with pytest.raises(remit.Refused) as refused:
            await refund("C-1", 5000)
        assert refused.value.code
        assert refused.value.reason
        answer = await task.decide("billing/refund", {"customer": "C-2", "cents": 1})
        assert isinstance(answer, remit.Refused)
        assert answer.decision.startswith("dec_")
        with pytest.raises(remit.Refused, match="plain value"):
            await refund("C-1", object())  # type: ignore[arg-type]
        upstreams = await task.decide("notes/read_note", {"name": "shopping"})
        assert isinstance(upstreams, remit.Refused)
        assert upstreams.code == "no-functions"


async def test_calls_of_one_turn_are_judged_in_order(house: Remit) -> None:
    """They run side by side, and the evidence has them in the order in which they were made."""
    async with remit.task("settle-complaint", customer="C-1") as task:
        calls = [{"customer": "C-1", "cents": cents} for cents in range(1, 13)]
        permits = await asyncio.gather(*(task.permit("billing/refund", one) for one in calls))
        for permit in permits:
            await task.give_back(permit)
    told = house.ask("audit", "log", "--task", task.id, "--kind", "decision.made")
    events = told["items"] if isinstance(told, dict) else told
    assert [one["call"] for one in sorted(events, key=lambda one: one["index"])] == [
        permit.decision for permit in permits
    ]


async def test_a_block_that_fails_ends_its_task(house: Remit) -> None:
    """What was released of the function's own error reaches the program."""
    tasks: list[str] = []

    async def work() -> None:
        async with remit.task("settle-complaint", customer="C-1") as task:
            tasks.append(task.id)

            @task.guard(tool="billing/refund")
            async def refund(customer: str, cents: int) -> float:
                return cents / 0

            await refund("C-1", 5)

    with pytest.raises(remit.Failed, match="ZeroDivisionError: division by zero"):
        await work()
    assert ended(house, tasks[0])[0] == "completed"


def test_the_guide_runs_as_it_is_written(house: Remit) -> None:
    """All examples of the page, as one program."""
    program = subprocess.run(
        [sys.executable, "-c", EXAMPLES], capture_output=True, text=True, timeout=120, check=False
    )
    assert program.returncode == 0, program.stderr


def test_a_program_without_an_event_loop_does_the_same(house: Remit) -> None:
    """The function runs in the caller's thread."""
    threads: list[threading.Thread] = []
    with remit.task("settle-complaint", customer="C-1") as task:

        @task.guard(tool="billing/refund")
        def refund(customer: str, cents: int) -> int:
            threads.append(threading.current_thread())
            return cents

        assert refund("C-1", cents=7) == 7
        with pytest.raises(remit.Refused):
            refund("C-2", 7)
        answer = task.decide("billing/refund", {"customer": "C-1", "cents": 3})
        assert isinstance(answer, remit.CallPermit)
        task.give_back(answer)
        with pytest.raises(remit.Refused, match="person"):
            task.user("go on")
        with pytest.raises(TypeError, match="async with"):
            task.guard(asyncio.sleep, tool="billing/refund")
    assert threads == [threading.current_thread()]
    assert ended(house, task.id)[0] == "completed"


async def test_an_ended_task_permits_nothing_more(house: Remit) -> None:
    """A result that comes after the end is not released."""
    async with remit.task("settle-complaint", customer="C-1") as task:
        permit = await task.permit("billing/refund", {"customer": "C-1", "cents": 1})
        assert house("end", f"task:{task.id}", "--reason", "a test").code == 0
        with pytest.raises(remit.Refused, match="do not repeat") as late:
            await task.report(permit, "done")
        assert (late.value.done, late.value.decision) == (True, permit.decision)
        answer = await task.decide("billing/refund", {"customer": "C-1", "cents": 1})
        assert isinstance(answer, remit.Refused)
        assert not answer.done


def key_of(house: Remit, agent: str) -> Path:
    """Return the file of an agent's key."""
    return house.folder / ".remit" / "agents" / f"{agent}.key.json"


async def test_a_task_is_handed_down_to_another_agent(house: Remit) -> None:
    """The child task is the other agent's own, and may do no more."""
    async with remit.task("settle-complaint", customer="C-1") as task:
        async with task.hand_down("reader-bot", key_file=key_of(house, "reader-bot")) as child:
            permit = await child.permit("billing/customer", {"customer": "C-1"})
            await child.report(permit, {"name": "Ada"})
            assert isinstance(await child.decide("billing/customer", {"customer": "C-2"}), remit.Refused)
        assert child.id != task.id
    assert house.ask("task", "show", child.id)["agent"] == "reader-bot"
    assert ended(house, child.id)[0] == "completed"


def test_a_task_is_handed_down_without_an_event_loop(house: Remit) -> None:
    """Both tasks live in one loop, which ends with the outer block."""
    with remit.task("settle-complaint", customer="C-1") as task:
        with task.hand_down("reader-bot", key_file=key_of(house, "reader-bot")) as child:
            assert child.decide("billing/customer", {"customer": "C-1"}).permitted
        assert task.decide("billing/customer", {"customer": "C-1"}).permitted


class Odd(BaseHTTPRequestHandler):
    """A server that is not the remit that the SDK knows."""

    def do_POST(self) -> None:
        """Answer anything."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"outcome": "permit"}')

    def do_GET(self) -> None:
        """Answer the same."""
        self.do_POST()

    def log_message(self, format: str, *args: Json) -> None:
        """Stay silent."""


@pytest.fixture
def odd() -> Iterator[str]:
    """The address of such a server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Odd)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


async def test_without_a_remit_there_is_no_task(odd: str) -> None:
    """Whatever is at the address, the block is not entered, and the refusal says what to do."""
    for url in (f"http://127.0.0.1:{free_port()}", odd, "http://remit.example", ""):
        with pytest.raises(remit.Refused) as refused:
            async with remit.task("settle-complaint", customer="C-1", url=url or "x"):
                pytest.fail("it was entered")
        assert refused.value.remediation, url


def test_who_the_agent_is_must_be_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each missing variable is named."""
    for name in ("REMIT_URL", "REMIT_AGENT", "REMIT_KEY_FILE"):
        monkeypatch.delenv(name)
    with pytest.raises(remit.Refused, match="REMIT_KEY_FILE"), remit.task("settle-complaint"):
        pytest.fail("it was entered")


async def test_a_result_that_json_cannot_hold_is_reported_as_text(house: Remit) -> None:
    """The call ends all the same, and is not listed as open; what remit does not read ends it, too."""
    deep: Json = "x"
    for _ in range(80):
        deep = [deep]
    async with remit.task("settle-complaint", customer="C-1") as task:
        results: list[Json] = [{"receipt": 2**60}, 1e300, "\udc80", deep, {1: "a", "1": "b"}]
        for result in results:
            permit = await task.permit("billing/refund", {"customer": "C-1", "cents": 1})
            assert await task.report(permit, result), result
        permit = await task.permit("billing/refund", {"customer": "C-1", "cents": 1})
        with pytest.raises(remit.Refused) as refused:
            await task.report(permit, [0] * 330_000)
        assert refused.value.done
    told = house.ask("audit", "log", "--task", task.id, "--kind", "tool.called")
    events = told["items"] if isinstance(told, dict) else told
    assert [one["facts"]["outcome"] for one in events] == ["ok"] * (len(results) + 1)


async def test_an_error_tells_no_more_than_a_result(house: Remit) -> None:
    """Neither a withheld field nor anything after an end reaches the caller in the text of an error."""
    iban, ends = "DE89370400440532013000", list[bool]()
    async with remit.task("settle-complaint", customer="C-1") as task:

        @task.guard(tool="billing/customer")
        async def customer(customer: str) -> None:
            if ends:
                await asyncio.to_thread(house, "end", f"task:{task.id}", "--reason", "a test")
            raise LookupError(f"iban: {iban}")

        with pytest.raises(remit.Failed) as failed:
            await customer("C-1")
        assert failed.value.kind == "LookupError"
        ends.append(True)
        with pytest.raises(remit.Refused) as refused:
            await customer("C-1")
        assert refused.value.done
        for fault in (failed.value, refused.value):
            assert iban not in f"{fault!r} {fault.__cause__!r} {fault.__context__!r} {shown_of(fault)}"


def shown_of(fault: BaseException) -> str:
    """Return the locals of the SDK's frames, which a program that prints errors may show."""
    frames = [*traceback.walk_tb(fault.__traceback__)]
    if fault.__context__ is not None:
        frames += traceback.walk_tb(fault.__context__.__traceback__)
    return " ".join(repr(one.f_locals) for one, _ in frames if "remit_sdk" in one.f_code.co_filename)


def test_frames_of_an_error_hold_nothing_that_was_not_released(house: Remit) -> None:
    """Neither the function's own error, nor a result of which nothing is released."""
    iban, ends = "DE89370400440532013000", list[bool]()
    with remit.task("settle-complaint", customer="C-1") as task:

        @task.guard(tool="billing/customer")
        def customer(customer: str) -> str:
            if not ends:
                raise LookupError(f"iban: {iban}")
            assert house("end", f"task:{task.id}", "--reason", "a test").code == 0
            return iban

        with pytest.raises(remit.Failed) as failed:
            customer("C-1")
        ends.append(True)
        with pytest.raises(remit.Refused) as refused:
            customer("C-1")
        for fault in (failed.value, refused.value):
            assert "bound" in shown_of(fault)
            assert iban not in shown_of(fault)


def hidden(function: Callable[..., Json]) -> Callable[..., Json]:
    """Return a function that calls another one, as decorators do."""

    @functools.wraps(function)
    def outer(*args: Json, **named: Json) -> Json:
        return function(*args, **named)

    return outer


async def refund_later(customer: str, cents: int) -> str:
    """Refund."""
    await asyncio.sleep(0)
    return "refunded"


def refund_by_parts(customer: str, cents: int) -> Iterator[str]:
    """Refund."""
    yield "refunded"


async def test_a_function_has_run_when_its_result_is_reported(house: Remit) -> None:
    """A decorated `async` function is awaited; a generator would run later, and cannot be guarded."""
    async with remit.task("settle-complaint", customer="C-1") as task:
        refund = task.guard(hidden(refund_later), tool="billing/refund")
        assert await refund("C-1", 1) == "refunded"
        with pytest.raises(TypeError, match="generator"):
            task.guard(hidden(refund_by_parts), tool="billing/refund")


def test_without_an_event_loop_it_has_run_too(house: Remit) -> None:
    """The awaitable is awaited in the task's loop."""
    with remit.task("settle-complaint", customer="C-1") as task:
        assert task.guard(hidden(refund_later), tool="billing/refund")("C-1", 1) == "refunded"
        with pytest.raises(TypeError, match="generator"):
            task.guard(refund_by_parts, tool="billing/refund")


def test_no_call_outlives_its_block(house: Remit) -> None:
    """Threads that still call hear a refusal, one that has made its call hears so, and none waits forever."""
    heard: list[remit.Refused] = []
    made, left = threading.Event(), threading.Event()
    with remit.task("settle-complaint", customer="C-1") as task:

        def calls() -> None:
            try:
                while True:
                    task.guard(lambda customer, cents: cents, tool="billing/refund")("C-1", 1)
            except remit.Refused as refused:
                heard.append(refused)

        @task.guard(tool="billing/refund")
        def slow(customer: str, cents: int) -> None:
            made.set()
            left.wait()

        def one() -> None:
            with pytest.raises(remit.Refused, match="do not repeat"):
                slow("C-1", 1)

        threads = [threading.Thread(target=work) for work in (calls, calls, calls, calls, one)]
        for thread in threads:
            thread.start()
        made.wait()
    left.set()
    for thread in threads:
        thread.join()
    assert len(heard) == 4
    with pytest.raises(remit.Refused, match="ended"):
        slow("C-1", 1)


async def test_a_block_is_entered_once(house: Remit) -> None:
    """A second task would lose the first, and a call after the end is refused."""
    block = remit.task("settle-complaint", customer="C-1")
    async with block as task:
        with pytest.raises(remit.Refused, match="before"):
            async with block:
                pytest.fail("it was entered")
    answer = await task.decide("billing/refund", {"customer": "C-1", "cents": 1})
    assert isinstance(answer, remit.Refused)
    assert ended(house, task.id)[0] == "completed"


async def test_a_permit_that_no_one_waits_for_is_given_back(house: Remit) -> None:
    """A cancelled call did not run; no permit stays open for it."""
    async with remit.task("settle-complaint", customer="C-1") as task:

        @task.guard(tool="billing/refund")
        async def refund(customer: str, cents: int) -> None:
            pytest.fail("it ran")

        await task.session.token(endpoint="api/v1")
        calls = [asyncio.ensure_future(refund("C-1", cents)) for cents in range(1, 9)]
        for turn in range(8):
            for _ in range(turn):
                await asyncio.sleep(0)
            calls[turn].cancel()
        assert all(
            isinstance(one, asyncio.CancelledError)
            for one in await asyncio.gather(*calls, return_exceptions=True)
        )
    told = house.ask("audit", "log", "--task", task.id)
    events = told["items"] if isinstance(told, dict) else told
    made = [one["call"] for one in events if one["kind"] == "decision.made"]
    given_back = [
        one["call"]
        for one in events
        if one["kind"] == "tool.called" and one["facts"]["outcome"] == "not-sent"
    ]
    assert made
    assert sorted(made) == sorted(given_back)


async def test_a_cancelled_call_of_a_function_in_a_thread_ends_as_unknown(house: Remit) -> None:
    """No one knows what it still does: it is neither an error nor made without effect."""
    begun, left = threading.Event(), threading.Event()
    async with remit.task("settle-complaint", customer="C-1") as task:

        @task.guard(tool="billing/refund")
        def refund(customer: str, cents: int) -> None:
            begun.set()
            left.wait()

        call = asyncio.ensure_future(refund("C-1", 1))
        await asyncio.to_thread(begun.wait)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        left.set()
    told = house.ask("audit", "log", "--task", task.id, "--kind", "tool.called")
    events = told["items"] if isinstance(told, dict) else told
    assert [one["facts"]["outcome"] for one in events] == ["unknown"]


async def test_what_comes_after_the_block_is_refused(house: Remit) -> None:
    """Each method says that the block has ended."""
    async with remit.task("settle-complaint", customer="C-1") as task:
        asked = remit.Refused("asked", code="approval-required", approval="apr_1")
        child = task.hand_down("reader-bot", key_file=key_of(house, "reader-bot"))
    for late in (task.approval(asked), task.user("go on"), child.__aenter__()):
        with pytest.raises(remit.Refused, match="block of this task has ended"):
            await late
