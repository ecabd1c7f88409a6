# SPDX-License-Identifier: Apache-2.0
"""Reach: which paths a bundle has, how open they are, and what breaks them."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

from remit.core.label import Audience, Label, Trust
from remit.core.policy.bundle import PolicySource
from remit.core.policy.reach import GRANT, Openness, PathKind, ReachPath, ReachSurvey, StepKind
from remit.core.policy.reach.remediation import RepairKind, remedies
from remit.core.tools.constraint import EmailDomain
from remit.core.tools.tool import Effect, FieldLabel, Variant
from tests.samples.reach import (
    DEFAULT,
    FILES,
    INBOX,
    MAIL,
    TOXIC,
    Lenient,
    acts,
    bundle,
    look,
    mended,
    reads,
    task,
)


def of(survey: ReachSurvey, kind: PathKind) -> list[ReachPath]:
    """Return the paths of one kind."""
    return [path for path in survey.paths if path.kind is kind]


def test_private_untrusted_and_a_way_out_in_one_task_type_are_toxic() -> None:
    """All three together are reported, with what comes in and where it can leave."""
    (found,) = look(TOXIC).toxic
    assert found.runner.name == "triage"
    assert [one.source.name for one in found.untrusted] == ["mail/inbox"]
    assert [one.source.name for one in found.private] == ["files/read"]
    assert [path.outlet.tool.id for path in found.paths] == ["mail/send"]
    assert found.openness is Openness.OPEN
    assert not found.crosses


@pytest.mark.parametrize("without", ["mail/send", "mail/inbox", "files/read"])
def test_any_two_of_the_three_are_not_toxic(without: str) -> None:
    """Without the data, the content or the outlet no combination exists."""
    tools = [one for one in ("mail/send", "mail/inbox", "files/read") if one != without]
    assert not look(bundle((MAIL, INBOX, FILES), task("triage", *tools))).toxic


def test_two_task_types_that_share_nothing_do_not_come_together() -> None:
    """What one reads the other cannot send."""
    one = bundle((MAIL, INBOX, FILES), task("read", "files/read", "mail/inbox"), task("send", "mail/send"))
    assert not look(one).toxic


def test_a_shared_store_brings_two_task_types_together() -> None:
    """Private data that one writes to a ticket is read by another that can send, and the route says so."""
    comment = acts("tickets/comment", "internal", resource="ticket/{id}")
    ticket = reads("tickets/read", "public", untrusted=True, resource="ticket/{id}")
    (found,) = look(
        bundle(
            (MAIL, FILES, comment, ticket),
            task("summarise", "files/read", "tickets/comment"),
            task("triage", "tickets/read", "mail/send"),
        )
    ).toxic
    assert found.runner.name == "triage"
    assert found.crosses
    (private,) = found.private
    assert [(step.kind, step.name) for step in private.route] == [
        (StepKind.SOURCE, "files/read"),
        (StepKind.TASK, "summarise"),
        (StepKind.WRITE, "tickets/comment"),
        (StepKind.STORE, "ticket/ of tickets"),
        (StepKind.READ, "tickets/read"),
        (StepKind.TASK, "triage"),
    ]


def test_a_store_is_told_apart_by_the_values_that_grants_name() -> None:
    """Who may write ticket 1 alone does not reach who may read ticket 2 alone."""
    comment = acts("tickets/comment", "internal", resource="ticket/{id}")
    ticket = reads("tickets/read", "public", untrusted=True, resource="ticket/{id}")

    def toxic(written: object, read: object) -> bool:
        return bool(
            look(
                bundle(
                    (MAIL, FILES, comment, ticket),
                    task("summarise", "files/read", "tickets/comment", arguments={"id": written}),
                    task("triage", "tickets/read", "mail/send", arguments={"id": read}),
                )
            ).toxic
        )

    assert not toxic({"exact": "T-1"}, {"exact": "T-2"})
    assert toxic({"exact": "T-1"}, {"exact": "T-1"})
    assert toxic({"exact": "T-1"}, {"pattern": "T-[0-9]+"})
    assert not toxic({"exact": "T-1"}, {"pattern": "U-[0-9]+"})
    assert toxic({"pattern": "T-[0-9]+"}, {"exact": "T-2"})


def test_a_store_without_a_name_is_its_upstream() -> None:
    """Where no template names what is written, every reader of that upstream reads it."""
    post, history = acts("chat/post", "internal"), reads("chat/history", "public", untrusted=True)
    found = look(
        bundle(
            (MAIL, FILES, post, history),
            task("report", "files/read", "chat/post"),
            task("answer", "chat/history", "mail/send"),
        )
    )
    assert [one.runner.name for one in found.toxic] == ["answer"]
    (one,) = found.handovers
    assert (one.via, one.writers, one.readers) == (
        "chat",
        (("report", "report-bot"),),
        (("answer", "answer-bot"),),
    )


def test_a_label_that_a_task_type_starts_with_comes_in() -> None:
    """A task type that is labelled restricted holds restricted data before it reads any."""
    one = bundle((MAIL, INBOX), task("triage", "mail/send", "mail/inbox", label=Label("restricted")))
    (found,) = look(one).toxic
    assert [inflow.source.name for inflow in found.private] == ["triage · at its start"]


def test_a_field_may_be_what_is_untrusted() -> None:
    """A trusted tool with one untrusted field is a source by that field."""
    inbox = reads(
        "mail/inbox", "public", fields=(FieldLabel("body", Label("public", trust=Trust.UNTRUSTED)),)
    )
    (found,) = look(
        bundle((MAIL, inbox, FILES), task("triage", "mail/send", "mail/inbox", "files/read"))
    ).toxic
    assert [one.source.name for one in found.untrusted] == ["mail/inbox · body"]


def test_what_nobody_described_is_all_three() -> None:
    """One granted tool without a description is a source of everything and an outlet, and is named."""
    (found,) = look(bundle((), task("odd", "shell/run"))).toxic
    assert found.undescribed == ("shell/run",)


@pytest.mark.parametrize(
    "kept",
    [
        {"exact": "desk@example.com"},
        {"one_of": ["desk@example.com", "ana@example.com"]},
        {"email_domain": ["example.com"]},
        {"url_host": ["example.com"]},
        {"optional": {"exact": "desk@example.com"}},
        {"each": {"email_domain": ["example.com"]}},
        {"all": [{"length": {"max": 40}}, {"email_domain": ["example.com"]}]},
        {"any": [{"exact": "desk@example.com"}, {"email_domain": ["example.com"]}]},
    ],
)
def test_a_kept_destination_is_no_way_out(kept: object) -> None:
    """The author of the content cannot choose where it goes, and the path reports that the grant refuses
    it.
    """
    one = bundle((MAIL, INBOX, FILES), task("triage", "mail/send", "mail/inbox", "files/read", to=kept))
    (found,) = look(one).toxic
    assert found.openness is Openness.REFUSED
    assert found.paths[0].guard.rules == (GRANT,)
    assert found.paths[0].outlet.pinned.startswith("`to` must ")


@pytest.mark.parametrize(
    "free",
    [
        {"pattern": ".*"},
        {"prefix": "desk"},
        {"any": [{"exact": "desk@example.com"}, {"length": {"max": 200}}]},
        {"not": {"exact": "evil@example.org"}},
    ],
)
def test_other_constraints_keep_no_destination(free: object) -> None:
    """A pattern, a prefix or a negation leaves an outsider a place to name."""
    one = bundle((MAIL, INBOX, FILES), task("triage", "mail/send", "mail/inbox", "files/read", to=free))
    assert look(one).toxic[0].openness is Openness.OPEN


def test_a_destination_from_the_intent_is_kept() -> None:
    """The author of the content does not choose a parameter that the person states."""
    one = bundle(
        (MAIL, INBOX, FILES), task("triage", "mail/send", "mail/inbox", "files/read", to={"exact": "{to}"})
    )
    (found,) = look(one).toxic
    assert found.paths[0].outlet.pinned == "`to` comes from the intent's `to`"


def test_a_variant_that_every_call_fits_counts() -> None:
    """Where all that a grant permits is inside by the tool's own words, nothing leaves."""
    inside = Variant({"to": EmailDomain(("example.com",))}, audience=Audience("internal"))
    mail = msgspec.structs.replace(MAIL, variants=(inside,))
    tools = ("mail/send", "mail/inbox", "files/read")
    kept = look(bundle((mail, INBOX, FILES), task("triage", *tools, to={"email_domain": ["example.com"]})))
    assert not kept.toxic
    free = look(bundle((mail, INBOX, FILES), task("triage", *tools)))
    assert {path.outlet.tool.audience.name for path in free.paths} == {"external", "internal"}
    assert [path.outlet.outward for path in of(free, PathKind.TOXIC)] == [True]


