# SPDX-License-Identifier: Apache-2.0
"""Where labels at rest lie: the names of resources, what lies in what, and who wrote it."""

from __future__ import annotations

from typing import Any

import pytest

from remit.core.flow.stored_labels import (
    MAX_NAMED,
    MAX_WRITERS,
    ROOT,
    ResourceWrite,
    StoredLabel,
    above,
    found_in,
    missing,
    named_by,
    normal,
    resources,
)
from remit.core.label import Classes, Label, Trust
from remit.core.tools.tool import Argument, Tool
from tests.worlds.values import START, TENANT

CLASSES = Classes()
UNTRUSTED = Label(trust=Trust.UNTRUSTED)


def a_writing(decision: str = "dec_one", trust: Trust = Trust.UNTRUSTED) -> ResourceWrite:
    """Return a call that wrote to ticket 7."""
    return ResourceWrite(
        upstream="tickets",
        resource="ticket/7",
        task="tsk_a",
        agent="reader",
        decision=decision,
        tool="tickets/comment",
        at=START,
        trust=trust,
        data_class="internal",
        call=3,
    )


@pytest.mark.parametrize(
    ("template", "values", "named"),
    [
        ("ticket/{ticket}", {"ticket": 7}, ("ticket/7",)),
        ("ticket/{ticket}", {"ticket": "7"}, ("ticket/7",)),
        ("file/{path}", {"path": "./Notes//a.md"}, ("file/notes/a.md",)),
        ("file/{path}", {"path": "notes\\a.md"}, ("file/notes/a.md",)),
        ("file/{path}", {"path": "notes/%61.md"}, ("file/notes/a.md",)),
        ("file//{path}", {"path": "/notes/a.md"}, ("file/notes/a.md",)),
        ("/{path}", {"path": "C:\\a.md"}, ("c:/a.md",)),
        ("ticket/{ticket}", {"ticket": "007"}, ("ticket/7",)),
        ("ticket/{ticket}", {"ticket": "#7"}, ("ticket/7",)),
        ("ticket/{ticket}", {"ticket": " +7.0"}, ("ticket/7",)),
        ("ticket/{ticket}", {"ticket": "\N{ARABIC-INDIC DIGIT SEVEN}"}, ("ticket/7",)),
        ("{owner}/{repo}", {"owner": "a", "repo": "b"}, ("a/b",)),
        ("Ticket", {"query": "open"}, ("ticket",)),
        ("file/{paths}", {"paths": ["a", "b", "a"]}, ("file/a", "file/b")),
    ],
)
def test_a_resource_has_one_name(template: str, values: dict[str, Any], named: tuple[str, ...]) -> None:
    """However it is written: numbers or text, capitals, other slashes, percent-encoding, several of them."""
    assert resources(template, values) == named


@pytest.mark.parametrize(
    ("template", "values"),
    [
        ("", {"ticket": 7}),
        ("ticket/{ticket}", {}),
        ("ticket/{ticket}", {"ticket": None}),
        ("ticket/{ticket}", {"ticket": True}),
        ("ticket/{ticket}", {"ticket": {"id": 7}}),
        ("ticket/{ticket}", {"ticket": " "}),
        ("ticket/{ticket}", {"ticket": []}),
        ("file/{path}", {"path": "notes/../secret.md"}),
        ("file/{path}", {"path": "notes/*.md"}),
        ("file/{path}", {"path": "notes/%252e%252e/x"}),
        ("file/{path}", {"path": "?dec_one"}),
        ("file/{path}", {"path": "a/" * 20}),
        ("file/{path}", {"path": "a" * 1000}),
        ("file/{path}", {"path": "/srv/data/notes/a.md"}),
        ("file/{path}", {"path": "%2fsrv/data/notes/a.md"}),
        ("{path}", {"path": " ~/notes/a.md"}),
        ("{path}", {"path": "c:\\notes\\a.md"}),
        ("file//{path}", {"path": "notes/a.md"}),
        ("file/{paths}", {"paths": [str(one) for one in range(MAX_NAMED + 1)]}),
    ],
)
def test_what_cannot_be_told_for_sure_is_no_resource(template: str, values: dict[str, Any]) -> None:
    """Nothing named, nothing given, patterns, paths that go up, encodings of encodings, too many; one from a
    root where others are from a folder.
    """
    assert resources(template, values) == ()


def test_a_resource_lies_in_what_its_path_names() -> None:
    """The root is the upstream as a whole."""
    assert above("ticket/7/comments") == (ROOT, "ticket", "ticket/7")
    assert above("ticket") == (ROOT,)


def test_a_holding_only_rises_and_remembers_who_raised_it() -> None:
    """A write that adds nothing changes nothing."""
    empty = StoredLabel(tenant=TENANT, upstream="tickets", resource="ticket/7", changed=START)
    once = empty.raised(UNTRUSTED, a_writing(), CLASSES, below=False)
    assert once.label == UNTRUSTED
    assert once.below is None
    assert once.all(CLASSES) == UNTRUSTED
    assert once.writers == (a_writing(),)
    assert once.raised(UNTRUSTED, a_writing("dec_two"), CLASSES, below=False) is once
    both = once.raised(Label("internal"), a_writing("dec_two"), CLASSES, below=True)
    assert both.all(CLASSES) == Label("internal", trust=Trust.UNTRUSTED)


