# SPDX-License-Identifier: Apache-2.0
"""`remit run` and `remit connect` as processes, against a gateway as people run it.

The threat: an agent's program, or another process, gets hold of the agent's authority, or keeps it after the
work is over, however the work was cut off.
"""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from mcp import Client, StdioServerParameters
from mcp_types import CallToolResult

from remit.core.tasks.plan import tools_of
from remit.core.tasks.task import TaskState
from tests.gateways.live_gateway import LiveGateway
from tests.refusals import said

Json = Any

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="tells the owner of a socket by /proc")
SWEEP = ("--agent", "note-bot", "--task", "sweep", "--alone")
#: Long enough for any machine; nothing is concluded from how long it took.
PATIENCE_S = 120.0
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
CALL = """
import json, os, sys, urllib.request, urllib.error
def ask(url, method="tools/list", **params):
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {}}
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"_meta": meta, **params}}
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
               "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method,
               **({"Mcp-Name": params["name"]} if "name" in params else {})}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers)) as a:
            return a.headers.get("remit-refused") or a.status
    except urllib.error.HTTPError as e:
        return e.code
url = os.environ["REMIT_MCP_URL"]
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGateway]:
    """One gateway for all."""
    with LiveGateway(tmp_path_factory.mktemp("gateway")) as one:
        yield one


def newest(gateway: LiveGateway) -> Json:
    """Return the task that was opened last."""
    return gateway.tasks()[0]


def until(true: Any) -> None:
    """Wait until something holds."""
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end, "it never came to hold"
        time.sleep(0.05)


def program(gateway: LiveGateway, name: str, text: str) -> str:
    """Write a program for the agent to run."""
    path = gateway.folder / f"{name}.py"
    path.write_text(CALL + text)
    return str(path)


def test_a_child_gets_an_address_and_nothing_secret(gateway: LiveGateway) -> None:
    """Its environment has the relay's two addresses alone of ours; no token stands in it, or is said."""
    secrets = {"REMIT_SESSION": "rms_" + "0" * 64, "REMIT_URL": gateway.url, "REMIT_DEBUG": "1"}
    done = gateway.remit("run", *SWEEP, "--", "env", env=secrets)
    ours = [line for line in done.stdout.splitlines() if line.startswith("REMIT_")]
    assert sorted(line.partition("=")[0] for line in ours) == [
        "REMIT_HTTP_URL",
        "REMIT_MCP_URL",
        "REMIT_USAGE_URL",
    ]
    assert "rms_" not in done.stdout + done.stderr
    assert "eyJ" not in done.stdout + done.stderr
    assert "nothing left open" in done.stderr


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143), ("kill -9 $$", 137)]
)
def test_the_task_is_completed_however_the_child_ends(gateway: LiveGateway, script: str, code: int) -> None:
    """The child's exit code, or 128 and its signal, is passed on, and its task is over by then."""
    done = gateway.remit("run", *SWEEP, "--", "sh", "-c", script)
    assert done.returncode == code, done.stderr
    assert newest(gateway).state is TaskState.COMPLETED
    assert newest(gateway).id in done.stderr


def test_a_program_that_does_not_exist_opens_no_task(gateway: LiveGateway) -> None:
    """A command that does not exist is a usage error, found before a task is opened."""
    before = len(gateway.tasks())
    done = gateway.remit("run", *SWEEP, "--", "no-such-program-here")
    assert done.returncode == 2
    assert len(gateway.tasks()) == before


def test_a_program_that_cannot_be_started_leaves_no_task_open(gateway: LiveGateway) -> None:
    """A file that the system refuses to execute is a usage error, and its task is completed."""
    broken = gateway.folder / "broken"
    broken.write_bytes(b"\x7fELF no program")
    broken.chmod(0o755)
    done = gateway.remit("run", *SWEEP, "--", str(broken))
    assert done.returncode == 2, done.stderr
    assert newest(gateway).state is TaskState.COMPLETED


def test_a_refused_task_starts_nothing(gateway: LiveGateway) -> None:
    """Where the gateway refuses the task, the program is not run; the reason and the remediation are
    shown.
    """
    mark = gateway.folder / "ran"
    command = ("--", "touch", str(mark))
    by_agent = gateway.remit(
        "run", "--agent", "note-bot", "--task", "tidy-note", "--alone", "-p", "note=x", *command
    )
    assert by_agent.returncode == 1
    assert "must be requested by a person" in by_agent.stderr
    outside = gateway.remit("run", *SWEEP, "--plan", "notes/write_note", *command)
    assert outside.returncode == 1
    assert "does not grant" in outside.stderr
    assert not mark.exists()