def test_the_default_guardrails_are_said_on_the_path() -> None:
    """Clearance refuses, an unstated destination asks, and each is named."""
    tight = look(
        bundle((MAIL, INBOX, reads("files/read", "restricted")), TOXIC.task_types["triage"], policies=DEFAULT)
    )
    assert tight.toxic[0].paths[0].guard.openness is Openness.REFUSED
    assert "data/clearance" in tight.toxic[0].paths[0].guard.rules
    loose = look(msgspec.structs.replace(TOXIC, policies=DEFAULT))
    assert loose.toxic[0].paths[0].guard.openness is Openness.ASKED
    assert "flow/ask-destination" in loose.toxic[0].paths[0].guard.rules


def test_in_observe_mode_nothing_is_refused() -> None:
    """An upstream that is only watched lets everything through, kept destinations included."""
    one = bundle(
        (MAIL, INBOX, FILES),
        task("triage", "mail/send", "mail/inbox", "files/read", to={"exact": "desk@example.com"}),
        policies=DEFAULT,
    )
    (found,) = look(one, observed=("mail",)).toxic
    assert found.openness is Openness.OPEN
    assert found.paths[0].guard.rules == ("observed",)


def test_a_rule_that_reads_arguments_is_never_counted_on() -> None:
    """What only the call can tell may be as an attacker likes it."""
    rule = PolicySource(
        "policies/10.cedar",
        '@id("short")\nforbid (principal, action in Action::"call", resource)\n'
        'unless { context.arg_names.contains("signed") };\n',
    )
    one = msgspec.structs.replace(TOXIC, policies=(*TOXIC.policies, rule))
    assert look(one).toxic[0].openness is Openness.OPEN


