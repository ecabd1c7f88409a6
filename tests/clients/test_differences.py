# SPDX-License-Identifier: Apache-2.0
"""Real clients read most texts alike, and the table has the classes of those that they do not."""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from urllib.parse import urlsplit

import pytest

from tests.clients.contact import Client, Contact, Delivery, Refused
from tests.clients.holding import broken
from tests.clients.regular import regular_address, regular_url
from tests.clients.strings import ADDRESSES, URLS, Text, regular_addresses, regular_urls
from tests.clients.table import Verdict, asked, verdict, verdicts, written

TABLE = written()
#: How many texts, from which seed: some in each run, many where there is time.
SEARCHED = [pytest.param(800, 1, id="some"), pytest.param(20_000, 2, id="many", marks=pytest.mark.slow)]
#: Python's own libraries are not locked, and each of its versions reads a little otherwise.
needs_python = pytest.mark.skipif(
    TABLE["versions"]["python"] != ".".join(map(str, sys.version_info[:2])),
    reason=f"the table was written with Python {TABLE['versions']['python']}",
)
PARTED = (Verdict.DIFFER, Verdict.ASK)


def changed() -> str:
    """Say which clients are not those that the table was written with."""
    then = {name: one for name, one in TABLE["versions"].items() if name not in ("python", "chromium")}
    news = [f"{name} {one} is now {version(name)}" for name, one in then.items() if version(name) != one]
    return f"{', '.join(news) or 'the same libraries'}; `python -m tests.clients` writes the table anew"


def shown(kind: str, clients: Sequence[Client], seen: set[str]) -> None:
    """Hold what some clients do with the table's examples against the table."""
    rows = {text: by for row in TABLE[kind].values() for text, by in row["examples"].items()}
    for (text, by), done in zip(rows.items(), asked(clients, list(rows)), strict=True):
        now = {name: str(one) for name, one in done.items() if name in seen}
        assert now == {name: by[name] for name in now}, f"{text!a}: {changed()}"


@pytest.mark.slow
@pytest.mark.parametrize(("count", "seed"), SEARCHED)
def test_a_url_of_the_regular_form_is_understood_alike(
    url_clients: Sequence[Client], count: int, seed: int
) -> None:
    """Every client connects to the host and port that it names, and asks for its path and query."""
    texts = list(regular_urls(seed, count))
    for text, done in zip(texts, asked(url_clients, texts), strict=True):
        expected = regular_url(text)
        assert expected is not None, text
        for name, outcome in done.items():
            assert isinstance(outcome, Contact), f"{text}: {name}: {outcome}"
            assert outcome.resource == expected.resource, f"{text}: {name}"
            assert not outcome.authorization


@pytest.mark.parametrize(("count", "seed"), SEARCHED)
def test_what_only_looks_regular_is_not_read_as_regular(
    url_clients: Sequence[Client], count: int, seed: int
) -> None:
    """Of hostile texts, those that the regular form takes lead every client to where it says."""
    texts = [one.text for one in URLS.many(seed, count)]
    assert not list(broken(regular_url, url_clients, texts, whole=True))


@pytest.mark.parametrize(("count", "seed"), SEARCHED)
def test_an_address_of_the_regular_form_is_delivered_alike(
    mail: Sequence[Client], count: int, seed: int
) -> None:
    """Every way to send mail delivers to the one address, with or without a name before it."""
    texts = list(regular_addresses(seed, count))
    for text, done in zip(texts, asked(mail, texts), strict=True):
        expected = regular_address(text)
        assert expected is not None, text
        for name, outcome in done.items():
            assert isinstance(outcome, Delivery), f"{text}: {name}: {outcome}"
            assert (outcome.place, outcome.injected) == (expected.place, ()), f"{text}: {name}"
    hostile = [one.text for one in ADDRESSES.many(seed, count)]
    assert not list(broken(regular_address, mail, hostile))


@pytest.mark.parametrize(("count", "seed"), SEARCHED)
def test_classes_together_make_no_new_difference(
    url_clients: Sequence[Client], count: int, seed: int
) -> None:
    """Clients part only on texts with a class in them on which they part anyway, or an arbitrary change."""
    texts = URLS.many(seed, count)
    for made, done in zip(texts, asked(url_clients, [one.text for one in texts]), strict=True):
        if verdict([list(done.values())]) in PARTED:
            assert any(_parts(one) for one in made.classes), (
                f"{made}: { {k: str(v) for k, v in done.items()} }"
            )


def _parts(one: str) -> bool:
    # Where there is no host, what comes after it is read as one.
    return one.startswith("mutation") or one == "host: empty" or TABLE["urls"][one]["verdict"] in PARTED


