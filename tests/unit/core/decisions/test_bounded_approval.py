# SPDX-License-Identifier: Apache-2.0
"""What a question offers beyond just this once, and for which calls it offers nothing."""

from typing import Any

import msgspec
import pytest

from remit.core.decisions.bounded_approval import covers, is_high_risk, offered, scope_of
from remit.core.flow.facts import Flow, FlowFacts
from remit.core.label import Classes
from remit.core.tools.constraint import load
from remit.core.tools.tool import Argument, ArgumentRole, CodeSource, Effect, FieldLabel, Variant
from tests.samples.policy_requests import STRING, request, tool

Json = Any
TO, ABOUT = Argument(ArgumentRole.DESTINATION), Argument(ArgumentRole.SELECTOR)
MAIL = tool(
    "office",
    "send",
    {"to": STRING, "text": STRING, "id": STRING},
    effect=Effect.IRREVERSIBLE,
    arguments={"to": TO, "id": ABOUT, "text": Argument()},
)


def offer(arguments: dict[str, Json], of: Json = MAIL, **facts: Json) -> Json:
    """Return what a question about a call offers, where rules allow five calls and two risky ones."""
    return offered(request(of, arguments, flow=Flow(FlowFacts(**facts))), ordinary=5, high_risk=2)


def described(**arguments: Argument) -> Json:
    """Return the tool with other arguments."""
    return msgspec.structs.replace(MAIL, arguments=MAIL.arguments | arguments)


def with_schema(schema: Json) -> Json:
    """Return the tool with another schema of its text."""
    properties = {"to": STRING, "text": schema}
    return msgspec.structs.replace(MAIL, surface={"inputSchema": {"properties": properties}})


def test_a_call_that_leads_nowhere_offers_nothing() -> None:
    """A person could not be shown where the other calls go."""
    assert offer({"text": "x"}) is None


def test_a_tool_without_a_description_offers_nothing() -> None:
    """None of its arguments is known to be only a text."""
    assert offer({"to": "a", "text": "x"}, of=msgspec.structs.replace(MAIL, described=False)) is None


def test_a_call_without_a_text_offers_nothing() -> None:
    """The other calls would be the same call again."""
    assert offer({"to": "a"}) is None


def test_a_question_about_the_text_offers_nothing() -> None:
    """An address or link of others, or a code, is in the text."""
    assert offer({"to": "a", "text": "x"}, content_foreign=True) is None
    assert offer({"to": "a", "text": "x"}, discloses_code=True) is None


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "enum": ["x", "y"]},
        {"type": "string", "const": "x"},
        {"type": "string", "format": "email"},
        {"type": "string", "pattern": "^x"},
        {"type": ["string", "integer"]},
        {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        {"$ref": "#/$defs/text"},
        {},
        True,
    ],
)
def test_what_the_schema_does_not_call_a_free_text_stays_as_shown(schema: Json) -> None:
    """A choice among listed values may be a power that no file describes."""
    assert offer({"to": "a", "text": "x"}, of=with_schema(schema)) is None


@pytest.mark.parametrize(
    "schema", [{"type": ["string", "null"]}, {"anyOf": [{"type": "string"}, {"type": "null"}]}]
)
def test_an_optional_text_is_a_text(schema: Json) -> None:
    """Schemas made from programs write it so."""
    assert offer({"to": "a", "text": "x"}, of=with_schema(schema)).texts == ("text",)


@pytest.mark.parametrize(
    "spec",
    [
        Argument(sensitive=True),
        Argument(secret=True),
        Argument(secret=True, one_time=CodeSource(("a",), ("b",))),
        Argument(least=("x",)),
        Argument(ArgumentRole.CODE),
        Argument(ArgumentRole.AMOUNT),
    ],
)
def test_a_power_a_secret_and_what_is_hidden_stay_as_shown(spec: Argument) -> None:
    """So nothing is left that may differ."""
    assert offer({"to": "a", "text": "x"}, of=described(text=spec)) is None


def test_a_part_of_a_text_that_is_described_for_itself_stays_as_shown() -> None:
    """The rest of an object is no text."""
    split = described(**{"text.to": TO})
    assert offer({"to": "a", "text": {"to": "b", "more": "x"}}, of=split) is None


@pytest.mark.parametrize(
    ("arguments", "change"),
    [
        ({"to": "a"}, {"financial": True}),
        ({"to": "a"}, {"production": True}),
        ({"id": "7"}, {}),
        ({"to": "a"}, {"surface": {"annotations": {"destructiveHint": True}}}),
        ({"to": "a"}, {"arguments": {"to": Argument(ArgumentRole.DESTINATION, hands_over=True)}}),
        ({"to": "a", "role": "x"}, {"arguments": {"to": TO, "role": Argument(least=("read",))}}),
        ({"to": "a", "run": "x"}, {"arguments": {"to": TO, "run": Argument(ArgumentRole.CODE)}}),
    ],
)
def test_what_has_a_high_risk(arguments: dict[str, Json], change: dict[str, Json]) -> None:
    """Money, production, destruction, handing over, powers and code."""
    assert is_high_risk(msgspec.structs.replace(MAIL, **change), arguments)


def test_sending_and_reversible_changes_have_no_high_risk() -> None:
    """A message cannot be undone, and destroys nothing."""
    assert not is_high_risk(MAIL, {"to": "a", "text": "x"})
    assert not is_high_risk(msgspec.structs.replace(MAIL, effect=Effect.REVERSIBLE), {"id": "7"})


def test_an_offer_of_a_class_that_is_gone_covers_nothing() -> None:
    """A new bundle may have renamed the classes."""
    call = request(MAIL, {"to": "a", "text": "x"})
    made = offered(call, ordinary=5, high_risk=0)
    assert made is not None
    assert covers(made, call, Classes())
    assert not covers(made, call, Classes(order=("open", "closed"), clearance={}))


def test_the_scope_of_a_tool_is_the_same_in_every_process() -> None:
    """Sets have no order, and a digest over them must not depend on one."""
    categories = frozenset(f"category-{n}" for n in range(40))
    shuffled = frozenset(sorted(categories, reverse=True))
    one, other = (
        msgspec.structs.replace(MAIL, label=msgspec.structs.replace(MAIL.label, categories=some))
        for some in (categories, shuffled)
    )
    arguments = {"to": "a", "text": "x"}
    assert scope_of(request(one, arguments)) == scope_of(request(other, arguments))


def test_the_conditions_of_a_tool_file_are_part_of_the_scope() -> None:
    """Also those that hold a compiled pattern: another pattern is another scope."""

    def with_condition(pattern: str) -> str:
        rules = {"to": load({"all": [{"pattern": pattern}, {"glob": f"{pattern}/*"}, {"range": {"max": 3}}]})}
        fields = (FieldLabel("from", MAIL.label, {"from": load({"email_domain": ["ext.example"]})}),)
        tool = msgspec.structs.replace(MAIL, variants=(Variant(rules, Effect.NONE),), fields=fields)
        return scope_of(request(tool, {"to": "a", "text": "x"}))

    assert with_condition("a") == with_condition("a")
    assert with_condition("a") != with_condition("b")
