# SPDX-License-Identifier: Apache-2.0
"""Agents of real frameworks at the gateway: each reads a refusal, and goes on with its work.

Each framework has an environment without the packages of remit. Its model is a script, so
nothing here asks a model.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gateways.live_gateway import LiveGateway
from tests.interop.environments import Environment
from tests.interop.suite import NotInstalled

pytestmark = pytest.mark.slow

Json = Any
FRAMEWORKS = Path(__file__).resolve().parent / "frameworks"
WORK = """
task: work
purpose: Look through the notes
run_by: [note-bot]
requested_by: ["agent:note-bot"]
requires_person: false
grants:
  - tool: notes/list_notes
  - tool: notes/read_note
    arguments: {name: {one_of: [shopping, gone]}}
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGateway]:
    """One gateway for all."""
    with LiveGateway(tmp_path_factory.mktemp("gateway"), tasks={"work": WORK}) as one:
        yield one


def run(gateway: LiveGateway, framework: str, *script: Json) -> Json:
    """Run a framework's agent in a task; return what its model read of each call, and what it said last."""
    environment = Environment(framework, FRAMEWORKS / f"{framework}.txt")
    try:
        environment.ready()
    except NotInstalled as fault:
        pytest.skip(str(fault))
    words = ("connect", "--agent", "note-bot", "--task", "work", "--upstream", "notes", "--http", "--alone")
    relay = gateway.start(*words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert relay.stdout is not None
    try:
        asked = {"address": relay.stdout.readline().strip(), "script": script}
        done = subprocess.run(
            [str(environment.python), str(FRAMEWORKS / f"{framework}_agent.py")],
            input=json.dumps(asked), capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
    finally:
        relay.terminate()
        relay.wait(120)
        relay.stdout.close()
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("framework", ["langgraph", "openai", "pydantic"])
def test_a_run_goes_on_after_a_refusal_that_its_model_reads(gateway: LiveGateway, framework: str) -> None:
    """The model reads what was refused, by which rule, and what would help; the next call works."""
    told = run(gateway, framework, ["read_note", {"name": "diary"}], ["read_note", {"name": "shopping"}])
    refused, read = told["heard"]
    for needed in (
        "remit refused this call",
        "task type work",
        "must be one of `shopping`",
        "remit explain dec_",
    ):
        assert needed in refused
    assert "milk" in read
    assert told["said"] == "done"
