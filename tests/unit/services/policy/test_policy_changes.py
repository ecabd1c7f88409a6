# SPDX-License-Identifier: Apache-2.0
"""A change of policies is told in words, and everything that may permit more is marked."""

from __future__ import annotations

import msgspec
import pytest

from remit.adapters.policy.cedar import CedarPolicies
from remit.adapters.policy.rego import RegoPolicies
from remit.core.label import Audience
from remit.core.policy.bundle import Bundle
from remit.core.tasks.ceiling import AuthorityCeiling, AuthorityCeilings
from remit.core.tasks.history import CountOf, HistoryCounter
from remit.core.tasks.model_prices import ModelPrice, ModelPrices
from remit.core.tasks.task import Budgets
from remit.core.tools.tool import Tool
from remit.services.policy.policy_changes import PolicyChange, changes, widest
from tests.samples.policy_requests import CLERK, READ, SUMMARISE, TOOLS, source
from tests.servers import opa_server

SCOPE = "(principal, action, resource)"
FORBID = f'@id("r") @reason("why") forbid {SCOPE} when {{ context.flow.tainted }};'
PERMIT = f'@id("r") @reason("why") permit {SCOPE} when {{ context.flow.tainted }};'
ASKS = FORBID.replace("forbid", '@otherwise("approval") forbid')
ELSE = "unless { context.cleared };"


def compared(before: str, after: str) -> list[PolicyChange]:
    """The changes from one text to another."""
    engine = CedarPolicies()
    old, new = (engine.load(source(text), TOOLS, [SUMMARISE], [CLERK]).rules() for text in (before, after))
    return changes(Bundle(), Bundle(), old, new)


@pytest.mark.parametrize(
    ("before", "after", "kind", "wider"),
    [
        ("", PERMIT, "added", "yes"),
        ("", FORBID, "added", "no"),
        ("", ASKS, "added", "no"),
        (PERMIT, "", "removed", "no"),
        (FORBID, "", "removed", "yes"),
        (ASKS, "", "removed", "yes"),
        (FORBID, ASKS, "changed", "yes"),
        (ASKS, FORBID, "changed", "no"),
        (FORBID, PERMIT, "changed", "yes"),
        (PERMIT, FORBID, "changed", "no"),
        (PERMIT, ASKS, "changed", "no"),
        (ASKS, FORBID.replace("tainted", "full"), "changed", "yes"),
        (FORBID, FORBID.replace("why", "because"), "reworded", "no"),
        (FORBID, FORBID.replace('"r"', '"s"'), "renamed", "no"),
        (FORBID, FORBID.replace("};", f"}} {ELSE}"), "changed", "yes"),
        (FORBID.replace("};", f"}} {ELSE}"), FORBID, "changed", "no"),
        (PERMIT, PERMIT.replace("};", f"}} {ELSE}"), "changed", "no"),
        (PERMIT.replace("};", f"}} {ELSE}"), PERMIT, "changed", "yes"),
        (FORBID, FORBID.replace("tainted", "full"), "changed", "maybe"),
        (FORBID, FORBID.replace("action,", 'action in Action::"effect:none",'), "changed", "maybe"),
        (FORBID, FORBID.replace("principal,", 'principal in Group::"legal",'), "changed", "maybe"),
    ],
)
def test_what_may_permit_more_is_marked(before: str, after: str, kind: str, wider: str) -> None:
    """Only a change whose form shows that it cannot is left without a mark."""
    (change,) = compared(before, after)
    assert (change.kind, change.wider) == (kind, wider)
    assert change.words


REDACTS = f'@redact("iban, owner") @step_up {PERMIT}'
NARROW = "unless { context.cleared };"
TWO = ASKS.replace("@otherwise", '@approvers("2") @approver_group("owners") @otherwise')
BOUNDED = ASKS.replace("@otherwise", '@bounded("5") @bounded_high_risk("2") @otherwise')


