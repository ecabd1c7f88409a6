# SPDX-License-Identifier: Apache-2.0
"""Questions to people in the console: each can be understood, answered once, and by no other person than an
approver; what agents and others wrote in it stays text.
"""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.core.decisions.approval import Approval, ApprovalState, OvertakenBy
from remit.core.decisions.decision import Outcome
from remit.core.decisions.narrowing import NarrowedBy
from remit.core.evidence.event import EventKind
from remit.ports.store.changes import PutApproval
from remit.ports.store.units import Unit
from tests.gateways.asking_office import AskingOffice, asking_office
from tests.worlds.pages import Browsing, Page

Json = Any
LIST = "/console/approvals"


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[AskingOffice]:
    """An office whose agents ask, with a console."""
    async with asking_office(tmp_path) as made:
        yield made


@pytest.fixture
async def ada(gateway: AskingOffice) -> Browsing:
    """An approver at a browser."""
    return await gateway.browser("ada")


def address(one: Approval) -> str:
    """Return the address of a question."""
    return f"{LIST}/{one.id}"


def answers(page: Page) -> set[str]:
    """Return the answers that a page offers."""
    return {form["fields"]["answer"] for form in page.forms if "answer" in form["fields"]}


async def send(browser: Browsing, page: Page, offered: str, **fields: str) -> Page:
    """Send one of the answers that a page offers, with some fields changed."""
    form = next(one for one in page.forms if one["fields"].get("answer") == offered)
    return await browser.post(form["action"], form["fields"] | fields)


async def state(gateway: AskingOffice, one: Approval) -> ApprovalState:
    """Return where a question stands."""
    return (await gateway.services.decisions.approvals.get(one.id)).state


async def put(gateway: AskingOffice, one: Approval, **changes: Json) -> Approval:
    """Store a changed copy of a question."""
    made = msgspec.structs.replace(one, **changes)
    await gateway.services.store.commit(Unit((PutApproval(made),)))
    return made


# What is shown.


async def test_a_question_tells_who_wants_what_for_whom_and_where_its_values_came_from(
    gateway: AskingOffice, ada: Browsing
) -> None:
    """Sentence, provenance, effect, rule, chain and time, on one page."""
    one = await gateway.asked("Gladly")
    page = await ada.get(address(one))
    assert page.status == 200
    for told in (
        "wants to change things irreversibly with",
        ">lena</a>",
        "tom@ext.example",
        "written by others",
        "words name its source (<code>offsite</code>)",
        "What it changes cannot be undone.",
        "Its arguments leave the organisation.",
        "some of it written by others",
        "flow/ask-destination",
        "<b>15 min</b> left to answer",
        one.call,
    ):
        assert told in page.text
    page = await ada.get(f"{address(one)}/chain")
    graph = page.text.partition('<svg class="graph"')[2].partition("</svg>")[0]
    places = [graph.index(f">{name}<") for name in ("lena", "clerk", "office/read_mail", "office/send_mail")]
    assert places == sorted(places)
    assert "to, from field [].from" in graph


async def test_a_question_is_told_in_full_however_much_its_task_has_done_since(
    gateway: AskingOffice, ada: Browsing
) -> None:
    """Its decision is found behind more events than the page reads at first."""
    one = await gateway.asked("Gladly")
    for _ in range(110):
        await gateway.office.run("read_mail", folder="inbox")
    assert "field [].from" in (await ada.get(address(one))).text
    assert ">office/read_mail<" in (await ada.get(f"{address(one)}/chain")).text


async def test_an_empty_list_says_what_happens_next(ada: Browsing) -> None:
    """And so does the page of figures."""
    page = await ada.get(LIST)
    assert "No question waits for a person." in page.text
    assert "its question appears here, for you to answer" in page.text
    assert "No question has been asked yet." in (await ada.get(f"{LIST}/figures")).text


async def test_questions_that_differ_in_their_texts_alone_are_one_group(
    gateway: AskingOffice, ada: Browsing
) -> None:
    """Another destination is another group; each question keeps its own page."""
    same = [await gateway.asked(text) for text in ("One", "Two", "Three")]
    other = await gateway.asked("One", cc="tom@ext.example")
    page = await ada.get(LIST)
    assert "4 questions" in page.text
    assert page.text.count("3 alike") == 1
    assert all(address(one) in page.text for one in (*same, other))