@pytest.mark.slow
@needs_python
def test_the_table_says_on_which_urls_clients_differ(url_clients: Sequence[Client]) -> None:
    """On which classes of URLs clients go to two places is what the table says, so that no release changes it
    unnoticed.
    """
    assert verdicts("urls", url_clients) == {one: row["verdict"] for one, row in TABLE["urls"].items()}, (
        changed()
    )


@needs_python
def test_the_table_says_on_which_addresses_mail_differs(mail: Sequence[Client]) -> None:
    """The same of addresses."""
    expected = {one: row["verdict"] for one, row in TABLE["addresses"].items()}
    assert verdicts("addresses", mail) == expected, changed()


@pytest.mark.parametrize("name", ["requests", "httpx", "httpx2", "aiohttp", "node", "node-http"])
def test_each_client_does_with_the_examples_what_the_table_says(
    url_clients: Sequence[Client], name: str
) -> None:
    """Where each example leads a client that is locked is written down."""
    shown("urls", [one for one in url_clients if one.name == name], {name})


@needs_python
def test_python_does_with_the_examples_what_the_table_says(
    url_clients: Sequence[Client], mail: Sequence[Client]
) -> None:
    """So it is of the clients that come with Python."""
    shown("urls", [one for one in url_clients if one.name == "urllib"], {"urllib"})
    shown("addresses", mail, {one.name for one in mail})


@pytest.mark.slow
def test_a_browser_does_with_the_examples_what_the_table_says(chromium: Client) -> None:
    """And of a browser, where there is one."""
    shown("urls", [chromium], {"chromium"})


@pytest.mark.parametrize(("count", "seed"), [(60, 1), pytest.param(1_000, 2, marks=pytest.mark.slow)])
def test_a_browser_goes_where_node_goes(
    chromium: Client, url_clients: Sequence[Client], count: int, seed: int
) -> None:
    """Both follow WHATWG: where both connect, it is to one place. The table shows the one class where it is
    not: Chromium does not compose letters and marks before it makes a name ASCII.
    """
    texts = [one.text for one in URLS.many(seed, count) if "host: composed" not in one.classes]
    node = next(one for one in url_clients if one.name == "node-http")
    for text, done in zip(texts, asked([node, chromium], texts), strict=True):
        assert verdict([list(done.values())]) is not Verdict.DIFFER, f"{text!a}: {done}"


def test_texts_are_the_same_for_the_same_seed() -> None:
    """A text that was found once is found again, and another seed gives others."""
    for grammar in (URLS, ADDRESSES):
        assert grammar.many(7, 300) == grammar.many(7, 300)
        assert len({one.text for one in (*grammar.many(7, 300), *grammar.many(8, 300))}) > 500
        assert {one.classes for one in grammar.many(7, 2_000) if len(one.classes) > 1}
        assert Text("", ()) not in grammar.many(7, 300)


def test_a_judgement_that_reads_as_one_client_does_is_found_out(
    url_clients: Sequence[Client], mail: Sequence[Client]
) -> None:
    """Not every client goes where `urlsplit` points, and not all mail goes to what is before a comma."""

    def lenient(text: str) -> Contact | None:
        try:
            url = urlsplit(text)
            return Contact(url.scheme, url.hostname or "", url.port or 80) if url.scheme == "http" else None
        except ValueError:
            return None

    def first(text: str) -> Delivery | None:
        return Delivery((text.partition(",")[0],))

    tricks = ["http://good.example\\@evil.example/", "http://busineß.example/", "http://plain.test/"]
    lines = list(broken(lenient, url_clients, tricks))
    assert any("evil.example" in line for line in lines)
    assert any("business.example" in line for line in lines)
    assert not any("plain.test" in line for line in lines)
    assert len(list(broken(first, mail, ["a@good.example, b@evil.example"]))) == 3


def test_nothing_goes_out(url_clients: Sequence[Client], mail: Sequence[Client]) -> None:
    """No client opens a connection or asks for a name, whatever the text is."""
    went: list[tuple[str, object]] = []
    watching = True

    def watch(event: str, values: tuple[object, ...]) -> None:
        # The oracle has `getaddrinfo` read numbers, and its event does not tell that it looks nothing up.
        if watching and event in {"socket.connect", "socket.gethostbyname", "socket.sendto"}:
            went.append((event, values))

    sys.addaudithook(watch)
    asked(url_clients, [one.text for one in URLS.many(3, 300)])
    asked(mail, [one.text for one in ADDRESSES.many(3, 300)])
    watching = False
    assert not went


def test_a_client_that_is_asked_nothing_understandable_refuses(url_clients: Sequence[Client]) -> None:
    """Nothing goes out for a text that is no URL."""
    for done in asked(
        url_clients, ["", "good.example", "good.example:80", "/path", "mailto:ana@good.example"]
    ):
        assert all(isinstance(one, Refused) for one in done.values()), done