@pytest.mark.parametrize(
    ("before", "after", "wider", "words"),
    [
        (REDACTS, PERMIT, "yes", "permits; `redact:iban`, `redact:owner`, `step_up` no longer demanded"),
        (REDACTS, REDACTS.replace(", owner", ""), "yes", "permits; `redact:owner` no longer demanded"),
        (REDACTS, REDACTS.replace("@step_up ", ""), "yes", "permits; `step_up` no longer demanded"),
        (
            REDACTS,
            REDACTS.replace("@step_up", '@notify("security")'),
            "yes",
            "permits; `step_up` no longer demanded; `notify:security` newly demanded",
        ),
        (PERMIT, f"@require_reason {PERMIT}", "no", "permits; `require_reason` newly demanded"),
        (
            REDACTS,
            REDACTS.replace("};", f"}} {NARROW}"),
            "maybe",
            "permits; one condition more, so it applies to fewer calls",
        ),
        (
            REDACTS.replace("};", f"}} {NARROW}"),
            PERMIT.replace("};", f"}} {NARROW}").replace("why", "because"),
            "yes",
            "permits; `redact:iban`, `redact:owner`, `step_up` no longer demanded",
        ),
        (REDACTS, FORBID, "maybe", "permits -> refuses"),
        (REDACTS, ASKS, "maybe", "permits -> asks an approver"),
        (
            BOUNDED,
            BOUNDED.replace('"5"', '"50"'),
            "yes",
            "asks an approver; one approval permits 50 calls at most, not 5",
        ),
        (
            ASKS,
            ASKS.replace("@otherwise", '@bounded_high_risk("2") @otherwise'),
            "yes",
            "asks an approver; one approval permits 2 high-risk calls at most, not 1",
        ),
        (
            BOUNDED,
            BOUNDED.replace('"5"', '"3"').replace('@bounded_high_risk("2") ', ""),
            "no",
            (
                "asks an approver; one approval permits 3 calls at most, not 5; "
                "one approval permits 1 high-risk calls at most, not 2"
            ),
        ),
        (BOUNDED, FORBID, "no", "asks an approver -> refuses"),
        (TWO, ASKS, "yes", "asks an approver; it asks 1 approver, not 2 approvers of group `owners`"),
        (
            TWO,
            TWO.replace("owners", "leads"),
            "maybe",
            "asks an approver; it asks 2 approvers of group `leads`, not 2 approvers of group `owners`",
        ),
        (ASKS, TWO, "no", "asks an approver; it asks 2 approvers of group `owners`, not 1 approver"),
    ],
)
def test_an_obligation_that_is_gone_and_a_wider_approval_permit_more(
    before: str, after: str, wider: str, words: str
) -> None:
    """They are part of what a rule says, unlike its reason."""
    (change,) = compared(before, after)
    assert (change.kind, change.wider, change.words) == ("changed", wider, words)


def test_a_permit_that_is_gone_takes_its_obligations_with_it() -> None:
    """Another permit, without them, may permit the same calls."""
    (change,) = compared(REDACTS, "")
    assert (change.kind, change.wider) == ("removed", "maybe")
    assert change.words.endswith("another permit may not demand `redact:iban`, `redact:owner`, `step_up`")
    names = [(one.kind, one.name) for one in compared(REDACTS, PERMIT.replace('"r"', '"s"'))]
    assert names == [("added", "s"), ("removed", "r")]


REGO_PERMIT = """package remit
# METADATA
# custom:
#   redact: iban
#   reason: why
permit contains "p" if input.context.flow.tainted
"""
REGO_ASKS = """package remit
# METADATA
# custom:
#   otherwise: approval
#   bounded: 5
forbid contains "r" if input.context.flow.tainted
"""


