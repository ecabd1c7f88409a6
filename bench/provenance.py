# SPDX-License-Identifier: Apache-2.0
"""What provenance costs: judging a call's arguments, reading its result, and what a task remembers of it.

The same functions that steps 3, 5 and 8 call, on mailboxes and texts that are made here, always the same.
Beside each reading stands what parsing the same bytes as JSON takes, which no gateway can do without.
"""

from __future__ import annotations

import gc
import itertools
import random
import statistics
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any

import orjson

from bench.figure import Figure
from bench.measure import layout
from bench.target import confined
from remit.core.flow.facts import judged
from remit.core.flow.memory import CAPACITY
from remit.core.flow.provenance import Index
from remit.core.label import Audience, Label, Trust
from remit.core.tools.tool import Argument, ArgumentRole, Effect, Tool

Json = Any

CALL = "provenance: a call of 1 KB in and 1 KB out"
PER_10_KB = "provenance: reading 10 KB of a mailbox of 100 KB"
PER_10_KB_OF_10_MB = "provenance: reading 10 KB of a mailbox of 10 MB"
PER_10_KB_TEXT = "provenance: reading 10 KB of a text of 100 KB"
LATE_CALL = "provenance: the last of 1,000 calls in a task"
EARLY_CALL = "provenance: the first of 1,000 calls in a task"
FULL = "provenance: a full index"
THOUSAND = "provenance: what a task remembers of 1,000 calls"

GOAL = "Answer the mails of this week that ask for an invoice, and send ann.lind@example.com a summary"
READ = Tool(upstream="mail", name="read", label=Label(trust=Trust.UNTRUSTED), effect=Effect.NONE)
SEND = Tool(
    upstream="mail",
    name="send",
    effect=Effect.IRREVERSIBLE,
    audience=Audience("external"),
    arguments={
        "to": Argument(ArgumentRole.DESTINATION),
        "subject": Argument(ArgumentRole.CONTENT),
        "body": Argument(ArgumentRole.CONTENT),
    },
    described=True,
)
_TEXT = """
the of and to in invoice payment meeting please send report project update contract team review deadline
budget attached regards hello thanks customer order shipping account number details summary quarter week
office travel hotel flight booking confirm change request data system server question answer table
"""
_WORDS = _TEXT.split()


