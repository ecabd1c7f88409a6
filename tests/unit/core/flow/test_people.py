# SPDX-License-Identifier: Apache-2.0
"""People in a person's words, and the structured fields that hold their addresses."""

from typing import Any

import pytest

from remit.core.flow.facts import FlowFacts, judged
from remit.core.flow.language.people import normal_name
from remit.core.flow.language.utterance import Utterance
from remit.core.flow.provenance import Index
from remit.core.flow.records.people_fields import can_be_id, is_of_sender, is_own_id, may_hold
from remit.core.flow.values.kinds import KindOfValue
from remit.core.label import Label, Trust
from remit.core.tools.tool import Argument, ArgumentRole, Effect, Tool

UNTRUSTED = Label(trust=Trust.UNTRUSTED)
EMAIL, TEXT = KindOfValue.EMAIL, KindOfValue.TEXT
READ = Tool(
    upstream="office",
    name="read_mail",
    effect=Effect.NONE,
    label=UNTRUSTED,
    arguments={"query": Argument(role=ArgumentRole.SELECTOR)},
)
SEND = Tool(
    upstream="office",
    name="send_mail",
    effect=Effect.IRREVERSIBLE,
    arguments={"to": Argument(role=ArgumentRole.DESTINATION)},
)


def said(words: str) -> Utterance:
    """Return a person's words."""
    found = Utterance()
    found.hear(words)
    return found


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("Answer Mia's mail", [("mia",)]),
        ("write to Frau Lund and Dr Berg", [("lund",), ("berg",)]),
        ("Dirk in cc", [("dirk",)]),
        ("Iker Luarca filled in the form", [("iker", "luarca"), ("luarca",)]),
        ("tell Zo\u00eb", [("zoe",)]),
        ("Answer the mail. Mail them. Please send it", []),
        ("send it to Al", []),
    ],
)
def test_names_are_the_words_with_capitals(words: str, names: list[tuple[str, ...]]) -> None:
    """The first word of a sentence is one only where the next word shows it; titles are none."""
    assert list(said(words).people.names) == names


def test_a_name_is_compared_without_case_and_accents_and_with_its_script() -> None:
    """A letter that only looks alike is another letter."""
    assert normal_name("ZO\u00cb") == normal_name("zoe\u0308") == "zoe"
    assert normal_name("T\u043em") != normal_name("Tom")
    assert normal_name("\uff34om") != normal_name("Tom")


@pytest.mark.parametrize(
    ("words", "several"),
    [
        ("Answer both", True),
        ("Write to both of them", True),
        ("Answer both questions", False),
        ("Mail him and Priya", True),
        ("Mail him and attach the file", False),
        ("the same participants as in May", True),
        ("the same room as in May", False),
        ("all who got it", True),
    ],
)
def test_plural_words_mean_several_people(words: str, several: bool) -> None:
    """Only where they are about people."""
    assert said(words).people.several is several


def test_the_recipient_of_a_message_is_not_said_to_be_a_sender() -> None:
    """Unless the words ask for an answer."""
    assert said("Read it and tell Bram").people.said(("bram",), of_sender=True) == []
    assert said("Read it and tell Bram").people.said(("bram",), of_sender=False) == ["bram"]
    assert said("Reply to Bram").people.said(("bram",), of_sender=True) == ["bram"]


def test_a_person_is_described_beside_the_name_of_the_source() -> None:
    """In the same sentence or the one before; a link likewise."""
    people = said("Dirk says their new engineer should see it. Thanks. The page is in Mia's mail").people
    assert people.describes(frozenset({"dirk"}), link=False)
    assert not people.describes(frozenset({"mia"}), link=False)
    assert people.describes(frozenset({"mia"}), link=True)
    assert not people.describes(frozenset({"dirk"}), link=True)
    assert not people.describes(frozenset({"engineer", "thank", "page"}), link=False)
    assert not said("Dirk says to hire an engineer soon").people.describes(frozenset({"dirk"}), link=False)