@pytest.mark.parametrize(
    ("before", "after", "kind", "wider"),
    [
        (REGO_PERMIT, REGO_PERMIT.replace("#   redact: iban\n", ""), "changed", "yes"),
        (REGO_PERMIT, REGO_PERMIT.replace("iban", "iban, owner"), "changed", "no"),
        (REGO_PERMIT, REGO_PERMIT.replace("why", "because"), "reworded", "no"),
        (REGO_PERMIT, REGO_PERMIT.replace("input.context.flow.tainted", "true"), "changed", "maybe"),
        (REGO_ASKS, REGO_ASKS.replace("5", "50"), "changed", "yes"),
        (REGO_ASKS, REGO_ASKS.replace("5", "2"), "changed", "no"),
        (
            REGO_ASKS,
            REGO_ASKS.replace("#   otherwise: approval\n#   bounded: 5", "#   reason: no"),
            "changed",
            "no",
        ),
        (REGO_ASKS, REGO_ASKS.replace("tainted", "full"), "changed", "maybe"),
    ],
)
def test_changes_of_rego_are_marked_alike(before: str, after: str, kind: str, wider: str) -> None:
    """A rule in Rego is one body, so any other condition may permit more."""
    engine = RegoPolicies(program=opa_server.program())
    old, new = (
        engine.load(source(text, "policies/test.rego"), TOOLS, [SUMMARISE], [CLERK])
        for text in (before, after)
    )
    assert not old.served
    assert not new.served
    (change,) = changes(Bundle(), Bundle(), old.rules(), new.rules())
    assert (change.kind, change.wider) == (kind, wider)


def test_rules_of_rego_are_one_only_with_one_body() -> None:
    """A rule that is gone and another that comes are no new name."""
    engine = RegoPolicies(program=opa_server.program())
    one, other = (
        engine.load(
            source(f'package remit\nforbid contains "{text}\n', "p/t.rego"), TOOLS, [SUMMARISE], [CLERK]
        )
        for text in ('a" if input.context.flow.tainted', 'b" if input.context.flow.full')
    )
    assert not one.served
    assert not other.served
    found = changes(Bundle(), Bundle(), one.rules(), other.rules())
    assert [(each.kind, each.wider) for each in found] == [("removed", "yes"), ("added", "no")]


def test_a_condition_that_can_err_refuses_and_its_end_may_permit_more() -> None:
    """A rule that errs refuses, whatever it says: without the sum that overflows, the call goes on."""
    errs = FORBID.replace("context.flow.tainted", "context.flow.tainted").replace(
        "};", "} when { context.crossings + 1 > 3 };"
    )
    (change,) = compared(errs, FORBID)
    assert change.wider == "maybe"
    errs = PERMIT.replace("};", "} when { context.crossings + 1 > 3 };")
    (gone,) = compared(errs, "")
    assert (gone.kind, gone.wider) == ("removed", "maybe")


def test_texts_and_reasons_are_told() -> None:
    """A reviewer sees both texts."""
    (change,) = compared(FORBID, ASKS)
    assert (change.before, change.after, change.words) == (FORBID, ASKS, "refuses -> asks an approver")


def test_nothing_differs_between_equal_policies() -> None:
    """Whatever the order of their files."""
    assert compared(FORBID, FORBID) == []
    assert widest([]) == "no"


def test_what_permits_more_comes_first() -> None:
    """Nothing hides at the end of a long list."""
    found = compared(FORBID, PERMIT.replace('"r"', '"p"'))
    assert [one.wider for one in found] == ["yes", "yes"]
    found = compared("", f"{FORBID}\n{PERMIT.replace(chr(34) + 'r', chr(34) + 'p')}")
    assert [(one.name, one.wider) for one in found] == [("p", "yes"), ("r", "no")]
    assert widest(found) == "yes"


def _bundle(*tools: Tool, types: bool = True) -> Bundle:
    return Bundle(
        tools={tool.id: tool for tool in tools}, task_types={SUMMARISE.name: SUMMARISE} if types else {}
    )


def test_another_description_of_a_tool_may_permit_more() -> None:
    """A tool without a description counts as the worst case, so the end of one is stricter."""
    other = msgspec.structs.replace(READ, audience=Audience("self"))
    for before, after, kind, wider in (
        (_bundle(READ), _bundle(other), "changed", "maybe"),
        (_bundle(), _bundle(READ), "added", "maybe"),
        (_bundle(READ), _bundle(), "removed", "no"),
    ):
        (change,) = changes(before, after, [], [])
        assert (change.of, change.kind, change.wider) == ("tool", kind, wider)
    (change,) = changes(_bundle(READ), _bundle(other), [], [])
    assert change.fields == ("audience",)


