# SPDX-License-Identifier: Apache-2.0
"""What the search decides is what the endpoint does."""

import string
from pathlib import Path
from random import Random
from typing import Any

from remit.core.label import Audience, Label, Trust
from remit.core.policy.bundle import Bundle
from remit.core.tasks.grant import GrantTemplate
from remit.core.tasks.task import TaskType
from remit.core.tools.tool import Argument, ArgumentRole, Effect
from remit.services.tasks.tasks import Opening
from tests.adversary.genome import drawn
from tests.adversary.scene import EVIL, GOOD, Flavour
from tests.adversary.scenes import SCENES
from tests.adversary.stage import Stage
from tests.samples.policy_requests import guardrails
from tests.samples.tokens import task_token
from tests.worlds.mcp_endpoint import GatewayWorld, a_tool, gateway_world

Json = Any

SCENE = next(one for one in SCENES if one.name == "URL, written to")
SAMPLE = 40
#: `files/echo` is what the scene posts with, `notes/echo` what it reads with.
POST = a_tool(
    "files",
    "echo",
    effect=Effect.IRREVERSIBLE,
    audience=Audience("external"),
    arguments={"text": Argument(ArgumentRole.DESTINATION)},
    asked_by=("post", "publish", "send", "submit"),
    repeats=True,
)
READ = a_tool("notes", "echo", label=Label(trust=Trust.UNTRUSTED), arguments={"text": Argument()})


def bundle() -> Bundle:
    """Return the scene's bundle, with the guardrails that `remit init` copies."""
    grants = tuple(GrantTemplate(one.id, other_arguments=True) for one in (POST, READ))
    work = TaskType(
        name="work", purpose="Work", run_by=("bot",), requested_by=("group:staff",), grants=grants
    )
    return Bundle(
        tools={one.id: one for one in (POST, READ)},
        task_types={"work": work},
        policies=tuple(guardrails()),
        digest="sha256:adversary",
    )


def sample() -> list[str]:
    """Return texts of the search that a header can hold, too: this server wants its argument in one."""
    rng, found = Random("endpoints"), [GOOD, EVIL, f"{EVIL}#<summary>"]
    plain = set(string.ascii_letters + string.digits + string.punctuation)
    while len(found) < SAMPLE:
        value = drawn(rng, SCENE).value()
        if isinstance(value, str) and 0 < len(value) < 1_000 and plain.issuperset(value):
            found.append(value)
    return found


async def through_the_endpoint(world: GatewayWorld, texts: list[str]) -> list[bool]:
    """Make each call in its own task; return which of the calls reached the upstream."""
    person = await world.services.identity.directory.person("lena")
    out = []
    for text in texts:
        opening = Opening(agent="bot", task_type="work", goal=SCENE.said(Flavour.WORDS))
        task = await world.services.tasks.tasks.open(opening, person=person)
        token = await task_token(world.services, task.id)
        session = await world.session(path="/mcp/notes", token=token)
        page = {"name": "echo", "arguments": {"text": SCENE.reads[0].result}}
        await world.legacy("tools/call", page, session=session, path="/mcp/notes", token=token)
        before = len(world.calls())
        await world.call("echo", {"text": text}, token=token)
        out.append(len(world.calls()) > before)
    return out


async def test_the_endpoint_decides_as_the_search_does(tmp_path: Path) -> None:
    """Candidates of the search, made as calls at the MCP endpoint, go to the upstream where the search says
    so.
    """
    texts = sample()
    with Stage() as stage:
        opened = stage.open(SCENE, Flavour.WORDS)
        verdicts = stage.judge([opened.call(one) for one in texts])
    async with gateway_world(tmp_path, bundle=bundle()) as world:
        went = await through_the_endpoint(world, texts)
    decided = [one.permitted for one in verdicts]
    assert [text for text, one, other in zip(texts, went, decided, strict=True) if one != other] == []
    assert decided[:2] == [True, False]
