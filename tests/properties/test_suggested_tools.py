# SPDX-License-Identifier: Apache-2.0
"""Whatever an upstream says of its tools, the draft loads, and is no better than its names suggest."""

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from remit.config import config_path, examine_bundle, load_config
from remit.core.label import Trust
from remit.core.tools.suggestions import UpstreamFacts, drafted, tools_text
from remit.core.tools.tool import Effect, Tool
from tests.examples import FEWER
from tests.samples.drafts import all_proposed

Json = Any

LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
ANYTHING = st.recursive(
    LEAVES,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=10), below, max_size=3),
)
NAMES = st.text(max_size=12) | st.sampled_from(
    [
        "id",
        "to",
        "url",
        "user_id",
        "file_id",
        "body",
        "sql",
        "password",
        "event_id",
        "attendees",
        "record_type",
        "otp",
        "a.b",
        "a[]",
        "[]",
        "{x}",
        "#",
        "true",
    ]
)


def objects(below: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    """Return schemas that are made of others."""
    return st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["object", "array", "string", "integer", ["string", "null"], 7]),
            "properties": st.dictionaries(NAMES, below, max_size=4),
            "items": below,
            "anyOf": st.lists(below, max_size=3),
            "$ref": st.sampled_from(["#", "#/properties/a", "#/$defs/x", "http://example.com", 3]),
            "$defs": st.dictionaries(st.just("x"), below, max_size=1),
            "format": st.sampled_from(["email", "uri", "uuid", "nonsense", None]),
            "description": LEAVES,
            "enum": ANYTHING,
        },
    )


SCHEMAS = st.recursive(ANYTHING, objects, max_leaves=20)
HINTS = st.dictionaries(
    st.sampled_from(["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"]),
    st.booleans() | LEAVES,
)
TOOL_NAMES = st.text(alphabet="abcdefgh_./-AZ09", min_size=1, max_size=20) | st.sampled_from(
    [
        *("get_user", "send_mail", "share_file", "true", "null", "resources:read", "list.orders", "0"),
        *("get_event", "update_event", "read_mail", "my_profile", "reply_to_thread"),
    ]
)


@st.composite
def tools(draw: st.DrawFn) -> Tool:
    """Return a tool with a surface of any form."""
    name = draw(TOOL_NAMES)
    surface = {
        "name": name,
        "description": draw(LEAVES),
        "inputSchema": draw(SCHEMAS),
        "outputSchema": draw(SCHEMAS),
        "annotations": draw(HINTS | ANYTHING),
    }
    return Tool(upstream="up", name=name, surface=surface)


def examined(text: str) -> tuple[dict[str, Tool], list[str]]:
    """Return the tools of a file for `tools/`, and the problems in it."""
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        for name in ("policies", "tools"):
            (where / name).mkdir()
        settings = "upstreams: {up: {command: [x]}}\ndirectory: {example.com: internal}\n"
        (where / "remit.yaml").write_text(settings, encoding="utf-8")
        (where / "policies/p.cedar").write_text("permit (principal, action, resource);\n", encoding="utf-8")
        (where / "tools/up.yaml").write_text(text, encoding="utf-8")
        bundle, problems = examine_bundle(load_config(config_path(where)))
    return bundle.tools, [str(problem) for problem in problems]


@FEWER
@given(st.lists(tools(), min_size=1, max_size=3, unique_by=lambda tool: tool.name))
def test_a_draft_always_loads(offered: list[Tool]) -> None:
    """No schema, name or description makes a draft that the loader refuses, or reads differently."""
    drafts = [drafted(tool, UpstreamFacts(), "restricted") for tool in offered]
    text = tools_text("up", drafts)
    found, problems = examined(text)
    assert problems == []
    for draft in drafts:
        tool = found[f"up/{draft.name}"]
        assert (tool.effect.value, str(tool.audience)) == (draft.effect.value, draft.audience.value)
        for one in draft.arguments:
            assert tool.arguments[one.path].role.value == one.role.value
            assert tool.arguments[one.path].secret == one.secret
    assert examined(all_proposed(text))[1] == []


@given(st.text(max_size=20), HINTS, st.text(max_size=40))
def test_nothing_that_a_server_says_makes_a_draft_better(name: str, hints: Json, says: str) -> None:
    """Hints and descriptions leave effect and audience as bad as without them, or make them worse."""
    order = [effect.value for effect in Effect]
    bare = drafted(Tool(upstream="up", name=name), UpstreamFacts(), "restricted")
    surface = {"annotations": hints, "description": says}
    said = drafted(Tool(upstream="up", name=name, surface=surface), UpstreamFacts(), "restricted")
    assert order.index(said.effect.value) >= order.index(bare.effect.value)
    assert (said.audience.value, said.data_class.value) == ("external", "restricted")
    assert said.trust.value == Trust.UNTRUSTED.value