def test_a_new_task_type_permits_more_and_one_that_is_gone_does_not() -> None:
    """Its grants count as soon as a task of it is opened."""
    (gone,) = changes(_bundle(), _bundle(types=False), [], [])
    (new,) = changes(_bundle(types=False), _bundle(), [], [])
    assert (gone.wider, new.wider) == ("no", "yes")


def test_other_clearances_may_permit_more() -> None:
    """An audience may learn another class."""
    classes = msgspec.structs.replace(Bundle().classes, clearance={"external": "restricted"})
    (change,) = changes(Bundle(), Bundle(classes=classes), [], [])
    assert (change.of, change.wider) == ("classes", "maybe")


def test_a_counter_that_changes_may_permit_more() -> None:
    """A new one, or one that is gone, is read by no rule that stays as it is."""
    one = HistoryCounter(name="sent", of=CountOf.CALLS, window_s=3600)

    def found(before: tuple[HistoryCounter, ...], after: tuple[HistoryCounter, ...]) -> PolicyChange:
        (change,) = changes(Bundle(history=before), Bundle(history=after), (), ())
        return change

    assert [found((), (one,)).wider, found((one,), ()).wider] == ["no", "no"]
    shorter = found((one,), (msgspec.structs.replace(one, window_s=60),))
    assert (shorter.of, shorter.name, shorter.wider, shorter.fields) == (
        "counter", "sent", "maybe", ("window_s",)
    )  # fmt: skip
    assert shorter.words == "differs in window_s, and starts again"
    fewer = found((msgspec.structs.replace(one, this_call=True),), (one,))
    assert (fewer.wider, fewer.words) == ("maybe", "differs in this_call")


@pytest.mark.parametrize(
    ("old", "new", "wider", "words"),
    [
        ({"calls": 10}, {"calls": 20}, "yes", "`calls` from 10 to 20, which permits more"),
        ({"calls": 20}, {"calls": 10}, "no", "`calls` from 20 to 10"),
        ({"calls": 10}, {}, "yes", "`calls` from 10 to no bound, which permits more"),
        ({}, {"spend": 5_000_000}, "no", "`spend` from no bound to 5,000,000"),
        ({"calls": 10, "tokens": 5}, {"calls": 9, "tokens": 6}, "yes", "`tokens` from 5 to 6"),
    ],
)
def test_budgets_of_a_task_type_that_rise_are_marked(
    old: dict[str, int], new: dict[str, int], wider: str, words: str
) -> None:
    """And those that fall are not, where nothing else differs."""

    def bundle(budgets: dict[str, int], **more: str) -> Bundle:
        one = msgspec.structs.replace(SUMMARISE, budgets=Budgets(**budgets), **more)
        return Bundle(task_types={one.name: one})

    (found,) = changes(bundle(old), bundle(new), [], [])
    assert (found.of, found.wider, words in found.words) == ("task-type", wider, True)
    (found,) = changes(bundle(old), bundle(new, purpose="Else"), [], [])
    assert found.wider == ("yes" if wider == "yes" else "maybe")


def test_prices_that_fall_are_marked() -> None:
    """A budget of money permits more of what costs less; other models may cost anything."""
    price = ModelPrice(100, 200, 10, 20)

    def bundle(currency: str = "EUR", **models: ModelPrice) -> Bundle:
        return Bundle(prices=ModelPrices(currency, models))

    for after, wider in (
        (bundle(m=ModelPrice(100, 199, 10, 20)), "yes"),
        (bundle(m=ModelPrice(101, 199, 10, 20)), "yes"),
        (bundle(m=ModelPrice(101, 200, 10, 20)), "no"),
        (bundle("USD", m=price), "maybe"),
        (bundle(m=price, n=price), "maybe"),
    ):
        (found,) = changes(bundle(m=price), after, [], [])
        assert (found.of, found.wider) == ("prices", wider)


def test_changed_ceilings_are_told() -> None:
    """Whether they cut more or less depends on the tools."""
    after = Bundle(ceilings=AuthorityCeilings(agents={"clerk": AuthorityCeiling(tools=())}))
    (found,) = changes(Bundle(), after, [], [])
    assert (found.of, found.wider) == ("ceilings", "maybe")
