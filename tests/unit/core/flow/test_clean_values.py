# SPDX-License-Identifier: Apache-2.0
"""What an agent used before it read anything untrusted is not the attacker's, and vouches only for itself."""

from typing import Any

import msgspec
import pytest

from remit.core.flow.facts import FlowFacts, judged
from remit.core.flow.justification import Justification, Provenance
from remit.core.flow.provenance import Index
from remit.core.flow.untainted_values import MAX_CLEAN, for_itself
from remit.core.label import Audience, Label, Trust
from remit.core.tasks.plan import PlanEntry, read_plan
from remit.core.tools.tool import Argument, ArgumentRole, Effect, Tool

KEY = b"k" * 32
SELECTOR, DESTINATION = Argument(ArgumentRole.SELECTOR), Argument(ArgumentRole.DESTINATION)
OTHERS = Label(trust=Trust.UNTRUSTED)
GAUGES, RUNBOOKS = "tidewater/gaugekit", "tidewater/ops-runbooks"
READ = Tool(
    upstream="code",
    name="get_issue",
    effect=Effect.NONE,
    label=OTHERS,
    arguments={"repository": SELECTOR, "number": SELECTOR},
)
COMMENT = Tool(
    upstream="code",
    name="add_comment",
    effect=Effect.IRREVERSIBLE,
    audience=Audience("external"),
    arguments={"repository": DESTINATION, "number": DESTINATION, "body": Argument()},
    described=True,
)
CLOSE = msgspec.structs.replace(
    COMMENT, name="close_issue", arguments={"repository": SELECTOR, "number": SELECTOR}
)


def told(words: str, *used: str, found: Any = (GAUGES, RUNBOOKS, "evil/ops-runbooks", "7")) -> Index:
    """A task whose agent has read in these repositories, and found the same names in what others wrote."""
    index = Index(KEY)
    index.state(words, {})
    for one in used:
        index.clean.use(READ, {"repository": one}, index.statement)
    for _ in index.learn([{"text": one} for one in found], call=1, decision="dec_1", tool=READ, arguments={}):
        pass
    return index


def repository(index: Index, value: str, tool: Tool = COMMENT) -> Justification:
    """What is known of a repository that a call uses."""
    return index.judge(value, tool, "repository")


def facts(index: Index, tool: Tool, **arguments: Any) -> FlowFacts:
    """What policies read of a call after untrusted data was read."""
    return judged(index, tool, arguments, label=OTHERS, plan=None).facts


def test_a_value_that_was_used_before_is_unknown_where_untrusted_data_repeats_it() -> None:
    """Without that use it is untrusted."""
    assert repository(told("Look at the gauges"), GAUGES).provenance is Provenance.UNTRUSTED
    one = repository(told("Look at the gauges", GAUGES), GAUGES)
    assert (one.provenance, one.reached, one.clean) == (Provenance.UNKNOWN, False, True)


def test_it_is_reached_where_the_words_lead_to_its_distinguishing_part() -> None:
    """The last segment, verbatim or by its stems; a word for something else leads nowhere."""
    assert repository(told("Comment on it in gaugekit", GAUGES), GAUGES).reached
    runbooks = told("Close the issue in the ops runbooks", RUNBOOKS)
    assert repository(runbooks, RUNBOOKS, CLOSE).reached
    assert not repository(told("Comment on the tide in sensors", GAUGES), GAUGES).reached


def test_what_the_words_rule_out_is_not_reached() -> None:
    """Neither the whole nor its part."""
    for words in (f"Write a comment, but never in {GAUGES}", "Write a comment, but never in gaugekit"):
        assert not repository(told(words, GAUGES), GAUGES).reached


def test_the_owner_of_a_used_value_is_known_and_the_same_name_of_another_owner_is_not() -> None:
    """`evil/ops-runbooks` has the name that the person says, and not the owner that the agent used."""
    words = "Read the issue in gaugekit, then comment on it in ops-runbooks"
    assert repository(told(words, GAUGES), RUNBOOKS).reached
    assert repository(told(words, GAUGES), "evil/ops-runbooks").provenance is Provenance.UNTRUSTED


@pytest.mark.parametrize("used", ["uploads/gaugekit", "evil.example/gaugekit", "a/b/gaugekit"])
def test_a_path_is_no_owner(used: str) -> None:
    """Others may place a file of any name into a folder."""
    folder = used.removesuffix("gaugekit")
    index = told("Comment in gaugekit and in notes.md", used, found=[f"{folder}notes.md"])
    assert not repository(index, f"{folder}notes.md").reached


def test_the_owner_counts_only_where_the_words_name_what_was_used_of_it() -> None:
    """A repository that the agent used by itself makes no namespace the person's own."""
    assert not repository(told("Comment on it in ops-runbooks", GAUGES), RUNBOOKS).reached


def test_a_reached_repository_anchors_nothing_and_reaches_no_number_in_it() -> None:
    """The attack: post what was read to another issue of the same repository."""
    index = told("Comment on it in gaugekit", GAUGES, found=[GAUGES, "209"])
    asked = facts(index, COMMENT, repository=GAUGES, number="209", body="token")
    assert (asked.anchored, asked.destination_reached, asked.destination_clean) == (False, False, False)
    assert facts(index, COMMENT, repository=GAUGES).destination_reached