def test_of_many_writers_the_first_untrusted_one_is_kept() -> None:
    """Their number is bounded."""
    stored_label = StoredLabel(tenant=TENANT, upstream="tickets", changed=START)
    for count in range(MAX_WRITERS + 4):
        label = Label(categories=frozenset({f"c{count}"}))
        stored_label = stored_label.raised(
            label, a_writing(f"dec_{count}", Trust.TRUSTED), CLASSES, below=True
        )
    stored_label = stored_label.raised(UNTRUSTED, a_writing("dec_bad"), CLASSES, below=True)
    for count in range(3):
        label = Label(categories=frozenset({f"d{count}"}))
        stored_label = stored_label.raised(
            label, a_writing(f"dec_more_{count}", Trust.TRUSTED), CLASSES, below=True
        )
    assert len(stored_label.writers) == MAX_WRITERS
    assert "dec_bad" in [one.decision for one in stored_label.writers]


def test_an_id_that_the_upstream_chooses_is_found_in_the_result() -> None:
    """Where exactly one field of its name is there; several, and it stays unknown."""
    create = Tool(upstream="t", name="create", resource="ticket/{ticket}", arguments={"text": Argument()})
    assert missing(create, {"text": "hello"}) == ("ticket",)
    assert found_in({"structuredContent": {"ticket": 8, "text": "hello"}}, ["ticket"], {}) == {"ticket": "8"}
    assert found_in({"content": [{"type": "text", "text": '{"ticket": "8"}'}]}, ["ticket"], {}) == {
        "ticket": "8"
    }
    assert found_in({"items": [{"ticket": 8}, {"ticket": 9}]}, ["ticket"], {}) == {}
    assert found_in({"text": "ticket: 9"}, ["ticket"], {}) == {}
    assert found_in("ticket: 9\ntext: hello\nticket: 8", ["ticket"], {}) == {}


@pytest.mark.parametrize("text", ["hello\nticket: 8", '","ticket":"8', "x, ticket = 8", {"ticket": 8}])
def test_no_argument_chooses_where_a_label_moves(text: Any) -> None:
    """An upstream that repeats it unquoted would say what the agent wrote; word and number apart may be."""
    assert found_in(f"text: {text}\nticket: 8", ["ticket"], {"text": text}) == {}
    assert found_in("ticket: 8", ["ticket"], {"text": "ticket about 8 bills, ticket 80"}) == {"ticket": "8"}


def test_an_argument_that_was_left_out_is_not_looked_for_in_the_result() -> None:
    """The agent did not say where; the upstream did not choose a new one either."""
    update = Tool(upstream="t", name="update", resource="ticket/{ticket}", arguments={"ticket": Argument()})
    assert missing(update, {}) == ()


def test_a_writing_says_where_and_by_whom() -> None:
    """As refusals tell it."""
    says = str(a_writing())
    assert says == "`ticket/7` of `tickets`, written by call 3 of task `tsk_a` (`reader`), `tickets/comment`"


def test_each_zone_beyond_the_first_is_one_crossing() -> None:
    """Whatever the order, and however often."""
    assert Label().crossings() == 0
    assert Label().crossings(frozenset({"lab"})) == 0
    assert Label(zones=frozenset({"lab"})).crossings(frozenset({"lab"})) == 0
    assert Label(zones=frozenset({"lab"})).crossings(frozenset({"shop"})) == 1
    assert Label(zones=frozenset({"lab", "shop", "web"})).crossings(frozenset({"shop"})) == 2


def test_a_class_that_is_not_known_here_is_the_highest() -> None:
    """A label from elsewhere may speak of other classes."""
    assert Label("cosmic").known_to(CLASSES) == Label("restricted")
    assert normal("") == ROOT


@pytest.mark.parametrize(
    ("templates", "value", "named"),
    [
        (("ticket/{ticket}", "", "profile"), 7, ("ticket/7", "7")),
        (
            ("ticket/{ticket}", "file/{path}"),
            ["a", "b"],
            ("file/a", "file/b", "ticket/a", "ticket/b", "a", "b"),
        ),
        (("ticket/{ticket}", "project/{project}/ticket/{ticket}"), 7, ()),
        (("ticket/{ticket}",), {"id": 7}, ()),
    ],
)
def test_what_is_handed_over_by_id_may_be_anything_that_a_template_names(
    templates: tuple[str, ...], value: Any, named: tuple[str, ...]
) -> None:
    """Where a name takes more than the id, it may be any: that is the whole upstream."""
    tools = [Tool(upstream="t", name=f"t{place}", resource=one) for place, one in enumerate(templates)]
    assert named_by(value, tools) == named
