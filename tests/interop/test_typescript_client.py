# SPDX-License-Identifier: Apache-2.0
"""The client for TypeScript, built as it is published, before a real remit."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.gateways.billing_house import furnished_for_billing
from tests.gateways.remit_up import Remit
from tests.interop.environments import NodeEnvironment
from tests.interop.suite import NODE, ROOT, NotInstalled

pytestmark = pytest.mark.slow

Json = Any
SOURCE = ROOT / "sdk" / "typescript"
MAX_CODE_LINES = 600
#: What each program begins with; it prints one JSON value.
HEAD = """
import { Agent, Failed, Refused } from "./dist/index.js";
const agent = await Agent.connect();
const paid = [];
const told = (fault) => ({ kind: fault.name, ...fault, text: String(fault) });
const inTask = (work) => agent.task("settle-complaint", { params: { customer: "C-1" } }, work);
const refund = ({ cents }) => { paid.push(cents); return `refunded ${cents}`; };
const refunding = (task) => task.guard("billing/refund", refund);
"""
#: A program that gets no further than its first request.
BEGUN = """
import { Agent } from "./dist/index.js";
const begun = async () => (await Agent.connect()).task("settle-complaint", {}, () => 1);
const told = await begun().catch(({ code, remediation }) => ({ code, remediation }));
console.log(JSON.stringify(told));
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remit]:
    """A running remit with functions for billing, the agent note-bot, and the approver omar."""
    with furnished_for_billing(tmp_path_factory.mktemp("typescript") / "house") as made:
        yield made


