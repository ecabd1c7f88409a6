# SPDX-License-Identifier: Apache-2.0
"""The examples of frameworks, each in its own environment, before a real remit.

Their models are scripts: turns of calls, each a name and arguments.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import remit_sdk as remit
from remit_sdk.frameworks.tool_calls import ToolCalls
from tests.gateways.billing_house import furnished_for_billing
from tests.gateways.remit_up import Remit
from tests.interop.environments import Environment
from tests.interop.suite import NotInstalled

pytestmark = pytest.mark.slow

Json = Any
ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "tests" / "interop" / "frameworks"
#: Example -> the requirements of its environment.
EXAMPLES = {
    "crewai_agent": "crewai",
    "google_adk_agent": "google_adk",
    "langchain_agent": "langgraph",
    "openai_agents_agent": "openai",
    "pydantic_ai_agent": "pydantic",
    "strands_agent": "strands",
}
#: What a program runs of an example.
PROGRAM = """
import importlib, json, sys
import remit_sdk
from examples.frameworks import billing
try:
    told = importlib.import_module(f"examples.frameworks.{sys.argv[1]}").work(json.load(sys.stdin))
except (remit_sdk.Failed, LookupError, RuntimeError) as fault:
    told = {"raised": str(fault)}
print("\\n" + json.dumps({**told, "paid": billing.PAID}))
"""

#: Before it: the first function ends the remit, whose process number follows.
KILLING = """
import functools, os, signal
from examples.frameworks import billing
def killing(function, pid=int(sys.argv[2])):
    @functools.wraps(function)
    def killed(*given, **named):
        os.kill(pid, signal.SIGKILL)
        return function(*given, **named)
    return killed
"""
KILLED = f"import sys{KILLING}billing.customer = killing(billing.customer)\n{PROGRAM}"
#: LangChain without threads, with the tools of an MCP server behind the same remit.
BESIDE_MCP = """
import asyncio, json, sys
import remit_sdk as remit
from examples.frameworks import billing
from examples.frameworks.langchain_agent import *
from langchain_mcp_adapters.client import MultiServerMCPClient
from remit_sdk.httpx_auth import HttpxTaskAuth
async def main(script):
    async with remit.task("settle-complaint", customer="C-1") as task:
        agent = task.session.agent
        auth = HttpxTaskAuth(task.session, agent.prover, upstream="notes")
        server = {"url": f"{agent.gateway.base_url}/mcp/notes", "transport": "streamable_http", "auth": auth}
        notes = await MultiServerMCPClient({"notes": server}).get_tools()
        calls = ToolCalls(task, "billing", elsewhere=[one.name for one in notes])
        agent = create_agent(script, [billing.refund, *notes], middleware=[RemitMiddleware(calls)])
        return task.id, (await agent.ainvoke({"messages": [("user", "go on")]}))["messages"]
turns = [
    AIMessage("", tool_calls=[
        {"name": name, "args": arguments, "id": f"{turn}-{number}"}
        for number, (name, arguments) in enumerate(calls)
    ])
    for turn, calls in enumerate(json.load(sys.stdin))
]
task, messages = asyncio.run(main(ScriptedModel(responses=[*turns, AIMessage("done")])))
heard = [str(one.content) for one in messages if isinstance(one, ToolMessage)]
print(json.dumps({"task": task, "heard": heard, "said": messages[-1].content, "paid": billing.PAID}))
"""
#: LangChain with a tool that gives its program an artifact.
WITH_ARTIFACT = """
import json, sys
from langchain_core.tools import tool
from examples.frameworks import billing, langchain_agent
look_up = billing.customer
@tool(response_format="content_and_artifact")
def customer(customer: str):
    "Look a customer up."
    return json.dumps(look_up(customer)), look_up(customer)
billing.customer = customer
seen = []
class Kept(langchain_agent.RemitMiddleware):
    def wrap_tool_call(self, request, handler):
        seen.append(super().wrap_tool_call(request, handler))
        return seen[-1]