class Writer:
    """Writes mails and texts; the same ones for the same number."""

    def __init__(self, seed: int = 7) -> None:
        """Begin with the first one."""
        self._random = random.Random(seed)

    def words(self, chars: int) -> str:
        """Write sentences of at least so many characters."""
        out = ""
        while len(out) < chars:
            sentence = " ".join(self._random.choices(_WORDS, k=self._random.randint(6, 18)))
            out += f"{sentence.capitalize()}. "
        return out

    def address(self) -> str:
        """Write an address."""
        first, last = self._random.choices(_WORDS, k=2)
        return f"{first}.{last}{self._random.randint(1, 999)}@{self._random.choice(_WORDS)}.example.org"

    def mail(self, chars: int) -> Json:
        """Write a mail of about so many characters in JSON, with a link and a telephone number."""
        number = self._random.randint(1_000, 9_999)
        return {
            "id": f"msg_{number}{self._random.randint(100_000, 999_999)}",
            "from": self.address(),
            "to": [self.address(), self.address()],
            "subject": self.words(30),
            "date": f"2026-03-{self._random.randint(10, 28)}T10:{self._random.randint(10, 59)}:00Z",
            "read": number % 2 == 0,
            "body": f"{self.words(chars - 400)} See https://docs.example.org/{number} or "
            f"call +44 20 7946 {number}.",
        }

    def mailbox(self, size: int) -> Json:
        """Write a result of so many bytes: mails of 2 KB, in JSON, as a server gives them."""
        return self._result(orjson.dumps([self.mail(2_000) for _ in range(max(1, size // 2_050))]).decode())

    def issue(self) -> Json:
        """Write an issue of a tracker, with its author, labels, links and body."""
        number, name = self._random.randint(1, 99_999), self._random.choice(_WORDS)
        return {
            "number": number,
            "title": self.words(40),
            "state": self._random.choice(["open", "closed"]),
            "user": {"login": name, "url": f"https://tracker.example.org/{name}"},
            "labels": [{"name": self._random.choice(["bug", "question", "docs"])}],
            "created": f"2026-03-{self._random.randint(10, 28)}T10:{self._random.randint(10, 59)}:00Z",
            "url": f"https://tracker.example.org/shop/issues/{number}",
            "body": self.words(300),
        }

    def row(self) -> Json:
        """Write a row of a query: a customer."""
        number = self._random.randint(1_000, 99_999)
        return {
            "id": number,
            "customer_no": f"CU-{number}",
            "name": " ".join(self._random.choices(_WORDS, k=2)).title(),
            "email": self.address(),
            "city": self._random.choice(["Berlin", "Oslo", "New York", "Lyon"]),
            "amount": number / 100,
            "due": f"2026-03-{self._random.randint(10, 28)}",
            "phone": f"+44 20 7946 {self._random.randint(1_000, 9_999)}",
            "note": self.words(25),
        }

    def records(self, make: Callable[[], Json], size: int) -> Json:
        """Write a result of about so many bytes: a list of records, in JSON."""
        one = len(orjson.dumps([make() for _ in range(50)])) / 50
        return self._result(orjson.dumps([make() for _ in range(int(size / one))]).decode())

    def text(self, size: int) -> Json:
        """Write a result of so many bytes that has no structure."""
        lines = (self.words(70) for _ in itertools.count())
        out, left = [], size
        while left > 0:
            out.append(next(lines))
            left -= len(out[-1]) + 1
        return self._result("\n".join(out))

    def small(self) -> Json:
        """Write a result of 1 KB: one mail."""
        return self._result(orjson.dumps(self.mail(1_000)).decode())

    def _result(self, text: str) -> Json:
        return {"content": [{"type": "text", "text": text}]}


def learn(index: Index, result: Json, call: int) -> None:
    """Read a result to its end."""
    for _ in index.learn(result, call=call, decision=f"dec_{call:026d}", tool=READ, arguments={}):
        pass


def an_index() -> Index:
    """Return the index of a task in which a person stated something."""
    index = Index(bytes(range(32)))
    index.state(GOAL, {"to": "ann.lind@example.com"})
    return index


def read(result: Json) -> None:
    """Let a new task read a result."""
    learn(an_index(), result, 1)


def took(work: Callable[[], object], rounds: int) -> float:
    """Return the median of the CPU time that some work takes, in microseconds."""
    gc.collect()
    found = []
    for _ in range(rounds):
        start = time.thread_time_ns()
        work()
        found.append((time.thread_time_ns() - start) / 1e3)
    return statistics.median(found)


def reading(writer: Writer, rounds: int, most: int) -> list[Figure]:
    """Return what reading results of several sizes takes, each beside parsing the same bytes."""
    out = []
    cases = [
        ("a mailbox of 1 KB", writer.small(), 50),
        ("a mailbox of 100 KB", writer.mailbox(100_000), 5),
        ("an issue list of 100 KB", writer.records(writer.issue, 100_000), 5),
        ("rows of 100 KB", writer.records(writer.row, 100_000), 5),
        ("a text of 100 KB", writer.text(100_000), 5),
        ("a mailbox of 10 MB", writer.mailbox(most), 1),
        ("a text of 10 MB", writer.text(most), 1),
    ]
    for name, result, often in cases:
        raw = orjson.dumps(result)
        size = len(raw)
        parsing = took(partial(orjson.loads, raw), rounds)
        spent = took(partial(read, result), max(3, often * rounds // 20))
        how = f"{size} bytes of JSON, learned by an empty index; median"
        out += [
            Figure(
                name=f"provenance: parsing {name}",
                value=parsing,
                unit="us",
                how=f"`orjson`, {size} bytes; median",
            ),
            Figure(
                name=f"provenance: reading {name}",
                value=spent,
                unit="us",
                yardstick=f"provenance: parsing {name}",
                ratio=spent / parsing,
                how=how,
            ),
        ]
        if size > 10_000:
            per = spent / size * 10_000 / 1e3
            out.append(Figure(name=f"provenance: reading 10 KB of {name}", value=per, unit="ms", how=how))
    return out


def calling(writer: Writer) -> list[Figure]:
    """Return what a call of 1 KB in and 1 KB out takes, at the beginning of a task and late in it."""
    index, spent = an_index(), []
    results = [writer.small() for _ in range(1_000)]
    bodies = [writer.words(900) for _ in range(1_000)]
    label = Label(trust=Trust.UNTRUSTED)
    gc.collect()
    for call, (result, body) in enumerate(zip(results, bodies, strict=True), start=1):
        arguments = {"to": "ann.lind@example.com", "subject": "A summary of this week", "body": body}
        start = time.thread_time_ns()
        judged(index, SEND, arguments, label=label, plan=None)
        index.spend(SEND, arguments)
        learn(index, result, call)
        spent.append((time.thread_time_ns() - start) / 1e3)
    how = "judging, spending, learning and labelling; a mail of 1 KB is sent and one of 1 KB is read"
    return [
        Figure(name=CALL, value=statistics.median(spent), unit="us", how=f"{how}; median of 1,000 in a task"),
        Figure(
            name=EARLY_CALL, value=statistics.median(spent[:100]), unit="us", how=f"{how}; of the first 100"
        ),
        Figure(
            name=LATE_CALL, value=statistics.median(spent[-100:]), unit="us", how=f"{how}; of the last 100"
        ),
    ]


def remembering(writer: Writer) -> list[Figure]:
    """Return what indexes hold in memory, as the allocator of Python sees it."""

    def held(fill: Callable[[Index], None]) -> tuple[float, Index]:
        gc.collect()
        tracemalloc.start()
        index = an_index()
        fill(index)
        gc.collect()
        size, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return size / 1e6, index

    results = [writer.small() for _ in range(1_000)]

    def calls(index: Index) -> None:
        for call, result in enumerate(results, start=1):
            learn(index, result, call)

    def full(index: Index) -> None:
        for call in itertools.count(1):
            if index.full:
                return
            learn(index, [f"user{number}@call{call}.example.org" for number in range(1_000)], call)

    thousand, _ = held(calls)
    most, index = held(full)
    how = "what Python's allocator holds for one index"
    return [
        Figure(name=THOUSAND, value=thousand, unit="MB", how=f"{how}; a mail of 1 KB each"),
        Figure(name=FULL, value=most, unit="MB", how=f"{how}; {len(index)} of {CAPACITY} values"),
    ]


def provenance(quick: bool) -> list[Figure]:
    """Return the cost of provenance by size of result, by call, and in memory."""
    writer = Writer()
    with confined(layout().target):
        return [
            *reading(writer, 10 if quick else 60, 1_000_000 if quick else 10_000_000),
            *calling(writer),
            *remembering(writer),
        ]