def test_a_record_that_was_looked_up_by_it_is_not_named() -> None:
    """A result is found by what the intent states, not by what the agent used before."""
    index = told("Close the issue in gaugekit", GAUGES)
    field = msgspec.structs.replace(READ, label=Label())
    for _ in index.learn(
        {"number": 4711}, call=2, decision="dec_2", tool=field, arguments={"repository": GAUGES}
    ):
        pass
    assert not index.judge("4711", CLOSE, "number").reached
    assert for_itself(repository(index, GAUGES)).provenance is Provenance.UNKNOWN


def test_a_list_that_holds_the_value_does_not_take_the_words_from_it() -> None:
    """Two repositories are in a trusted list that was asked for later; the words name one of them."""
    index = told("Comment on it in gaugekit", GAUGES)
    listing = msgspec.structs.replace(READ, name="list_repositories", label=Label(), arguments={})
    result = [{"name": GAUGES}, {"name": RUNBOOKS}]
    for _ in index.learn(result, call=2, decision="dec_2", tool=listing, arguments={}):
        pass
    assert repository(index, GAUGES).reached
    assert not repository(index, RUNBOOKS).reached


def test_a_number_counts_only_for_things_of_its_kind() -> None:
    """Number 7 of an issue is not number 7 of a payment."""
    index = told("Look at it", found=["7"])
    index.clean.use(READ, {"number": "7"}, index.statement)
    assert index.judge("7", CLOSE, "number").provenance is Provenance.UNKNOWN
    pay = msgspec.structs.replace(CLOSE, name="cancel_payment")
    assert index.judge("7", pay, "number").provenance is Provenance.UNTRUSTED
    elsewhere = msgspec.structs.replace(CLOSE, upstream="bank")
    assert index.judge("7", elsewhere, "number").provenance is Provenance.UNTRUSTED


def test_another_argument_and_stricter_roles_are_not_covered() -> None:
    """A name for one argument is none for another; payees, persons, secrets and code must be stated."""
    index = told("Comment on it in gaugekit", GAUGES)
    other = msgspec.structs.replace(COMMENT, arguments={"to": DESTINATION})
    assert index.judge(GAUGES, other, "to").provenance is Provenance.UNTRUSTED
    for spec in (Argument(ArgumentRole.CODE), Argument(ArgumentRole.SELECTOR, secret=True)):
        strict = msgspec.structs.replace(COMMENT, arguments={"repository": spec})
        assert repository(index, GAUGES, strict).provenance is Provenance.UNTRUSTED
    person = msgspec.structs.replace(CLOSE, arguments={"repository": Argument(SELECTOR.role, personal=True)})
    assert not repository(index, GAUGES, person).reached
    assert not repository(index, GAUGES, msgspec.structs.replace(COMMENT, financial=True)).reached


@pytest.mark.parametrize("alike", ["tidewater/gaugek\u0456t", "tidewater/gaugekit ", "tidewater%2Fgaugekit"])
def test_only_the_same_value_counts(alike: str) -> None:
    """Strictly read: white space around a value is none of it, a look-alike or an encoding is another."""
    index = told("Comment on it in gaugekit", GAUGES, found=[alike])
    assert repository(index, alike).clean is (alike.strip() == GAUGES)


def test_a_plan_states_values_beforehand() -> None:
    """Values of an exact constraint, or one of several; a pattern states none."""
    index = told("Comment on it in gaugekit")
    bounds = {"repository": {"one_of": [GAUGES, "tidewater/site"]}, "number": {"exact": "206"}}
    index.clean.plan(read_plan([PlanEntry("code/add_comment", bounds)], ["code/add_comment"]))
    assert repository(index, GAUGES).reached
    assert index.judge("206", COMMENT, "number").clean
    loose = told("Comment on it in gaugekit")
    glob = {"repository": {"glob": "tidewater/*"}}
    loose.clean.plan(read_plan([PlanEntry("code/add_comment", glob)], ["code/add_comment"]))
    assert not repository(loose, GAUGES).clean


def test_a_delegated_task_knows_what_was_used_above_it() -> None:
    """Also where it meets the same value in untrusted data itself."""
    child = told("Comment on it in gaugekit", GAUGES).child(KEY)
    assert repository(child, GAUGES).reached
    for _ in child.learn([GAUGES], call=1, decision="dec_9", tool=READ, arguments={}):
        pass
    assert repository(child, GAUGES).reached


def test_at_its_limit_a_task_trusts_no_use() -> None:
    """As for every value that is known; and uses beyond their own limit are not remembered."""
    index = told("Comment on it in gaugekit", GAUGES)
    index.full = True
    assert not repository(index, GAUGES).reached
    crowded = told("Comment on it in gaugekit", *(f"x/n{n}" for n in range(MAX_CLEAN)))
    crowded.clean.use(READ, {"repository": GAUGES}, crowded.statement)
    assert repository(crowded, GAUGES).provenance is Provenance.UNTRUSTED