langchain_agent.RemitMiddleware = Kept
told = langchain_agent.work(json.load(sys.stdin))
print(json.dumps({**told, "artifacts": [one.artifact for one in seen]}))
"""
#: The OpenAI Agents SDK, whose run pauses for a person and goes on with their answer.
PAUSED = """
import asyncio, json, sys, time
import remit_sdk as remit
from examples.frameworks import billing
from examples.frameworks.openai_agents_agent import *
async def main(turns):
    steps = [[function_call(name, arguments, call_id="one") for name, arguments in calls] for calls in turns]
    model = ScriptedModel([*steps, [assistant_message("done")]])
    set_tracing_disabled(True)
    async with remit.task("settle-complaint", customer="C-1") as task:
        tool = guarded(function_tool(billing.credit), ToolCalls(task, "billing", wait_s=0), pause=True)
        agent = Agent(name="clerk", model=model, tools=[tool])
        end = await Runner.run(agent, "go on")
        pauses = 0
        while end.interruptions:
            pauses += 1
            state = end.to_state()
            paid = list(billing.PAID)
            await asyncio.sleep(0.5)
            for one in end.interruptions:
                state.approve(one)
            end = await Runner.run(agent, state)
    heard = [one["output"] for one in end.to_input_list() if one.get("type") == "function_call_output"]
    return {"heard": heard, "said": end.final_output, "pauses": pauses, "paid": billing.PAID, "before": paid}
print(json.dumps(asyncio.run(main(json.load(sys.stdin)))))
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remit]:
    """A running remit with functions for billing, the agent note-bot, and the approver omar."""
    with furnished_for_billing(tmp_path_factory.mktemp("adapters") / "house") as made:
        yield made


def run(house: Remit, example: str, *turns: Json, program: str = PROGRAM) -> Json:
    """Run an example with these turns; return what its model read, what it said last, and what was paid."""
    assert house.process is not None
    environment = Environment(EXAMPLES[example], REQUIREMENTS / f"{EXAMPLES[example]}.txt")
    try:
        environment.ready()
    except NotInstalled as fault:
        pytest.skip(str(fault))
    done = subprocess.run(
        [str(environment.python), "-c", program, example, str(house.process.pid)],
        input=json.dumps(turns), capture_output=True, text=True, timeout=300, check=False, cwd=ROOT,
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(house.folder.parent),
            "PYTHONPATH": f"{ROOT / 'sdk' / 'src'}:{ROOT}",
            "REMIT_URL": house.url,
            "REMIT_AGENT": "note-bot",
            "REMIT_KEY_FILE": str(house.folder / ".remit" / "agents" / "note-bot.key.json"),
        },
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def decided(house: Remit, task: str) -> list[str]:
    """Return the decisions of a task, in the order of the evidence."""
    told = house.ask("audit", "log", "--task", task, "--kind", "decision.made")
    events = told["items"] if isinstance(told, dict) else told
    return [one["call"] for one in sorted(events, key=lambda one: one["index"])]


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_run_goes_on_and_its_model_reads_what_remit_released(house: Remit, example: str) -> None:
    """A field is withheld, a refused function did not run, and the model knows why."""
    told = run(
        house, example,
        [["customer", {"customer": "C-1"}], ["refund", {"customer": "C-1", "cents": 5000}]],
        [["refund", {"customer": "C-1", "cents": 100}]],
    )  # fmt: skip
    seen, refused, made = told["heard"]
    assert "Ada" in seen
    assert "DE89" not in str(told)
    for needed in ("remit refused this call of `refund`", "1000", "remit explain dec_"):
        assert needed in refused
    assert made == "refunded 100"
    assert told["paid"] == [100]
    assert told["said"] == "done"


@pytest.mark.parametrize("example", EXAMPLES)
def test_calls_of_one_turn_are_judged_in_the_order_of_the_model(house: Remit, example: str) -> None:
    """Each refusal names its decision; the evidence has them in the same order."""
    calls = [["refund", {"customer": "C-1", "cents": 2000 + number}] for number in range(8)]
    told = run(house, example, calls)
    named = [re.findall(r"dec_\w+", heard)[0] for heard in told["heard"]]
    assert len(set(named)) == len(calls)
    assert decided(house, told["task"]) == named
    assert told["paid"] == []


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_call_waits_for_a_person(house: Remit, example: str) -> None:
    """It is made once they have approved it."""
    with ThreadPoolExecutor(1) as beside:
        running = beside.submit(run, house, example, [["credit", {"customer": "C-1", "cents": 5}]])
        while not running.done():
            for one in house.ask("approvals", by="omar")["items"]:
                assert house("approve", one["id"], "--confirm", one["call"], by="omar").code == 0
        told = running.result()
    assert told["heard"] == ["credited 5"]
    assert told["paid"] == [5]


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_tool_that_fails_fails_as_without_remit(house: Remit, example: str) -> None:
    """Its error ends the run, or its model reads it, as the framework has it."""
    told = run(house, example, [["lose", {"customer": "C-1"}]])
    assert "raised" in told or told["said"] == "done"
    assert re.search("ledger is closed|error occurred while running the tool", str(told))


