# SPDX-License-Identifier: Apache-2.0
"""What every policy engine owes the port. A new engine adds its factory and its dialect, and passes
unchanged.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import pytest

from remit.adapters.policy.cedar import CedarPolicies
from remit.adapters.policy.rego import RegoPolicies
from remit.core.decisions.decision import Outcome, weigh
from remit.core.errors import ConfigInvalid
from remit.core.tasks.history import CountOf, HistoryCounter, Unreadable
from remit.ports.policy import LoadedPolicy, PolicyEngine, PolicySource
from tests.samples.policy_requests import CLERK, PAY, READ, SUMMARISE, TOOLS, agent, request, source
from tests.servers import opa_server


class Dialect(NamedTuple):
    """One engine, and the rules of this suite in its language."""

    engine: Callable[[], PolicyEngine]
    head: str
    ending: str
    names_rule_that_errs: bool
    permit_all: str
    forbid_43: str
    ask_for_pay: str
    ask_errs: str
    forbid_errs: str
    group_only: str
    misspelt: str
    doubled: str
    broken: str
    history: str
    history_unknown: str


CEDAR = Dialect(
    engine=CedarPolicies,
    head="",
    ending=".cedar",
    names_rule_that_errs=True,
    permit_all='@id("all") permit (principal, action in Action::"call", resource);',
    forbid_43='@id("not-43") @reason("not {tool}")'
    ' forbid (principal, action == Action::"contracts/read", resource)'
    ' when { context.args.path == "C-43" };',
    ask_for_pay='@id("ask") @otherwise("approval")'
    ' forbid (principal, action == Action::"bank/pay", resource);',
    ask_errs='@id("ask-errs") @otherwise("approval") forbid (principal, action, resource)'
    " when { context.tier_level + 9223372036854775807 > 0 };",
    forbid_errs='@id("errs") forbid (principal, action == Action::"contracts/read", resource)'
    " when { context.args has lines && context.args.lines + 9223372036854775807 > 0 };",
    group_only='@id("interns") forbid (principal in Group::"interns", action, resource);',
    misspelt='@id("typo") forbid (principal, action == Action::"contracts/read", resource)\n'
    ' when { context.args.pth == "x" };',
    doubled='@id("all") permit (principal, action, resource);',
    broken="permit (principal, action",
    history='@id("often") forbid (principal, action == Action::"bank/pay", resource)'
    " when { context.history.sent >= 3 || context.history.calls > 9"
    " || (context.history has since && context.history.since < 60) };",
    history_unknown='@id("typo") forbid (principal, action, resource) when { context.history.snet > 1 };',
)

_AGAIN = ", ".join("0123456789")
_FOREVER = f"xs := [{_AGAIN}]; count([1 | {'; '.join(f'some x{n} in xs' for n in range(12))}]) > 0"


def rego() -> PolicyEngine:
    """Rego in process, with the program `opa`."""
    return RegoPolicies(program=opa_server.program(), fuel=20_000_000)


REGO = Dialect(
    engine=rego,
    head="package remit\n",
    ending=".rego",
    names_rule_that_errs=False,
    permit_all='permit contains "all"',
    forbid_43="""# METADATA
# custom:
#   reason: not {tool}
forbid contains "not-43" if { input.action.id == "contracts/read"; input.context.args.path == "C-43" }""",
    ask_for_pay="""# METADATA
# custom: { otherwise: approval }
forbid contains "ask" if input.action.id == "bank/pay\"""",
    ask_errs=f"""# METADATA
# custom: {{ otherwise: approval }}
forbid contains "ask-errs" if {{ input.context.tier_level > 0; {_FOREVER} }}""",
    forbid_errs=f"""forbid contains "errs" if {{
    input.action.id == "contracts/read"
    input.context.args.lines > 0
    {_FOREVER}
}}""",
    group_only='forbid contains "interns" if "interns" in input.principal.groups',
    misspelt="""forbid contains "typo" if {
    input.context.args.pth == "x"; input.action.id == "contracts/read" }""",
    doubled='permit contains "all"',
    broken="permit contains if {",
    history="""forbid contains "often" if { input.action.id == "bank/pay"; often }
often if input.context.history.sent >= 3
often if input.context.history.calls > 9
often if input.context.history.since < 60""",
    history_unknown='forbid contains "typo" if input.context.history.snet > 1',
)

