# SPDX-License-Identifier: Apache-2.0
"""Several approvers at the command line: who must answer, who has, substitutes, and a broken glass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.gateways.remit_up import Remit, furnished
from tests.refusals import own_failure

Json = Any
CONFIG = """
groups: {payments: [ada, mona], leads: [gil]}
approvals: {break_glass: {group: leads, sign_in: any}, escalate: [{after: 10m, to: leads}]}
"""
WHY = "the salaries are due today, and mona cannot be reached"


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remit]:
    """A remit whose payments need two people of group `payments`."""
    with furnished(tmp_path_factory.mktemp("cli"), more=CONFIG) as made:
        effects = made.folder / "policies" / "30-effects.cedar"
        text = effects.read_text().replace(
            '@id("effects/financial")',
            '@id("effects/financial")\n@approvers("2")\n@approver_group("payments")',
        )
        effects.write_text(text)
        assert made("policy", "apply").code == 0
        for name in ("ada", "mona", "gil"):
            assert made("person", "add", name, "--role", "approver").code == 0
            made.sign_in(name)
        yield made


def asked(services: Remit, text: str) -> Json:
    """Open a task, make a call that waits for people, and return its approval."""
    opened = services.ask("task", "open", "tidy-note", "--agent", "note-bot", "-p", "note=shopping", by="ana")
    assert own_failure(services.call(opened["id"], "write_note", {"name": "shopping", "text": text}))
    (one,) = services.ask("approvals", "--task", opened["id"], by="omar")["items"]
    return one


def passes(services: Remit, one: Json) -> bool:
    """Make the call again, and return whether it passes."""
    return "error" not in services.call(one["task"], "write_note", one["arguments"])


def test_the_screen_says_who_must_answer_and_the_list_how_many_have(services: Remit) -> None:
    """Two people approve one after the other; one outside the group is told who can."""
    one = asked(services, "first")
    confirm = ("--confirm", one["call"])
    outside = services("approve", one["id"], *confirm, by="omar")
    assert (outside.code, "it needs 2 approvers of group `payments`" in outside.err) == (1, True)
    first = services("approve", one["id"], *confirm, "--comment", "as agreed", by="ada")
    assert (first.code, "your approval counts: 1 of 2" in first.out) == (0, True)
    assert "pending 1 of 2" in services("approvals", by="mona").out
    shown = services("approve", one["id"], by="mona")
    assert shown.code == 2
    for told in ("2 approvers of group `payments`: 1 of 2", "by ada", "as agreed"):
        assert told in shown.out
    again = services("approve", one["id"], *confirm, by="ada")
    assert (again.code, "each person counts once" in again.err) == (1, True)
    assert "by ada and mona" in services("approve", one["id"], *confirm, by="mona").out
    assert passes(services, one)


def test_a_substitute_answers_in_the_name_of_another_one(services: Remit) -> None:
    """While the absence lasts."""
    one = asked(services, "second")
    confirm = ("--confirm", one["call"])
    assert services("approvals", "away", "omar", by="ada").code == 2
    assert (
        "omar may answer for you until"
        in services("approvals", "away", "omar", "--within", "2d", by="ada").out
    )
    assert [
        (each["person"], each["substitute"]) for each in services.ask("approvals", "away", by="mona")["items"]
    ] == [("ada", "omar")]
    assert "ada" in services("approvals", "away", by="mona").out
    assert services("approve", one["id"], *confirm, "--for", "ada", by="omar").code == 0
    assert "by omar for ada and mona" in services("approve", one["id"], *confirm, by="mona").out
    assert "no longer answers for you" in services("approvals", "back", by="ada").out
    other = asked(services, "third")
    late = services("deny", other["id"], "--confirm", other["call"], "--for", "ada", by="omar")
    assert (late.code, "not the substitute" in late.err) == (1, True)


def test_a_broken_glass_is_approved_now_and_reviewed_later(services: Remit) -> None:
    """With a reason; its finding stays until another person has reviewed it."""
    one = asked(services, "fourth")
    broke = ("approve", one["id"], "--confirm", one["call"], "--break-glass")
    for wrong in (("--times", "2"), ("--for", "ada")):
        assert services(*broke, WHY, *wrong, by="gil").code == 2
    assert services(*broke, "now", by="gil").code != 0
    assert services(*broke, WHY, by="omar").code == 1
    done = services(*broke, WHY, by="gil")
    assert (done.code, f"remit approvals review {one['id']}" in done.out) == (0, True)
    assert passes(services, one)
    (finding,) = [each for each in services.ask("finding", "list")["items"] if each["kind"] == "broken-glass"]
    by_admin = services("finding", "resolve", finding["id"], "fine")
    assert (by_admin.code, "until another person has reviewed it" in by_admin.err) == (1, True)
    review = ("approvals", "review", one["id"], "--comment", "the salaries were due")
    assert services(*review, by="gil").code == 1
    assert "reviewed by omar" in services(*review, by="omar").out
    assert [each["kind"] for each in services.ask("finding", "list")["items"]].count("broken-glass") == 0
