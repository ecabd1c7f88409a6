# SPDX-License-Identifier: Apache-2.0
"""The paths of data in the console."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.core.label import Audience, Label, Trust
from remit.core.policy.bundle import Bundle
from remit.core.tasks.grant import GrantTemplate
from remit.core.tools.tool import Effect
from tests.gateways.console_gateway import HOSTILE, ConsoleGateway, console_gateway, written_out
from tests.worlds.calls import ASK, a_bundle, a_tool, a_type
from tests.worlds.services import PERMIT

CUT = (
    '@id("no-outside")\nforbid (principal, action == Action::"web/post", resource)\n'
    "when { context.label.untrusted };\n"
)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ConsoleGateway]:
    """A desk with a console."""
    async with console_gateway(tmp_path) as made:
        yield made


def leaky(policy: str = PERMIT + ASK, extra: int = 0, name: str = "browse") -> Bundle:
    """Return a bundle in which a task type reads the web and private data, and posts outside."""
    tools: list[Any] = [
        a_tool("read", Effect.NONE, upstream="web", audience=Audience("self"),
               label=Label(trust=Trust.UNTRUSTED)),
        a_tool("secrets", Effect.NONE, audience=Audience("self"), label=Label(data_class="confidential")),
        a_tool("post", Effect.IRREVERSIBLE, upstream="web", audience=Audience("external")),
        *(a_tool(f"more-{number}", Effect.IRREVERSIBLE, upstream="web", audience=Audience("external"))
          for number in range(extra)),
    ]  # fmt: skip
    kind = a_type(name, grants=tuple(GrantTemplate(one.id, other_arguments=True) for one in tools))
    return msgspec.structs.replace(
        a_bundle(policy, f"sha256:{len(policy)}-{extra}"),
        tools={one.id: one for one in tools},
        task_types={name: kind},
    )


async def applied(world: ConsoleGateway, bundle: Bundle) -> None:
    """Put a bundle in force."""
    await world.services.policies.apply(bundle, by="root")
    await world.services.tools.registry.described()


async def test_an_open_path_is_drawn_and_listed(world: ConsoleGateway) -> None:
    """From the untrusted source through the task type to the effect outside."""
    await applied(world, leaky())
    page = await (await world.browse("vera")).get("/console/paths")
    assert page.status == 200
    assert 'class="line open"' in page.text
    assert ">web/read<" in page.text
    assert ">web/post<" in page.text
    assert "toxic" in page.text


async def test_a_rule_that_cuts_a_path_is_named(world: ConsoleGateway) -> None:
    """The survey follows the bundle in force."""
    vera = await world.browse("vera")
    await applied(world, leaky())
    assert "no-outside" not in (await vera.get("/console/paths")).text
    await applied(world, leaky(PERMIT + ASK + CUT))
    page = await vera.get("/console/paths?kind=toxic")
    assert "<code>no-outside</code>" in page.text
    assert 'class="line refused"' in page.text
    assert "No path matches" in (await vera.get("/console/paths?kind=toxic&look=open")).text


async def test_paths_are_filtered(world: ConsoleGateway) -> None:
    """By agent and task type; a word that is none is refused or finds nothing."""
    await applied(world, leaky())
    vera = await world.browse("vera")
    assert ">web/post<" in (await vera.get("/console/paths?agent=clerk&task=browse")).text
    assert "No path matches" in (await vera.get("/console/paths?agent=ghost")).text
    assert (await vera.get("/console/paths?kind=x")).status == 400


async def test_a_thousand_tools_make_a_bounded_page(world: ConsoleGateway) -> None:
    """The graph and the table stop, and say how much is left."""
    await applied(world, leaky(extra=1_000))
    page = await (await world.browse("vera")).get("/console/paths")
    assert page.status == 200
    assert "more: filter to see them" in page.text
    assert page.text.count('class="box"') <= 3 * 14
    assert len(page.text) < 200_000


async def test_names_stay_text_and_people_without_a_role_see_none(world: ConsoleGateway) -> None:
    """A task type is named by its author."""
    await applied(world, leaky(name=HOSTILE))
    page = await (await world.browse("vera")).get("/console/paths")
    assert page.status == 200
    assert written_out(page.text)
    assert (await (await world.browse("lena")).get("/console/paths")).status == 403
