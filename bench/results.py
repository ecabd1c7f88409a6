# SPDX-License-Identifier: Apache-2.0
"""Results as tools give them: mailboxes, lists of issues, rows of queries, prose; the same for the same name.

Their words are those of Python's own documentation, which every machine has: real English with its real
vocabulary, without names of the language and code.
"""

import random
import re
from collections.abc import Callable
from functools import cache, lru_cache
from itertools import count
from pydoc_data.topics import topics

import orjson

RECORDS = ("mailbox", "issues", "rows")
KINDS = (*RECORDS, "prose")

Record = dict[str, object]


@cache
def _words() -> list[str]:
    return re.findall(r"(?<=\s)[A-Za-z]+[.,]?(?=\s)", " ".join(topics[name] for name in sorted(topics)))


def _sentence(some: random.Random, words: int) -> str:
    start = some.randrange(len(_words()) - words)
    return " ".join(_words()[start : start + words])


def _name(some: random.Random) -> str:
    return "".join(some.choices("bdfglmnprst", k=3)) + some.choice("aeiou") + some.choice("lnrs")


def _mail(some: random.Random, number: int) -> Record:
    return {
        "id": f"msg_{some.getrandbits(48):012x}",
        "from": f"{_name(some)}.{_name(some)}@{_name(some)}.example.org",
        "to": [f"{_name(some)}@example.com" for _ in range(2)],
        "subject": _sentence(some, 6),
        "date": f"2026-03-{some.randint(10, 28)}T10:{some.randint(10, 59)}:00Z",
        "read": number % 2 == 0,
        "snippet": _sentence(some, 25),
    }


def _issue(some: random.Random, number: int) -> Record:
    at = f"2026-0{some.randint(1, 9)}-{some.randint(10, 28)}T09:{some.randint(10, 59)}:00Z"
    return {
        "number": 10_000 + number,
        "title": _sentence(some, 8),
        "state": some.choice(("open", "closed")),
        "user": {"login": _name(some), "id": some.randrange(10**7)},
        "labels": [some.choice(("bug", "docs", "question", "feature")), f"area/{_name(some)}"],
        "assignee": _name(some),
        "comments": some.randrange(40),
        "created_at": at,
        "updated_at": at.replace("2026", "2027"),
        "html_url": f"https://code.example.org/{_name(some)}/{_name(some)}/issues/{10_000 + number}",
    }


def _row(some: random.Random, number: int) -> Record:
    return {
        "order_id": 700_000 + number,
        "customer": f"C-{some.randrange(10**5):05d}",
        "email": f"{_name(some)}{some.randrange(100)}@example.net",
        "city": _name(some).title(),
        "amount": some.randrange(10**6) / 100,
        "currency": some.choice(("EUR", "USD", "SEK")),
        "paid": number % 3 == 0,
        "ordered_on": f"2026-0{some.randint(1, 9)}-{some.randint(10, 28)}",
    }


_RECORDS: dict[str, Callable[[random.Random, int], Record]] = {
    "mailbox": _mail,
    "issues": _issue,
    "rows": _row,
}


@lru_cache(1_000)
def text_of(name: str) -> str:
    """Return the text of a result by its name, `KIND-BYTES-NUMBER`: it has about so many bytes.

    Raises:
        ValueError: if it is not such a name.
    """
    kind, size, number = name.split("-")
    some, make = random.Random(name), _RECORDS.get(kind)
    pieces: list[str] = []
    length = 0
    for place in count(int(number) * 10_000):
        if length >= int(size):
            break
        pieces.append(orjson.dumps(make(some, place)).decode() if make else _sentence(some, 100))
        length += len(pieces[-1]) + 1
    return f"[{','.join(pieces)}]" if make else " ".join(pieces)[: int(size)]
