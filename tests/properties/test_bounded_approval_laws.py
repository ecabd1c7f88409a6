# SPDX-License-Identifier: Apache-2.0
"""Laws of bounded approvals: other texts are covered, and nothing else that differs or is worse."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from remit.core.decisions.bounded_approval import covers, offered
from remit.core.decisions.bounds import BoundedOffer
from remit.core.flow.facts import Flow, FlowFacts
from remit.core.flow.justification import Provenance
from remit.core.label import Classes, Label, Trust
from remit.core.tools.tool import Argument, ArgumentRole, Effect, Tool, ToolState
from tests.samples.policy_requests import STRING, request, tool

Json = Any
CLASSES = Classes()
MAIL = tool(
    "office",
    "send",
    {"to": STRING, "text": STRING, "urgent": {"type": "boolean"}, "list": {"type": "string", "enum": ["a"]}},
    effect=Effect.IRREVERSIBLE,
    audience="external",
    arguments={
        "to": Argument(ArgumentRole.DESTINATION),
        "about": Argument(ArgumentRole.SELECTOR),
        "sum": Argument(ArgumentRole.AMOUNT),
        "text": Argument(),
        "urgent": Argument(),
        "list": Argument(),
    },
)
SHOWN: dict[str, Json] = {
    "to": "tom@ext.example",
    "about": "M-1",
    "sum": 3,
    "text": "x",
    "urgent": False,
    "list": "a",
}
FACTS = FlowFacts(destination="untrusted", content="unknown", tainted=True)
LABEL = Label(data_class="internal", categories=frozenset({"pii"}), trust=Trust.UNTRUSTED)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
LABELS = st.builds(
    Label,
    data_class=st.sampled_from(CLASSES.order),
    categories=st.frozensets(st.sampled_from(["pii", "pay", "secret"])),
    trust=st.sampled_from(Trust),
    zones=st.frozensets(st.sampled_from(["web", "mail"])),
)
OF_TEXTS = {"content", "content_foreign", "content_near", "crossed", "discloses_code"}


def a_call(arguments: dict[str, Json] | None = None, facts: FlowFacts = FACTS, **more: Json) -> Json:
    """Return a request to mail tom."""
    known: dict[str, Json] = {"of": MAIL, "label": LABEL, "flow": Flow(facts)} | more
    return request(arguments=SHOWN if arguments is None else arguments, **known)


def the_offer() -> BoundedOffer:
    """Return what the question about the call offers."""
    offer = offered(a_call(), ordinary=5, high_risk=0)
    assert offer is not None
    return offer


@given(st.text())
def test_any_other_text_is_covered(text: str) -> None:
    """The argument that the card names as a text may hold every text."""
    assert the_offer().texts == ("text",)
    assert covers(the_offer(), a_call(SHOWN | {"text": text}), CLASSES)


@given(st.sampled_from([*SHOWN, "cc", "extra"]), JSON)
def test_no_other_value_is_covered(name: str, value: Json) -> None:
    """In any argument but the text, and in the text where it is no text; nor an argument that is added."""
    if name == "text" and isinstance(value, str):
        return
    if name in SHOWN and type(value) is type(SHOWN[name]) and value == SHOWN[name]:
        return
    assert not covers(the_offer(), a_call(SHOWN | {name: value}), CLASSES)


@given(st.sets(st.sampled_from(sorted(SHOWN)), min_size=1))
def test_no_argument_may_be_left_out(names: set[str]) -> None:
    """What a call leaves out, its server fills in."""
    left = {name: value for name, value in SHOWN.items() if name not in names}
    assert not covers(the_offer(), a_call(left), CLASSES)


@given(st.sampled_from(sorted(set(FlowFacts.__struct_fields__) - OF_TEXTS)))
def test_no_other_fact_of_the_flow_is_covered(name: str) -> None:
    """Whichever fact a rule may read: if it differs from what was shown, the call is another question."""
    before = getattr(FACTS, name)
    after = (not before) if isinstance(before, bool) else "intent" if before != "intent" else "trusted"
    facts = msgspec.structs.replace(FACTS, **{name: after})
    assert not covers(the_offer(), a_call(facts=facts), CLASSES)


@given(st.sampled_from(list(Provenance)), st.booleans(), st.booleans(), st.booleans())
def test_texts_carry_no_more_than_was_shown(
    content: Provenance, foreign: bool, crossed: bool, code: bool
) -> None:
    """A text of the agent was shown, so untrusted data, a link of others and a code are not covered."""
    facts = msgspec.structs.replace(
        FACTS, content=content.value, content_foreign=foreign, crossed=crossed, discloses_code=code
    )
    no_worse = content is not Provenance.UNTRUSTED and not (foreign or crossed or code)
    assert covers(the_offer(), a_call(facts=facts), CLASSES) is no_worse


@given(LABELS, st.integers(0, 3))
def test_the_task_carries_no_more_than_was_shown(label: Label, crossings: int) -> None:
    """A class, a category, a zone or distrust that came later is not covered; less is."""
    call = a_call(label=label, crossings=crossings)
    no_more = LABEL.join(label, CLASSES) == LABEL and crossings == 0
    assert covers(the_offer(), call, CLASSES) is no_more


@given(st.sampled_from(Tool.__struct_fields__))
def test_no_other_description_or_surface_of_the_tool_is_covered(name: str) -> None:
    """Whatever changes in the tool, also by a new bundle, makes it another one."""
    before = getattr(MAIL, name)
    changed: dict[type, Json] = {bool: not before, tuple: ("x",), dict: {"x": 1}}
    after = changed.get(type(before), "other")
    special = {
        "effect": Effect.REVERSIBLE,
        "label": Label(data_class="restricted"),
        "arguments": MAIL.arguments | {"to": Argument()},
        "state": ToolState.CHANGED,
    }
    after = special.get(name, after)
    assert not covers(the_offer(), a_call(of=msgspec.structs.replace(MAIL, **{name: after})), CLASSES)


@given(st.booleans(), st.booleans(), st.integers(0, 4), st.integers(0, 4))
def test_a_high_risk_is_offered_by_name_only(money: bool, production: bool, low: int, high: int) -> None:
    """An ordinary number does not speak for calls that move money or touch production."""
    risky = msgspec.structs.replace(MAIL, financial=money, production=production)
    offer = offered(a_call(of=risky), ordinary=low, high_risk=high)
    most = high if money or production else low
    assert (offer.most if offer else 0) == (most if most >= 2 else 0)