@pytest.mark.parametrize("example", EXAMPLES)
def test_without_a_remit_nothing_runs_and_no_result_is_shown(tmp_path: Path, example: str) -> None:
    """It is killed while a function runs: its result is not read, and the next function does not run."""
    with furnished_for_billing(tmp_path / "house") as made:
        told = run(
            made, example,
            [["customer", {"customer": "C-1"}]], [["refund", {"customer": "C-1", "cents": 100}]],
            program=KILLED,
        )  # fmt: skip
        assert made.process is not None
        assert made.process.wait(60) == -signal.SIGKILL
    assert told["paid"] == []
    assert "Ada" not in str(told)
    if "raised" not in told:
        seen, refused = told["heard"]
        assert "did not release its result" in seen
        assert "remit refused this call of `refund`" in refused


def test_tools_of_a_server_and_functions_are_judged_in_one_task(house: Remit) -> None:
    """Both kinds of call are in the evidence once, also those of one turn."""
    told = run(
        house, "langchain_agent",
        [["read_note", {"name": "welcome"}], ["refund", {"customer": "C-1", "cents": 7}]],
        [["refund", {"customer": "C-1", "cents": 5000}]],
        program=BESIDE_MCP,
    )  # fmt: skip
    assert told["paid"] == [7]
    assert "refused" not in told["heard"][0]
    assert "remit refused this call of `refund`" in told["heard"][2]
    assert len(told["heard"]) == 3
    assert len(decided(house, told["task"])) == 3


def test_an_artifact_does_not_bring_what_was_withheld(house: Remit) -> None:
    """The program finds a note in its place."""
    told = run(house, "langchain_agent", [["customer", {"customer": "C-1"}]], program=WITH_ARTIFACT)
    assert "Ada" in told["heard"][0]
    assert "releases no artifact" in told["artifacts"][0]
    assert "DE89" not in str(told)


def test_a_paused_run_goes_on_with_the_answer_of_a_person(house: Remit) -> None:
    """Approving the framework's interruption alone moves nothing."""
    with ThreadPoolExecutor(1) as beside:
        calls = [["credit", {"customer": "C-1", "cents": 6}]]
        running = beside.submit(run, house, "openai_agents_agent", calls, program=PAUSED)
        while not running.done():
            for one in house.ask("approvals", by="omar")["items"]:
                assert house("approve", one["id"], "--confirm", one["call"], by="omar").code == 0
        told = running.result()
    assert told["pauses"] >= 1
    assert told["before"] == []
    assert told["heard"] == ["credited 6"]
    assert told["paid"] == [6]


def test_without_an_open_task_a_hook_refuses_and_does_not_raise(
    house: Remit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A framework could run a tool whose hook raised; a result that no permit belongs to is not shown."""
    monkeypatch.setenv("REMIT_URL", house.url)
    monkeypatch.setenv("REMIT_AGENT", "note-bot")
    monkeypatch.setenv("REMIT_KEY_FILE", str(house.folder / ".remit" / "agents" / "note-bot.key.json"))
    with remit.task("settle-complaint", customer="C-1") as task:
        calls = ToolCalls(task, "billing")
        assert calls.before_now("one", "customer", {"customer": "C-1"}) == ""
        assert "knows nothing" in calls.after_now("two", "customer", "a secret")
        assert "no decision" in calls.before_now("three", "customer", {"customer": object()})
    assert "no decision" in calls.before_now("four", "customer", {"customer": "C-1"})
    assert "a secret" not in calls.after_now("one", "customer", "a secret")
    assert isinstance(calls.decide_now("customer", {"customer": "C-1"}), remit.Refused)