def test_a_gateway_that_is_not_there_is_code_3(gateway: LiveGateway) -> None:
    """Not reachable is told apart from refused."""
    done = gateway.remit("run", *SWEEP, "--", "true", env={"REMIT_URL": "http://127.0.0.1:9"})
    assert done.returncode == 3


def test_a_signed_in_person_states_the_intent(gateway: LiveGateway) -> None:
    """With a session the person is who states the intent, and the task says on whose behalf it is."""
    done = gateway.remit(
        "run", "--agent", "note-bot", "--task", "tidy-note", "-p", "note=shopping", "--intent", "tidy it",
        "--plan", "notes/read_note", "--", "true", session=gateway.session(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    task = newest(gateway)
    assert (task.intent.requested_by, task.on_behalf_of, task.intent.goal) == ("ana", "ana", "tidy it")
    assert tools_of(task.plan) == ("notes/read_note",)


def test_the_agents_program_calls_what_it_was_granted(gateway: LiveGateway) -> None:
    """A granted tool answers through the relay; one that was not granted is unknown."""
    text = """
print(ask(url), ask(url, "tools/call", name="notes__list_notes", arguments={}))
print(ask(url, "tools/call", name="notes__write_note", arguments={"name": "x", "text": "y"}))
"""
    done = gateway.remit("run", *SWEEP, "--", sys.executable, program(gateway, "granted", text))
    assert done.stdout.split() == ["200", "200", "unknown-tool"], done.stderr
    assert not (gateway.folder / "notes" / "x.md").exists()


def test_an_orphan_of_the_child_is_still_of_its_tree_and_a_stranger_is_not(gateway: LiveGateway) -> None:
    """A process that daemonised away from the child is let in; this test, which knows the address, is not."""
    text = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        import time
        time.sleep(0.3)  # its own parent has gone by then, or will be: both must be let in
        print("orphan", ask(url), flush=True)
    os._exit(0)
print(url, flush=True)
sys.stdin.read()
"""
    words = ("run", *SWEEP, "--", sys.executable, program(gateway, "orphan", text), "0")
    running = gateway.start(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdout is not None
    lines = [running.stdout.readline().strip(), running.stdout.readline().strip()]
    url = next(line for line in lines if line.startswith("http"))
    assert "orphan 200" in lines
    place = urlsplit(url)
    stranger = http.client.HTTPConnection(f"{place.hostname}:{place.port}")
    stranger.request("POST", place.path, b"{}", {"Content-Type": "application/json"})
    assert stranger.getresponse().status == 403
    stranger.close()
    _, said = running.communicate("", timeout=PATIENCE_S)
    assert "not from the process that remit started" in said
    assert running.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_reach_the_child_and_the_task_is_completed(gateway: LiveGateway, number: int) -> None:
    """A signal to remit is the child's to answer; when it has gone, the task is completed."""
    script = f"trap 'echo caught; exit 9' {signal.Signals(number).name[3:]}; echo ready"
    script += "; while :; do sleep 0.05; done"
    # In a separate session no terminal exists whose keyboard would signal the child too.
    running = gateway.start(
        "run", *SWEEP, "--", "sh", "-c", script,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    assert running.stdout is not None
    assert running.stdout.readline() == "ready\n"
    running.send_signal(number)
    out, said = running.communicate(timeout=PATIENCE_S)
    assert (out, running.returncode) == ("caught\n", 9), said
    assert newest(gateway).state is TaskState.COMPLETED


def test_when_remit_itself_is_killed_the_child_goes_and_the_lease_fences_the_task(
    gateway: LiveGateway,
) -> None:
    """SIGKILL leaves remit no last word: the kernel tells the child, and the gateway ends the task."""
    running = gateway.start(
        "run", *SWEEP, "--lease", "8", "--", "sh", "-c", "echo $$; exec sleep 600",
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert running.stdout is not None
    child = int(running.stdout.readline())
    task = newest(gateway)
    assert task.state is TaskState.ACTIVE
    running.kill()
    running.wait()
    running.stdout.close()
    until(lambda: not Path(f"/proc/{child}").exists() or state_of(child) == "Z")
    until(lambda: newest(gateway).state is TaskState.EXPIRED)
    assert newest(gateway).id == task.id


def state_of(pid: int) -> str:
    """Return the state of a process as the kernel writes it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def test_a_task_that_was_ended_in_the_middle_lets_nothing_more_through(gateway: LiveGateway) -> None:
    """After `end` the child goes on, without any authority, and the person at the terminal is told."""
    text = """
print(ask(url), flush=True)
sys.stdin.readline()
print(ask(url), flush=True)
"""
    words = ("run", *SWEEP, "--lease", "20", "--", sys.executable, program(gateway, "ended", text))
    running = gateway.start(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdout is not None
    assert running.stdin is not None
    assert running.stdout.readline() == "200\n"
    gateway.end(newest(gateway).id)
    out, said = running.communicate("\n", timeout=PATIENCE_S)
    assert int(out) in (401, 403), said
    assert "had ended already" in said or "has ended" in said or "enough" in said
    assert newest(gateway).state is TaskState.REVOKED


# connect


def over_stdio(gateway: LiveGateway, *more: str) -> StdioServerParameters:
    """Return how a client starts `remit connect`."""
    words = ["-m", "remit", "connect", "--config", str(gateway.folder), *SWEEP, "--upstream", "notes", *more]
    return StdioServerParameters(command=sys.executable, args=words, env=gateway.environment(), cwd="/")


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_of_either_era_works_over_its_standard_streams(
    gateway: LiveGateway, mode: Any
) -> None:
    """The official client lists and calls through `remit connect`; when it goes, the task is completed."""
    async with Client(over_stdio(gateway), mode=mode, read_timeout_seconds=120) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["list_notes"]
        result = await client.call_tool("list_notes", {})
        assert not result.is_error
        assert newest(gateway).state is TaskState.ACTIVE
        task = newest(gateway).id
    assert newest(gateway).id == task
    until(lambda: newest(gateway).state is TaskState.COMPLETED)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_task_that_ran_out_is_opened_anew_and_the_client_notices_nothing(
    gateway: LiveGateway, mode: Any
) -> None:
    """After a machine's sleep the lease has run out: the next call opens a new task, session included."""
    async with Client(over_stdio(gateway), mode=mode, read_timeout_seconds=120) as client:
        await client.list_tools()
        first = newest(gateway).id
        gateway.end(first, TaskState.EXPIRED)
        result = await client.call_tool("list_notes", {})
        assert not result.is_error
        assert newest(gateway).id != first


async def test_a_task_that_somebody_ended_stays_ended(gateway: LiveGateway) -> None:
    """`remit end` is the last word: the client's next call is refused, and no new task is opened."""
    async with Client(over_stdio(gateway), mode="auto", read_timeout_seconds=120) as client:
        await client.list_tools()
        first = newest(gateway).id
        gateway.end(first)
        result = await client.call_tool("list_notes", {})
        assert isinstance(result, CallToolResult)
        assert result.is_error
        assert "This task has ended" in said(result)
        assert newest(gateway).id == first


def test_lines_that_are_no_messages_get_the_protocols_own_errors(gateway: LiveGateway) -> None:
    """What is not JSON, not an object, or empty never reaches the gateway and never stops the bridge."""
    lines = [
        "not json", "[1,2]", "", '"text"',
        json.dumps({"jsonrpc": "2.0", "id": "last", "method": "initialize", "params": HELLO}),
    ]  # fmt: skip
    done = gateway.remit("connect", *SWEEP, input="\n".join(lines))
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["error"]["code"] for one in answers[:3]] == [-32700, -32600, -32600], done.stderr
    assert answers[3]["id"] == "last"
    assert answers[3]["result"]["protocolVersion"] == "2025-11-25"
    assert done.returncode == 0
    assert newest(gateway).state is TaskState.COMPLETED


def test_over_http_an_address_is_printed_and_an_interrupt_ends_it(gateway: LiveGateway) -> None:
    """`--http` prints one line; after the interrupt the task is completed."""
    running = gateway.start("connect", *SWEEP, "--http", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdout is not None
    url = running.stdout.readline().strip()
    agent = {"REMIT_MCP_URL": url, "PATH": os.environ["PATH"]}
    asked = subprocess.run(
        [sys.executable, program(gateway, "over_http", "print(ask(url))")],
        env=agent, capture_output=True, text=True, timeout=PATIENCE_S, check=True,
    )  # fmt: skip
    assert asked.stdout == "200\n"
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=PATIENCE_S)
    assert running.returncode == 130
    assert newest(gateway).state is TaskState.COMPLETED