def test_a_rule_for_one_agent_stops_that_agent_alone() -> None:
    """The agent that may do more is what counts; one that may run nothing else is refused."""
    rule = PolicySource(
        "policies/10.cedar",
        '@id("not-this-one")\n'
        'forbid (principal == Agent::"triage-bot", action == Action::"mail/send", resource);\n',
    )
    one = msgspec.structs.replace(TOXIC, policies=(*TOXIC.policies, rule))
    (found,) = look(one).toxic
    assert found.openness is Openness.REFUSED
    assert found.paths[0].guard.rules == ("not-this-one",)
    handed = task("triage", "mail/send", "mail/inbox", "files/read", heirs=("helper",))
    with_helper = look(msgspec.structs.replace(one, task_types={"triage": handed})).toxic
    assert [(each.runner.name, each.openness) for each in with_helper] == [
        ("triage (delegated)", Openness.OPEN),
        ("triage", Openness.REFUSED),
    ]


def test_what_may_not_be_read_does_not_come_in() -> None:
    """A source whose reading is refused is none."""
    assert not ReachSurvey(TOXIC, Lenient(inbox=Openness.REFUSED)).toxic


def test_a_question_before_reading_stands_on_the_path() -> None:
    """A path is as open as its least open step."""
    (found,) = ReachSurvey(TOXIC, Lenient(inbox=Openness.ASKED)).toxic
    assert found.openness is Openness.ASKED
    assert found.paths[0].guard.rules == ("house/rule",)


def test_untrusted_content_leads_to_what_cannot_be_taken_back() -> None:
    """This holds also inside, where no outsider learns anything."""
    wipe = acts("disk/wipe", "internal", Effect.IRREVERSIBLE)
    (path,) = look(bundle((INBOX, wipe), task("clean", "mail/inbox", "disk/wipe"))).paths
    assert (path.kind, path.sources, path.outlet.tool.id) == (PathKind.EFFECT, ("mail/inbox",), "disk/wipe")


def test_private_data_reaches_who_may_not_learn_it() -> None:
    """A group that is cleared for nothing is told of, one that is cleared is not."""
    post = acts("chat/post", "group:sales")
    one = bundle((reads("files/read", "restricted"), post), task("report", "files/read", "chat/post"))
    assert [path.kind for path in look(one).paths] == [PathKind.DISCLOSURE]
    classes = msgspec.structs.replace(
        one.classes, clearance={"group:sales": "restricted", "self": "restricted"}
    )
    assert not look(msgspec.structs.replace(one, classes=classes)).paths


def test_an_open_answer_is_told_beside_a_source_that_people_are_asked_about() -> None:
    """The answer of a tool that changes something leads to the same data without a question."""
    answer = msgspec.structs.replace(acts("shelf/put", "internal"), label=Label("restricted"))
    source = reads("vault/read", "restricted")
    one = bundle((answer, source), task("work", "shelf/put", "vault/read"))
    asked = ReachSurvey(one, Lenient(read=Openness.ASKED))
    assert min(path.guard.openness for path in of(asked, PathKind.DISCLOSURE)) is Openness.OPEN