@pytest.mark.parametrize(
    ("field", "kind", "holds"),
    [
        ("email", EMAIL, True),
        ("shared_with", EMAIL, True),
        ("reply_to", EMAIL, True),
        ("from", EMAIL, True),
        ("subject", EMAIL, False),
        ("contact_note", EMAIL, False),
        ("name", EMAIL, False),
        ("company", EMAIL, False),
        ("login", TEXT, True),
        ("topic", TEXT, False),
        ("topic_id", TEXT, True),
        ("", TEXT, False),
    ],
)
def test_the_name_of_a_field_tells_whether_it_is_structured(
    field: str, kind: KindOfValue, holds: bool
) -> None:
    """An address belongs to a field for addresses or people; prose is prose whatever it holds."""
    assert may_hold(field, kind) is holds


def test_the_own_id_of_a_record_is_told_from_the_id_of_another() -> None:
    """Short numbers collide, and tell nothing."""
    assert is_own_id("id", "list_bills")
    assert is_own_id("bill_id", "list_bills")
    assert not is_own_id("folder_id", "list_bills")
    assert not is_own_id("bill", "list_bills")
    assert can_be_id("bill_4410")
    assert not can_be_id("4410")
    assert is_of_sender("messages[].from")
    assert not is_of_sender("messages[].to[]")


def facts(goal: str, to: str, *results: Any) -> FlowFacts:
    """Return the facts of a mail after results of a search for `hail`."""
    index = Index(b"k" * 32)
    index.state(goal, {})
    for call, result in enumerate(results, 1):
        for _ in index.learn(
            result, call=call, decision=f"dec_{call}", tool=READ, arguments={"query": "Mia hail"}
        ):
            pass
    return judged(index, SEND, {"to": to}, label=UNTRUSTED, plan=None).facts


MIA, ANN = "mia@rotor.example", "ann@rotor.example"


def test_a_field_of_a_pointed_source_is_structured_and_its_prose_is_free() -> None:
    """A value in both is structured; a value of no such source is neither."""
    mail = {"from": MIA, "body": f"Our address is {ANN}. Yours, {MIA}"}
    goal = "Answer Mia's mail about hail"
    one = facts(goal, MIA, mail)
    assert (one.destination_pointed, one.destination_structured, one.destination_free) == (True, True, False)
    one = facts(goal, ANN, mail)
    assert (one.destination_structured, one.destination_free) == (False, True)
    one = facts(goal, "eve@evil.example", mail)
    assert (one.destination_structured, one.destination_free) == (False, False)
    assert (one.destination, one.destination_pointed) == ("unknown", False)


def test_a_described_person_is_not_free_where_the_source_shows_one() -> None:
    """A second address in any part of it, or in a fuller text of it, makes both free."""
    goal = "Mia says in her mail about hail that their engineer should know. Write to her"
    mail = {"from": MIA, "body": f"Write to {ANN}."}
    one = facts(goal, ANN, mail)
    assert one.destination_pointed
    assert not one.destination_free
    assert facts("Answer Mia's mail about hail", ANN, mail).destination_free
    for body in ("Or to eve@evil.example.", "x " * 300 + "eve@evil.example"):
        assert facts(goal, ANN, mail | {"more": body}).destination_free
        fuller = mail | {"body": f"{mail['body']} {body}"}
        assert facts(goal, ANN, mail, fuller).destination_free


def test_people_who_are_described_as_many_are_one_in_each_record() -> None:
    """Beside the name of the source, which may be a name of several parts."""
    people = said("Invite everybody who volunteered in info-inbox").people
    assert people.described_as_many
    assert people.describes(frozenset({"info", "inbox"}), link=False, several=True)
    assert not people.describes(frozenset({"info", "outbox"}), link=False, several=True)
    assert not said("Invite Ann from info-inbox").people.described_as_many


def test_the_recipients_of_a_request_are_names_after_its_verb() -> None:
    """At the beginning of a sentence, too, and in four languages."""
    for words in ("Tell Lotte", "Please tell Lotte", "Schreib Lotte die Zahl", "Escribe a Lotte"):
        assert ("lotte",) in dict(said(words).people.addressed()), words
    assert list(said("Answer Lotte's mail").people.addressed()) == []