pytestmark = pytest.mark.parametrize("dialect", [CEDAR, REGO], ids=["cedar", "rego"])


def written(dialect: Dialect, text: str) -> list[PolicySource]:
    """Return one file of rules."""
    return source(f"{dialect.head}{text}", f"policies/test{dialect.ending}")


def load(dialect: Dialect, *texts: str) -> LoadedPolicy:
    """Load rules of one dialect."""
    policy = dialect.engine().load(written(dialect, "\n".join(texts)), TOOLS, [SUMMARISE], [CLERK])
    assert not policy.served
    return policy


def test_nothing_is_permitted_by_default(dialect: Dialect) -> None:
    """With no rule at all a request is denied, without an error."""
    answer = load(dialect).evaluate(request())
    assert not answer.errors
    assert weigh(answer, frozenset())[0] is Outcome.DENY


def test_a_permit_is_named(dialect: Dialect) -> None:
    """A permitted request names the permitting rule by id and digest."""
    policy = load(dialect, dialect.permit_all)
    answer = policy.evaluate(request())
    assert [(ref.id, ref.digest) for ref in answer.permits] == [rule[:2] for rule in policy.rules()]
    assert weigh(answer, frozenset())[0] is Outcome.PERMIT


def test_forbid_wins(dialect: Dialect) -> None:
    """A satisfied forbid denies whatever permits, and its reason names the tool."""
    answer = load(dialect, dialect.permit_all, dialect.forbid_43).evaluate(request(READ, {"path": "C-43"}))
    assert [ref.id for ref in answer.forbids] == ["not-43"]
    assert [reason.text for reason in answer.reasons] == ["not contracts/read"]
    assert weigh(answer, frozenset())[0] is Outcome.DENY


def test_a_waivable_forbid_defers_where_a_permit_stands(dialect: Dialect) -> None:
    """A waivable forbid defers, and once exactly it is waived the request is permitted."""
    policy = load(dialect, dialect.permit_all, dialect.ask_for_pay)
    answer = policy.evaluate(request(PAY, {"to": "x", "amount": 1}))
    assert weigh(answer, frozenset()) == (Outcome.DEFER, answer.waivable)
    assert weigh(answer, frozenset(answer.waivable))[0] is Outcome.PERMIT


def test_a_waivable_forbid_alone_denies(dialect: Dialect) -> None:
    """Where nothing permits, there is nothing for a human to approve."""
    answer = load(dialect, dialect.ask_for_pay).evaluate(request(PAY, {"to": "x", "amount": 1}))
    assert weigh(answer, frozenset())[0] is Outcome.DENY


@pytest.mark.parametrize("which", ["forbid_errs", "ask_errs"])
def test_a_rule_that_errs_refuses(dialect: Dialect, which: str) -> None:
    """A forbid whose condition errs denies; the error names the rule, where that is known, and no value."""
    policy = load(dialect, dialect.permit_all, getattr(dialect, which))
    answer = policy.evaluate(request(READ, {"path": "C-42", "lines": 77123}))
    assert weigh(answer, frozenset())[0] is Outcome.DENY
    assert answer.errors
    assert "errs" in answer.errors[0] or not dialect.names_rule_that_errs
    assert "77123" not in str(answer)


def test_a_rule_says_what_it_reads_and_compares(dialect: Dialect) -> None:
    """With the values of one call; what the call does not have is left out."""
    policy = load(dialect, dialect.permit_all, dialect.forbid_43, dialect.group_only)
    rules = {rule.id: rule for rule in policy.rules()}
    assert "context.args.path" in rules["not-43"].reads
    assert ("context.args.path", "C-43") in rules["not-43"].compared
    assert policy.facts(request(READ, {"path": "C-42"}), "not-43")["context.args.path"] == "C-42"
    assert policy.facts(request(), "interns") == {"principal.groups": ["legal"]}
    assert "context.args.path" not in policy.facts(request(PAY, {"to": "x", "amount": 1}), "not-43")


