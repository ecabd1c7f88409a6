# SPDX-License-Identifier: Apache-2.0
"""Texts to ask clients about: ordinary ones, and ones that are made to be misread.

A text is put together from a grammar: each part is written in its ordinary way, and up to three of them in a
way of another class. So texts are a space to search, and each knows the classes it is made of. The same seed
gives the same texts on every machine.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random

from tests.clients import address_grammar, url_grammar
from tests.clients.url_grammar import Production, dotted, ipv6, mutated, path, query

Parts = Mapping[str, Production]
Classes = Mapping[str, Mapping[str, Production]]
#: How many parts are written in another way than the ordinary one, and how often.
_HOSTILE_PARTS = (0, 1, 1, 1, 2, 2, 3)


@dataclass(frozen=True)
class Text:
    """A text, and the classes that it is made of; none of a text that is ordinary in all its parts."""

    text: str
    classes: tuple[str, ...] = ()


class Grammar:
    """Texts of one kind."""

    def __init__(self, ordinary: Parts, hostile: Classes, simplest: dict[str, str]) -> None:
        self._ordinary, self._hostile, self._simplest = ordinary, hostile, simplest
        self.classes = tuple(f"{part}: {kind}" for part, kinds in hostile.items() for kind in kinds)

    def many(self, seed: int, count: int) -> list[Text]:
        """Return so many texts, of all classes and their combinations."""
        rng = Random(seed)
        return [self._any(rng) for _ in range(count)]

    def of_class(self, wanted: str, seed: int, count: int) -> list[Text]:
        """Return so many texts of exactly one class, each other part ordinary."""
        part, _, kind = wanted.partition(": ")
        rng = Random(f"{wanted} {seed}")
        return [self._made(rng, {part: kind}, self._ordinary) for _ in range(count)]

    def examples(self, wanted: str, most: int) -> list[str]:
        """Return the first few texts of a class whose other parts are as simple as can be."""
        part, _, kind = wanted.partition(": ")
        rng = Random(wanted)
        texts = self._simplest | ({"host": url_grammar.EVIL} if part == "user" else {})
        simplest: Parts = {one: url_grammar.one(text) for one, text in texts.items()}
        made = (self._made(rng, {part: kind}, simplest).text for _ in range(20))
        return list(dict.fromkeys(made))[:most]

    def _any(self, rng: Random) -> Text:
        parts = rng.sample(list(self._hostile), rng.choice(_HOSTILE_PARTS))
        made = self._made(
            rng, {part: rng.choice(list(self._hostile[part])) for part in parts}, self._ordinary
        )
        if parts and rng.random() < 0.25:
            kind, text = mutated(rng, made.text)
            return Text(text, (*made.classes, kind))
        return made

    def _made(self, rng: Random, chosen: Mapping[str, str], otherwise: Parts) -> Text:
        written = {
            part: (self._hostile[part][chosen[part]] if part in chosen else otherwise[part])(rng)
            for part in self._ordinary
        }
        frame = written.pop("around")
        text = frame.replace("{}", "".join(written.values()))
        return Text(text, tuple(f"{part}: {kind}" for part, kind in chosen.items()))


URLS = Grammar(
    url_grammar.ORDINARY,
    url_grammar.HOSTILE,
    {
        "around": "{}",
        "scheme": "http",
        "separator": "://",
        "user": "",
        "host": url_grammar.GOOD,
        "port": "",
        "path": "/",
        "query": "",
        "fragment": "",
    },
)
ADDRESSES = Grammar(
    address_grammar.ORDINARY,
    address_grammar.HOSTILE,
    {"around": "{}", "local": "ana", "at": "@", "domain": url_grammar.GOOD},
)


def regular_urls(seed: int, count: int) -> Iterator[str]:
    """Yield URLs of the regular form: `http` or `https`, ASCII, no user info; a host of letters, digits and
    inner hyphens that ends in a word, an IPv4 address in four decimal numbers, or an IPv6 address in
    brackets; no port, or one without leading zeros that browsers do not block; a path, a query and a fragment
    of RFC 3986's characters, with no dot segment, no apostrophe, and no escape but of what has to be escaped.
    """
    rng = Random(f"regular {seed}")
    hosts: tuple[Callable[[Random], str], ...] = (_host, _host, _host, dotted, ipv6)
    for _ in range(count):
        port = rng.choice(("", "", f":{rng.randrange(10_100, 65_536)}", ":80", ":443", ":8080", ":3000"))
        place = f"{rng.choice(('http', 'https'))}://{rng.choice(hosts)(rng)}{port}"
        tail = path(rng) + rng.choice(("", "", "/%20", "%2Fa", "%C3%A9")) + query(rng)
        yield place + tail + rng.choice(("", "", "#part", "#a/b?c"))


def _host(rng: Random) -> str:
    def label(first: str) -> str:
        inner = "".join(rng.choice("abcXYZ0189-") for _ in range(rng.randrange(12)))
        return rng.choice(first) + "-".join(filter(None, inner.split("-"))) + rng.choice("az09")

    labels = [label("abcXYZ019") for _ in range(rng.randrange(4))]
    return ".".join((*labels, label("abcXYZ")))


def regular_addresses(seed: int, count: int) -> Iterator[str]:
    """Yield addresses of the regular form: one, in ASCII, bare or in angle brackets after a plain name."""
    rng = Random(f"regular {seed}")
    for _ in range(count):
        atoms = (
            "".join(rng.choice("abcXYZ019_+-") for _ in range(rng.randrange(1, 9)))
            for _ in range(rng.choice((1, 1, 2)))
        )
        address = f"{'.'.join(atoms)}@{_host(rng)}"
        yield rng.choice(("{}", "{}", "<{}>", "Ana <{}>", "Ana Smith <{}>", "Zoe-Ann <{}>")).format(address)