async def test_the_highest_risk_comes_first(gateway: AskingOffice, ada: Browsing) -> None:
    """Also before newer questions."""
    high = await gateway.asked("Gladly")
    low = await put(
        gateway, high, id="apr_low", tool="office/write_note", call="sha256:low",
        arguments={"text": "x"}, requested=high.requested + timedelta(minutes=1),
    )  # fmt: skip
    page = await ada.get(LIST)
    assert page.text.index(address(high)) < page.text.index(address(low))


async def test_the_list_is_filtered_by_agent_tool_and_state(gateway: AskingOffice, ada: Browsing) -> None:
    """A filter that matches nothing says so, and how to see everything."""
    one = await gateway.asked("Gladly")
    answered = await gateway.asked("Answered")
    await send(ada, await ada.get(address(answered)), "refuse")
    assert address(one) in (await ada.get(f"{LIST}?agent=clerk&tool=office/send_mail")).text
    nothing = await ada.get(f"{LIST}?agent=%3Cb%3E&tool=none")
    assert address(one) not in nothing.text
    assert "No open question matches." in nothing.text
    assert "<b>&lt;" not in nothing.text
    assert "&lt;b&gt;" in nothing.text
    denied = await ada.get(f"{LIST}?state=denied")
    assert address(answered) in denied.text
    assert address(one) not in denied.text


async def test_ten_thousand_open_questions_are_a_bounded_page(gateway: AskingOffice, ada: Browsing) -> None:
    """Each of them can be reached, and the count in the navigation stops."""
    one = await gateway.asked("Gladly")
    for start in range(0, 10_000, 500):
        copies = [
            msgspec.structs.replace(
                one, id=f"apr_{n:05}", call=f"sha256:{n}", arguments={"to": f"{n}@ext.example"},
                requested=one.requested + timedelta(milliseconds=n + 1),
            )
            for n in range(start, start + 500)
        ]  # fmt: skip
        await gateway.services.store.commit(Unit(tuple(PutApproval(each) for each in copies)))
    page = await ada.get(LIST)
    assert len(page.text) < 100_000
    assert page.text.count('class="wants"') == 25
    assert "99+" in page.text
    assert "Page 1 of 40" in page.text
    assert "from=1000" in page.text
    last = await ada.get(f"{LIST}?from=10000")
    assert address(one) in last.text
    assert (await ada.get(f"{LIST}?from=-1&page=99999999999999")).status == 200


HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\u202egpj.exe\x1b[31m\"'`{{ 7*7 }}"


async def test_hostile_texts_stay_texts(gateway: AskingOffice, ada: Browsing) -> None:
    """In arguments, their names, goals, reasons, comments and the graph: no markup, nothing hidden."""
    one = await gateway.asked(HOSTILE)
    await put(
        gateway, one, id="apr_evil", agent=HOSTILE, tool=f"office/{HOSTILE}", call="sha256:evil", offer=None,
        requested_for=HOSTILE, reasons=(HOSTILE,), arguments={HOSTILE: HOSTILE, "to": [HOSTILE]},
        narrowable={HOSTILE: NarrowedBy.BELOW},
    )  # fmt: skip
    for place in (address(one), f"{LIST}/apr_evil", f"{LIST}/apr_evil/chain", LIST, f"{LIST}?agent=clerk"):
        page = await ada.get(place)
        assert page.status == 200
        for never in ("<script>alert", "<img", "\u202e", "\x1b", "49 }}"):
            assert never not in page.text, place
    assert "\\u{202e}" in (await ada.get(address(one))).text


async def test_a_very_large_argument_is_cut_and_says_so(gateway: AskingOffice, ada: Browsing) -> None:
    """A person sees that more stands there than the page shows."""
    one = await put(gateway, await gateway.asked("Gladly"), id="apr_big", arguments={"body": "A" * 1_000_000})
    page = await ada.get(address(one))
    assert len(page.text) < 100_000
    assert "1,000,000 characters in all" in page.text


# Answers.


async def test_just_this_once_permits_exactly_this_call(gateway: AskingOffice, ada: Browsing) -> None:
    """The page then tells what was answered, by which person, and the call that used it."""
    one = await gateway.asked("Gladly")
    done = await send(ada, await ada.get(address(one)), "once", comment="known to us")
    assert (done.status, done.location) == (303, f"{address(one)}?done=approved")
    assert await gateway.office.outcome("send_mail", to="tom@ext.example", body="Other") is Outcome.DEFER
    made = await gateway.office.call("send_mail", to="tom@ext.example", body="Gladly")
    assert made.outcome is Outcome.PERMIT
    page = await ada.get(done.location)
    assert "Approved. The agent has the answer." in page.text
    for told in ("approved and used", ">ada</a>", "known to us", f"/console/decisions/{made.id}"):
        assert told in page.text
    assert answers(page) == set()


async def test_the_bounded_answer_stands_beside_just_this_once(gateway: AskingOffice, ada: Browsing) -> None:
    """It permits as many calls as were chosen, and can be withdrawn."""
    one = await gateway.asked("Gladly")
    page = await ada.get(address(one))
    assert answers(page) == {"bounded", "once", "refuse"}
    assert "No other question like this one" in (await ada.get(f"{address(one)}/alike")).text
    done = await send(ada, page, "bounded", most="2", span="300")
    given = await gateway.services.decisions.approvals.get(one.id)
    assert given.bounds is not None
    assert (given.bounds.most, given.bounds.until - gateway.office.clock.now()) == (2, timedelta(minutes=5))
    mails = [await gateway.office.outcome("send_mail", to="tom@ext.example", body="Again")]
    page = await ada.get(done.location)
    assert "1 left until" in page.text
    gone = await ada.fill(page, "withdraw", comment="enough")
    assert gone.location.endswith("done=withdrawn")
    mails.append(await gateway.office.outcome("send_mail", to="tom@ext.example", body="Gladly"))
    assert mails == [Outcome.PERMIT, Outcome.DEFER]


@pytest.mark.parametrize("why", list(OvertakenBy))
async def test_a_question_that_was_withdrawn_says_why(
    gateway: AskingOffice, ada: Browsing, why: OvertakenBy
) -> None:
    """Whatever it was, the page of it can be read."""
    one = await gateway.asked("Gladly")
    gone = await put(gateway, one, id="apr_gone", state=ApprovalState.EXPIRED, overtaken=why)
    page = await ada.get(address(gone))
    assert (page.status, answers(page)) == (200, set())
    assert re.search(r"<dt>Answer</dt><dd>[^<]*: \w[^<]+</dd>", page.text)


async def test_more_than_the_offer_is_never_approved(gateway: AskingOffice, ada: Browsing) -> None:
    """Whatever the form was made to say."""
    one = await gateway.asked("Gladly")
    page = await ada.get(address(one))
    for most in ("11", "1000000", "-3", "x", ""):
        told = await send(ada, page, "bounded", most=most)
        assert told.status == 400, most
        assert await state(gateway, one) is ApprovalState.PENDING
    bare = await put(gateway, one, id="apr_bare", offer=None)
    assert answers(await ada.get(address(bare))) == {"once", "refuse"}
    assert (await send(ada, page, "bounded", most="2")).status == 303
    form = page.forms[-1]["fields"] | {"answer": "bounded", "most": "2"}
    assert (await ada.post(address(bare), form)).status == 400


async def test_less_is_permitted_with_a_control_for_each_argument(
    gateway: AskingOffice, ada: Browsing
) -> None:
    """Fewer elements; what is not narrower is refused calmly; question and answer are linked."""
    asked = {"to": ["tom@ext.example", "mia@ext.example"], "body": "Hello"}
    one = await put(
        gateway, await gateway.asked("Gladly"), id="apr_list", arguments=asked, call="sha256:list",
        narrowable={"to": NarrowedBy.FEWER}, offer=None,
    )  # fmt: skip
    page = await ada.get(address(one))
    assert page.text.count('type="checkbox"') == 2
    everything = {"narrow-0-0": "on", "narrow-0-1": "on"}
    for fields in (everything, {}, {"narrow-0-7": "on"}):
        assert (await send(ada, page, "narrow", **fields)).status == 400
        assert await state(gateway, one) is ApprovalState.PENDING
    done = await send(ada, page, "narrow", **{"narrow-0-1": "on"})
    question = await gateway.services.decisions.approvals.get(one.id)
    given = await gateway.services.decisions.approvals.get(question.instead)
    assert given.arguments == asked | {"to": ["mia@ext.example"]}
    assert address(given) in (await ada.get(done.location)).text
    told = await ada.get(address(given))
    assert address(question) in told.text
    assert "written by the approver" in told.text


async def test_a_lower_amount_is_a_number_of_the_same_type(gateway: AskingOffice, ada: Browsing) -> None:
    """Text, nothing, infinity and more are not lower."""
    one = await put(
        gateway, await gateway.asked("Gladly"), id="apr_sum", arguments={"amount": 5000}, call="sha256:sum",
        narrowable={"amount": NarrowedBy.LOWER}, offer=None,
    )  # fmt: skip
    page = await ada.get(address(one))
    for text in ("5000", "6000", "abc", "-1", "NaN", "Infinity", "1e999", "true", "4.5", '"1"', "[1]"):
        assert (await send(ada, page, "narrow", **{"narrow-0": text})).status == 400, text
        assert await state(gateway, one) is ApprovalState.PENDING
    given = await send(ada, page, "narrow", **{"narrow-0": "500"})
    # The task has no grant that would refuse the call, so the narrower one is permitted.
    assert given.status == 303
    assert await state(gateway, one) is ApprovalState.NARROWED


async def test_a_refusal_reaches_the_agent_with_its_reason_in_the_evidence(
    gateway: AskingOffice, ada: Browsing
) -> None:
    """The same call is refused without another question."""
    one = await gateway.asked("Gladly")
    done = await send(ada, await ada.get(address(one)), "refuse", comment="a stranger")
    assert done.location.endswith("done=refused")
    assert await gateway.office.outcome("send_mail", to="tom@ext.example", body="Gladly") is Outcome.DENY
    assert [each["state"] for each in await gateway.office.facts(EventKind.APPROVAL_DECIDED)] == ["denied"]
    assert "a stranger" in (await ada.get(address(one))).text


# What is no answer.


async def test_a_second_answer_is_told_calmly_what_the_first_one_was(
    gateway: AskingOffice, ada: Browsing
) -> None:
    """A double click approves once; the other approver's refusal comes too late."""
    one = await gateway.asked("Gladly")
    page = await ada.get(address(one))
    assert (await send(ada, page, "once")).status == 303
    for answer in ("once", "refuse"):
        again = await send(ada, page, answer)
        assert again.status == 409
        assert "is already approved" in again.text
        assert ">ada</a>" in again.text
    assert len(await gateway.office.facts(EventKind.APPROVAL_DECIDED)) == 1


async def test_an_answer_to_another_call_than_the_one_shown_does_not_count(
    gateway: AskingOffice, ada: Browsing
) -> None:
    """The page shows the question as it stands now; a form without the digest is no answer."""
    one = await gateway.asked("Gladly")
    page = await ada.get(address(one))
    stale = await send(ada, page, "once", call="sha256:other")
    assert stale.status == 409
    assert "The digest does not match the call" in stale.text
    assert "Gladly" in stale.text
    assert (await send(ada, page, "once", call="")).status == 400
    assert (await send(ada, page, "once", answer="")).status == 400
    assert (await send(ada, page, "once", answer="yes")).status == 400
    assert await state(gateway, one) is ApprovalState.PENDING


async def test_a_question_that_has_expired_says_so(gateway: AskingOffice, ada: Browsing) -> None:
    """Its old page answers nothing."""
    one = await gateway.asked("Gladly")
    page = await ada.get(address(one))
    gateway.office.clock.advance(901)
    late = await send(ada, page, "once")
    assert late.status == 409
    assert "no answer in time" in late.text
    assert answers(late) == set()


async def test_a_forged_form_answers_nothing(gateway: AskingOffice, ada: Browsing) -> None:
    """Neither without the CSRF value, nor with another session's, nor by GET."""
    one = await gateway.asked("Gladly")
    page = await ada.get(address(one))
    root = await gateway.browser("root")
    other = (await root.get("/console")).form("sign-out")["fields"]["csrf"]
    for csrf in ("", "forged", other):
        told = await send(ada, page, "once", csrf=csrf)
        assert told.status == 403
    fields = "&".join(f"{name}={value}" for name, value in page.forms[-1]["fields"].items())
    await ada.get(f"{address(one)}?{fields}&answer=once")
    assert await state(gateway, one) is ApprovalState.PENDING


async def test_the_requester_sees_the_question_and_why_another_person_answers_it(
    gateway: AskingOffice, ada: Browsing
) -> None:
    """Without a role, and with the role approver, too."""
    one = await gateway.asked("Gladly")
    form = next(each for each in (await ada.get(address(one))).forms if "call" in each["fields"])["fields"]
    lena = await gateway.browser("lena")
    page = await lena.get(address(one))
    assert page.status == 200
    assert answers(page) == set()
    assert "people with the role approver can answer it" in page.text
    assert address(one) in (await lena.get(LIST)).text
    own = await put(gateway, one, id="apr_own", requested_for="ada")
    page = await ada.get(address(own))
    assert answers(page) == set()
    assert "another approver answers it" in page.text
    assert (await ada.post(address(own), form | {"answer": "once"})).status == 403
    forged = (await lena.get("/console")).form("sign-out")["fields"]
    assert (await lena.post(address(one), form | forged)).status == 403
    assert await state(gateway, one) is ApprovalState.PENDING


async def test_a_viewer_and_a_stranger_see_no_arguments(gateway: AskingOffice) -> None:
    """A question that is not theirs does not exist for them; no person at all signs in first."""
    one = await gateway.asked("Gladly")
    vera = await gateway.browser("vera")
    page = await vera.get(address(one))
    assert page.status == 404
    assert "Gladly" not in page.text
    assert address(one) not in (await vera.get(LIST)).text
    assert (await vera.get(f"{address(one)}/alike")).status == 403
    assert (await vera.get(f"{address(one)}/chain")).status == 404
    assert (await vera.get(f"{LIST}/figures")).status == 200
    away = await Browsing(gateway).get(address(one))  # type: ignore[arg-type]
    assert away.status == 303
    assert "/oauth/sign-in?then=" in away.location


async def test_a_question_that_needs_a_passkey_leads_to_a_fresh_sign_in_and_back(
    gateway: AskingOffice, ada: Browsing
) -> None:
    """A forged approval is sent there, too; a refusal needs none."""
    one = await put(gateway, await gateway.asked("Gladly"), id="apr_strong", step_up=True)
    page = await ada.get(address(one))
    assert answers(page) == {"refuse"}
    assert "fresh=1" in page.text
    sent = await send(ada, page, "refuse", answer="once")
    assert sent.status == 303
    assert "fresh=1" in sent.location
    assert "apr_strong" in sent.location
    assert await state(gateway, one) is ApprovalState.PENDING
    person = await gateway.services.identity.directory.person("ada")
    ada.cookies["remit-session"] = await gateway.services.people.browsers.open(
        person, method="passkey", place=""
    )
    page = await ada.get(address(one))
    assert "once" in answers(page)
    assert (await send(ada, page, "once")).status == 303
    assert await state(gateway, one) is ApprovalState.APPROVED


async def test_figures_tell_whether_questions_are_still_read(gateway: AskingOffice, ada: Browsing) -> None:
    """From the evidence, by rule."""
    for number in range(5):
        one = await gateway.asked(f"Mail {number}")
        gateway.office.clock.advance(1)
        await send(ada, await ada.get(address(one)), "once")
    page = await ada.get(f"{LIST}/figures")
    for told in ("flow/ask-destination", "always approved", "5 of 5", "too fast to read"):
        assert told in page.text
    assert (await ada.get(f"{LIST}/figures?events=%3Cx")).status == 200