def test_policies_without_a_rule_answer_as_if_it_had_never_been(dialect: Dialect) -> None:
    """The others count, and the policies themselves stay as they are."""
    policy = load(dialect, dialect.permit_all, dialect.forbid_43)
    asked = request(READ, {"path": "C-43"})
    assert weigh(policy.without(frozenset({"not-43"})).evaluate(asked), frozenset())[0] is Outcome.PERMIT
    fewer = policy.without(frozenset({"not-43"})).without(frozenset({"all"}))
    assert weigh(fewer.evaluate(asked), frozenset())[0] is Outcome.DENY
    assert weigh(policy.evaluate(asked), frozenset())[0] is Outcome.DENY


def test_an_argument_that_does_not_fit_refuses(dialect: Dialect) -> None:
    """An argument of another type than declared is an error where a rule reads it."""
    answer = load(dialect, dialect.permit_all, dialect.forbid_43).evaluate(request(READ, {"path": 43}))
    assert answer.errors


def test_an_agent_registered_later_is_known(dialect: Dialect) -> None:
    """The groups of an agent that came after loading count."""
    policy = load(dialect, dialect.permit_all, dialect.group_only)
    intern = agent("new-one", "interns")
    assert weigh(policy.evaluate(request(by=intern)), frozenset())[0] is Outcome.DENY
    assert weigh(policy.evaluate(request()), frozenset())[0] is Outcome.PERMIT


def test_an_agent_that_changes_groups_is_noticed(dialect: Dialect) -> None:
    """The groups of the request's own agent count, not those of an earlier request."""
    policy = load(dialect, dialect.permit_all, dialect.group_only)
    assert weigh(policy.evaluate(request(by=agent("clerk"))), frozenset())[0] is Outcome.PERMIT
    moved = agent("clerk", "interns")
    assert weigh(policy.evaluate(request(by=moved)), frozenset())[0] is Outcome.DENY


def test_a_misspelt_argument_fails_the_check(dialect: Dialect) -> None:
    """A rule that names an argument which no tool has is found, with file, line, rule and the remediation."""
    problems = dialect.engine().check(written(dialect, "\n\n" + dialect.misspelt), TOOLS, [SUMMARISE])
    (found,) = [problem for problem in problems if problem.severity == "error"]
    assert (found.file, found.line, found.rule) == (
        f"policies/test{dialect.ending}",
        4 + dialect.head.count("\n"),
        "typo",
    )
    assert "`pth`" in found.text
    assert "`path`" in found.remediation


@pytest.mark.parametrize("which", ["misspelt", "broken"])
def test_what_does_not_check_does_not_load(dialect: Dialect, which: str) -> None:
    """Loading raises with the first error, naming the file and the line."""
    with pytest.raises(ConfigInvalid, match=rf"policies/test\{dialect.ending}:\d+: "):
        load(dialect, dialect.permit_all, getattr(dialect, which))


def test_two_rules_cannot_share_an_id(dialect: Dialect) -> None:
    """A doubled id is an error that says where the first stands."""
    first, second = f"a{dialect.ending}", f"b{dialect.ending}"
    sources = [
        *source(dialect.head + dialect.permit_all, first),
        *source(dialect.head + dialect.doubled, second),
    ]
    (problem,) = dialect.engine().check(sources, TOOLS, [])
    assert (problem.severity, problem.file) == ("error", second)
    assert f"{first}:" in problem.text


def test_the_digest_follows_the_rules(dialect: Dialect) -> None:
    """Equal rules have equal digests, another rule gives another."""
    one, same, other = (
        load(dialect, *texts)
        for texts in ((dialect.permit_all,), (dialect.permit_all,), (dialect.permit_all, dialect.forbid_43))
    )
    assert one.digest == same.digest != other.digest


def test_the_schema_names_every_tool(dialect: Dialect) -> None:
    """The schema for people names each tool and its arguments."""
    schema = dialect.engine().schema(TOOLS, [SUMMARISE])
    assert all(
        tool.id in schema and all(name in schema for name in tool.input_schema["properties"])
        for tool in TOOLS
    )


SENT = HistoryCounter(name="sent", of=CountOf.SUM, argument="amount")
SINCE = HistoryCounter(name="since", of=CountOf.SINCE)
UNREAD = HistoryCounter(name="unread", of=CountOf.CALLS)