def test_the_cheapest_change_is_to_keep_the_destination() -> None:
    """Nothing that was wanted is lost by it."""
    survey = look(TOXIC)
    (remedy,) = remedies(survey, survey.toxic[0])
    assert [(one.kind, one.tool, one.detail) for one in remedy.repairs] == [
        (RepairKind.PIN, "mail/send", ("to",))
    ]


def test_without_a_destination_a_human_is_asked() -> None:
    """A call that goes to every outsider cannot be restricted to some of them; an approval costs less than a
    grant.
    """
    post = acts("web/post")
    survey = look(bundle((post, INBOX, FILES), task("triage", "web/post", "mail/inbox", "files/read")))
    (remedy,) = remedies(survey, survey.toxic[0])
    assert [one.kind for one in remedy.repairs] == [RepairKind.APPROVE]


def test_many_ways_out_and_one_source_are_broken_at_the_source() -> None:
    """Three open ways out cost more than one grant that brings the content in."""
    posts = tuple(acts(f"web/post{number}") for number in range(3))
    tools = [tool.id for tool in posts]
    survey = look(bundle((*posts, INBOX, FILES), task("triage", *tools, "mail/inbox", "files/read")))
    first, second = remedies(survey, survey.toxic[0])
    assert [(one.kind, one.tool) for one in first.repairs] == [(RepairKind.DROP, "files/read")]
    assert [(one.kind, one.tool) for one in second.repairs] == [(RepairKind.DROP, "mail/inbox")]


def test_an_answer_that_trusts_a_source_is_cheaper_than_many_grants() -> None:
    """One untrusted tool that feeds a task type by several task types is named at its root."""
    stores = [(acts(f"s{n}/put", "internal"), reads(f"s{n}/get", "public")) for n in range(2)]
    posts = tuple(acts(f"web/post{number}") for number in range(9))
    writers = [task(f"w{n}", "mail/inbox", f"s{n}/put") for n in range(2)]
    reader = task("out", *(f"s{n}/get" for n in range(2)), *(tool.id for tool in posts), "files/a", "files/b")
    tools = (INBOX, *(one for pair in stores for one in pair), *posts, reads("files/a"), reads("files/b"))
    # A human is asked before anything is posted or put: what is left is to close, not to ask.
    asked = {f"post{number}": Openness.ASKED for number in range(9)}
    survey = ReachSurvey(bundle(tools, *writers, reader), Lenient(**asked))
    best = remedies(survey, survey.toxic[0])[0]
    assert [(one.kind, one.tool) for one in best.repairs] == [(RepairKind.TRUST, "mail/inbox")]


def test_what_is_refused_already_needs_no_change() -> None:
    """Nothing is proposed where nothing is open and no approver is asked."""
    one = bundle(
        (MAIL, INBOX, FILES),
        task("triage", "mail/send", "mail/inbox", "files/read", to={"exact": "a@example.com"}),
    )
    survey = look(one)
    assert remedies(survey, survey.toxic[0]) == ()


def test_a_handed_down_way_out_is_broken_by_handing_nothing_down() -> None:
    """Where only the heir may send, and everything else is dear, the hand-down goes."""
    posts = tuple(acts(f"web/post{number}") for number in range(3))
    tools = [tool.id for tool in posts]
    rule = PolicySource(
        "policies/10.cedar",
        '@id("only-the-helper")\nforbid (principal, action, resource) when { resource.upstream == "web" }\n'
        'unless { principal == Agent::"helper" };\n'
        '@id("not-the-helper")\nforbid (principal == Agent::"helper", action, resource)'
        ' when { resource.upstream != "web" };\n',
    )
    one = bundle(
        (*posts, INBOX, FILES, reads("files/b")),
        task("triage", *tools, "mail/inbox", "files/read", "files/b", heirs=("helper",)),
    )
    one = msgspec.structs.replace(one, policies=(*one.policies, rule))
    survey = look(one)
    heir = next(each for each in survey.toxic if each.runner.handed)
    assert heir.openness is Openness.OPEN
    assert heir.crosses
    assert [each.kind for each in remedies(survey, heir)[0].repairs] == [RepairKind.HAND_DOWN]
    after = look(mended(one, remedies(survey, heir)[0].repairs[0]))
    assert not [each for each in after.toxic if each.runner.handed]


def test_the_gateway_starts_without_what_few_need() -> None:
    """Only who asks for paths pays for graphs."""
    code = "import sys, remit.cli.serve.up, remit.compose; sys.exit('networkx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
