# SPDX-License-Identifier: Apache-2.0
"""Searches, titles of others, and the words for many and for the greatest, each alone."""

from __future__ import annotations

import msgspec
import pytest

from remit.core.flow.language.clauses import Clauses
from remit.core.flow.language.quantity import names_all
from remit.core.flow.language.superlatives import Superlative, superlatives_in
from remit.core.flow.language.utterance import Utterance
from remit.core.flow.language.word_forms import EMPTY, stem, words_of
from remit.core.flow.records.hints import Hint, hints_in, nouns_in
from remit.core.flow.records.search import by_item, hinted, is_container, is_title, witnessed

#: A result with two orders (1 and 3), and a line in each (2 and 4).
ABOVE = (0, 0, 1, 0, 3)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"velocite"}, {1, 3}),
        ({"velocite depots"}, {1}),
        ({"velocite", "depots"}, {1}),
        ({"velocite canopy"}, set()),
        ({"deal"}, set()),
        (set(), set()),
    ],
)
def test_a_record_holds_all_searched_words_that_the_person_said(asked: set[str], found: set[int]) -> None:
    """A word that the person did not say finds nothing, and a word for every deal finds no single one."""
    said, held = {"velocit", "depot", "deal"}, {"velocit": {1, 3}, "depot": {1}, "deal": {1}, "canopy": {3}}
    assert witnessed(asked, said, {"deal"}, held) == found


def test_a_title_of_a_line_leads_to_its_order_and_to_no_other_line() -> None:
    """The records are the line, the order around it, and not the whole result."""
    titles = {"tent": {2}, "shop": {2, 4}}
    assert by_item(titles, ABOVE) == {"tent": {1}, "shop": {1, 3}}
    assert hinted(1, titles, ABOVE) == {1, 2}
    assert hinted(0, {"tent": {0}}, ABOVE) == {0}


def test_a_container_and_a_title_are_known_by_their_names() -> None:
    """Free words and texts are neither."""
    assert [is_container(one) for one in ("folder", "project_id", "repository", "query", "from")] == [
        True,
        True,
        True,
        False,
        False,
    ]
    assert [is_title(one) for one in ("Subject", "name", "body", "text")] == [True, True, False, False]


@pytest.mark.parametrize(
    ("sentence", "meant"),
    [
        ("send everyone who signed up for the autumn event the programme", True),
        ("send everyone the programme of the autumn event", True),
        ("send all but ms wolters, the autumn event is near", False),
        ("tell everyone about ms wolters of the autumn event", False),
        ("send the programme of the autumn event", False),
        ("schick allen vom autumn event das programm", True),
    ],
)
def test_all_with_a_key_are_meant_in_a_clause_that_names_no_single_one(sentence: str, meant: bool) -> None:
    """The key stands beside the word for many."""
    assert names_all([sentence], {"autumn", "event"}, ["wolters"]) is meant


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("the largest file", [(True, "size", 1)]),
        ("the second largest file", [(True, "size", 2)]),
        ("the 3rd oldest issue", [(False, "time", 3)]),
        ("second, the largest file", [(True, "size", 1)]),
        ("my last mail", [(True, "time", 1)]),
        ("last week", []),
        ("the latest mails", []),
        ("die zweitgrößte Datei", [(True, "size", 2)]),
        ("die letzte Mail", [(True, "time", 1)]),
        ("letzte Woche", []),
        ("Beste Grüße", []),
        ("le fichier le plus récent", [(True, "time", 1)]),
        ("une facture plus récente", []),
        ("la dernière facture", [(True, "time", 1)]),
        ("la segunda factura más reciente", [(True, "time", 2)]),
        ("la ultima factura", [(True, "time", 1)]),
        ("la última vez", []),
    ],
)
def test_a_superlative_is_read_with_its_place_in_four_languages(
    words: str, found: list[tuple[bool, str, int]]
) -> None:
    """Comparatives, greetings, and words for times select nothing."""
    read = [(one.greatest, one.measure, one.rank) for one in superlatives_in(words_of(words), EMPTY)]
    assert read == found


def test_a_place_beyond_the_last_selects_nothing() -> None:
    """Two values of one record are one candidate, and equal records are both found."""
    second = Superlative(greatest=True, measure="size", rank=2)
    assert second.pick([(9, 1), (5, 2), (7, 1), (3, 3)]) == {2}
    assert second.pick([(9, 1), (8, 1)]) == frozenset()
    assert second.pick([(9, 1), (9, 2), (5, 3)]) == {1, 2}


@pytest.mark.parametrize(
    ("words", "many"),
    [
        ("Schick die Agenda an alle Teilnehmer", True),
        ("Envoie le programme à tous les membres", True),
        ("Manda el programa a todos los participantes", True),
        ("Schick die Agenda an Bob", False),
    ],
)
def test_words_name_many_recipients_in_other_languages(words: str, many: bool) -> None:
    """The words for many stand before a word for people."""
    said = Utterance()
    said.hear(words)
    assert said.speaks_of_many() is many


def test_an_item_whose_title_shares_no_noun_of_the_intent_is_told_apart() -> None:
    """Where two items share a word, neither is; a result with one item tells nothing apart."""
    above = (0, 0, 0, 0, 0)
    (found,) = hints_in({"lat": {1}, "bug": {2, 3}, "approv": {4}}, {}, above, ["lat", "bug"])
    assert (set(found.words), set(found.records), set(found.named)) == ({"lat"}, {1}, set())
    assert not hints_in({"lat": {0}}, {}, (0,), ["lat"])
    (named,) = hints_in({"camp": {2}}, {("camp", 2): {"lists[]"}}, above, ["camp"])
    assert (set(named.said), set(named.named)) == ({"camp"}, {"lists[]"})
    assert not hints_in({stem("everyone"): {2}}, {}, above, ["everyone"])


@pytest.mark.parametrize(
    ("words", "nouns"),
    [
        ("Look through the LAT offset, then leave a comment that it is right", "lat offset comment"),
        ("pls look thru marisol's LAT fix (diff + CI)", "lat fix"),
        ("Rename my request, but not the LAT offset", "request"),
        ("Check what's new again", ""),
    ],
)
def test_only_words_after_an_article_or_owner_denote_a_thing(words: str, nouns: str) -> None:
    """A word that says what to do or how hints at nothing, and neither does what is ruled out."""
    clauses = Clauses()
    clauses.hear(words)
    assert list(nouns_in(clauses.of())) == nouns.split()


def test_hints_at_other_items_of_one_tool_or_by_one_word_are_rivals() -> None:
    """The same item, read twice, is no rival of itself."""
    here, again, other = (
        Hint(frozenset(("lat",)), frozenset(), frozenset(), frozenset(), tool, frozenset((number,)))
        for tool, number in (("list", 206), ("search", 206), ("search", 209))
    )
    assert not here.rivals(again)
    assert here.rivals(other)
    assert again.rivals(msgspec.structs.replace(other, words=frozenset(("sign",))))
    assert not here.rivals(msgspec.structs.replace(other, words=frozenset(("sign",))))