def test_rules_read_what_happened_before(dialect: Dialect) -> None:
    """What never happened counts 0, or is absent; the policy says which counters its rules read."""
    sources = written(dialect, f"{dialect.permit_all}\n{dialect.history}")
    policy = dialect.engine().load(sources, TOOLS, [SUMMARISE], [CLERK], (SENT, SINCE, UNREAD))
    assert not policy.served
    assert policy.history == {"sent", "calls", "since"}

    def outcome(**history: int | str | None) -> Outcome:
        return weigh(policy.evaluate(msgspec.structs.replace(request(PAY), history=history)), frozenset())[0]

    assert outcome() is Outcome.PERMIT
    assert outcome(sent=2, calls=9, since=None, unread=10**9) is Outcome.PERMIT
    assert outcome(since=60) is Outcome.PERMIT
    for more in ({"sent": 3}, {"calls": 10}, {"since": 59}):
        assert outcome(**more) is Outcome.DENY


def test_a_counter_without_value_refuses_what_a_rule_reads_of_it(dialect: Dialect) -> None:
    """The answer names the counter, the reason and the rule; other tools and counters are not affected."""
    sources = written(dialect, f"{dialect.permit_all}\n{dialect.history}")
    policy = dialect.engine().load(sources, TOOLS, [SUMMARISE], [CLERK], (SENT, SINCE, UNREAD))
    assert not policy.served
    full = Unreadable("has met more than are kept")
    asked = msgspec.structs.replace(request(PAY), history={"sent": full})
    (error,) = policy.evaluate(asked).errors
    assert "`history.sent` has met more than are kept, and rule `often` reads it" in error
    for other in (
        msgspec.structs.replace(request(READ), history={"sent": full}),
        msgspec.structs.replace(request(PAY), history={"unread": full}),
    ):
        assert not policy.evaluate(other).errors


def test_an_unknown_counter_is_a_problem(dialect: Dialect) -> None:
    """The nearest one is named; without any counter, those of every bundle are known."""
    sources = written(dialect, f"{dialect.permit_all}\n{dialect.history_unknown}")
    engine = dialect.engine()
    (problem,) = engine.check(sources, TOOLS, [SUMMARISE], counters=(SENT,))
    assert problem.severity == "error"
    assert "history.snet` does not exist" in problem.text
    assert problem.remediation == "did you mean `sent`?"
    assert "sent" in engine.schema(TOOLS, [SUMMARISE], (SENT,))
    with pytest.raises(ConfigInvalid, match=r"history\.sent` does not exist"):
        engine.load(written(dialect, dialect.history), TOOLS, [SUMMARISE], [CLERK])


def test_an_argument_that_no_counted_tool_has_is_a_problem(dialect: Dialect) -> None:
    """Such a counter would stay at 0; a tool whose arguments are not known may have any."""
    sources, engine = written(dialect, dialect.permit_all), dialect.engine()

    def found(**more: Any) -> list[tuple[str, str]]:
        counter = HistoryCounter(**{"name": "sent", "of": CountOf.SUM, "tools": ("bank/pay",)} | more)
        problems = engine.check(sources, TOOLS, [SUMMARISE], counters=(counter,))
        return [(one.text, one.remediation) for one in problems if one.severity == "error"]

    assert not found(argument="amount")
    text = "counter `sent`: no tool that it counts has an argument `{}`"
    assert found(argument="amuont") == [(text.format("amuont"), "did you mean `amount`?")]
    (missing,) = found(argument="amount", same=(("amount", "pth"),))
    assert missing == ("counter `sent`: no tool has an argument `pth`", "did you mean `path`?")
    unknown = msgspec.structs.replace(PAY, surface={})
    sent = HistoryCounter(name="sent", of=CountOf.SUM, tools=("bank/pay",), argument="amuont")
    problems = engine.check(sources, [unknown], [SUMMARISE], counters=(sent,))
    assert all(one.severity == "warning" for one in problems)
    with pytest.raises(ConfigInvalid, match="amuont"):
        engine.load(sources, TOOLS, [SUMMARISE], [CLERK], (sent,))