@pytest.fixture(scope="module")
def built() -> Path:
    """The folder with the built client and its packages."""
    environment = NodeEnvironment("typescript", SOURCE)
    try:
        environment.ready()
    except NotInstalled as fault:
        pytest.skip(str(fault))
    place = environment.modules.parent
    shutil.rmtree(place / "src", ignore_errors=True)
    shutil.copytree(SOURCE / "src", place / "src")
    shutil.copy(SOURCE / "tsconfig.json", place)
    compiler = environment.modules / "typescript" / "bin" / "tsc"
    done = subprocess.run([str(NODE), str(compiler)], cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return place


def run(built: Path, house: Remit, program: str, *, head: str = HEAD, **env: str) -> Json:
    """Return what a program of the agent prints."""
    done = subprocess.run(
        [str(NODE), "--input-type=module", "-e", head + program],
        capture_output=True, text=True, timeout=120, check=False, cwd=built,
        env={
            "PATH": "/usr/bin:/bin",
            "REMIT_URL": house.url,
            "REMIT_AGENT": "note-bot",
            "REMIT_KEY_FILE": str(house.folder / ".remit" / "agents" / "note-bot.key.json"),
            **env,
        },
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_function_runs_where_remit_permits_it_and_its_result_comes_without_withheld_fields(
    built: Path, house: Remit
) -> None:
    """A refusal has its reason and its decision; the task ends with its block."""
    told = run(built, house, """
        const outcome = await inTask(async (task) => {
          const found = { name: "Ada", iban: "DE89370400440532013000" };
          const customer = task.guard("billing/customer", () => found);
          const seen = await customer({ customer: "C-1" });
          const made = await refunding(task)({ customer: "C-1", cents: 100 });
          const refused = await refunding(task)({ customer: "C-1", cents: 5000 }).catch(told);
          return { task: task.id, seen, made, refused, later: task };
        });
        const late = await refunding(outcome.later)({ customer: "C-1", cents: 1 }).catch(told);
        console.log(JSON.stringify({ ...outcome, later: late, paid }));
    """)  # fmt: skip
    assert told["seen"]["name"] == "Ada"
    assert "DE89" not in json.dumps(told)
    assert (told["made"], told["paid"]) == ("refunded 100", [100])
    assert told["refused"]["kind"] == "Refused"
    assert told["refused"]["decision"].startswith("dec_")
    assert "1000" in told["refused"]["text"]
    assert told["later"]["code"] == "task-ended"
    assert house.ask("task", "show", told["task"])["state"] == "completed"


def test_a_function_that_fails_is_reported_with_its_released_text(built: Path, house: Remit) -> None:
    """Calls made at once are judged in their order."""
    told = run(built, house, """
        const outcome = await inTask(async (task) => {
          const lose = task.guard("billing/lose", () => { throw new RangeError("the ledger is closed"); });
          const lost = await lose({ customer: "C-1" }).catch(told);
          const ask = (cents) => refunding(task)({ customer: "C-1", cents }).catch(told);
          const asked = [2000, 2001, 2002, 2003].map(ask);
          const odd = await refunding(task)({ customer: "C-1", cents: new Date() }).catch(told);
          return { task: task.id, lost, odd, order: (await Promise.all(asked)).map((one) => one.decision) };
        });
        console.log(JSON.stringify({ ...outcome, paid }));
    """)  # fmt: skip
    assert told["lost"] == {
        "kind": "RangeError", "text": "Failed: RangeError: the ledger is closed", "name": "Failed",
    }  # fmt: skip
    assert told["odd"]["code"] == "arguments-form"
    assert told["paid"] == []
    log = house.ask("audit", "log", "--task", told["task"], "--kind", "decision.made")
    events = sorted(log["items"] if isinstance(log, dict) else log, key=lambda one: one["index"])
    assert [one["call"] for one in events][-4:] == told["order"]


def test_an_error_that_is_shown_whole_has_no_withheld_value_and_a_task_no_token(
    built: Path, house: Remit
) -> None:
    """A program sets an error's name to any text, and prints what it has."""
    told = run(built, house, """
        import { inspect } from "node:util";
        const shown = await inTask(async (task) => {
          const iban = "DE89370400440532013000";
          const fault = Object.assign(new Error(iban, { cause: iban }), { name: iban, iban });
          const customer = task.guard("billing/customer", () => { throw fault; });
          const raised = await customer({ customer: "C-1" }).catch((one) => one);
          const whole = { depth: 9, showHidden: true };
          return { raised: inspect(raised, whole), task: inspect(task, { depth: 9 }) };
        });
        console.log(JSON.stringify(shown));
    """)  # fmt: skip
    assert "Failed: Error" in told["raised"]
    assert "DE89" not in told["raised"]
    assert "tsk_" in told["task"]
    assert "eyJ" not in told["task"]


def test_a_call_waits_for_a_person(built: Path, house: Remit) -> None:
    """It is made once they have approved it."""
    program = """
        const made = await inTask((task) => {
          const credit = task.guard("billing/credit", ({ cents }) => `credited ${cents}`, { waitS: 60 });
          return credit({ customer: "C-1", cents: 5 });
        });
        console.log(JSON.stringify(made));
    """
    with ThreadPoolExecutor(1) as beside:
        running = beside.submit(run, built, house, program)
        while not running.done():
            for one in house.ask("approvals", by="omar")["items"]:
                assert house("approve", one["id"], "--confirm", one["call"], by="omar").code == 0
        assert running.result() == "credited 5"


def test_the_official_client_of_mcp_calls_upstreams_in_the_task(built: Path, house: Remit) -> None:
    """A note is read through remit; another origin gets no token."""
    told = run(built, house, """
        import { Client } from "@modelcontextprotocol/sdk/client/index.js";
        import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
        const outcome = await inTask(async (task) => {
          const client = new Client({ name: "test", version: "1" });
          const fetch = task.fetch("notes");
          await client.connect(new StreamableHTTPClientTransport(task.mcpUrl("notes"), { fetch }));
          const { tools } = await client.listTools();
          const { content } = await client.callTool({ name: tools[0].name, arguments: { name: "welcome" } });
          await client.close();
          const elsewhere = await fetch("http://127.0.0.1:9/mcp/notes").catch(told);
          return { tools: tools.map((one) => one.name), content, elsewhere };
        });
        console.log(JSON.stringify(outcome));
    """)  # fmt: skip
    assert told["tools"] == ["read_note"]
    assert told["content"][0]["text"]
    assert "is not this remit" in told["elsewhere"]["text"]


@pytest.mark.parametrize(
    ("env", "code"),
    [
        ({"REMIT_URL": "http://127.0.0.1:9"}, "unreachable"),
        ({"REMIT_URL": "http://remit.example"}, "no-identity"),
        ({"REMIT_AGENT": ""}, "no-identity"),
        ({"REMIT_KEY_FILE": "/nowhere/key.json"}, "no-identity"),
        ({"REMIT_KEY_FILE": "", "REMIT_TOKEN_FILE": "/nowhere/token"}, "no-identity"),
    ],
)
def test_no_answer_and_no_identity_are_refusals(
    built: Path, house: Remit, env: dict[str, str], code: str
) -> None:
    """Each says what to do."""
    told = run(built, house, BEGUN, head="", **env)
    assert told["code"] == code
    assert told["remediation"]


def test_the_client_stays_small() -> None:
    """It is the wire client alone."""
    text = "".join(one.read_text("utf-8") for one in (SOURCE / "src").glob("*.ts"))
    code = [one for one in text.splitlines() if one.strip() and not re.match(r"\s*(//|/?\*)", one)]
    assert len(code) <= MAX_CODE_LINES
