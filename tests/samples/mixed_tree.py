# SPDX-License-Identifier: Apache-2.0
"""A tree as a laptop has it, of any size: code, notes, transcripts, logs, settings, dumps, a few secrets.

Code is the standard library's, notes are this repository's; the rest is made up, the same for the same seed.
Secrets are random letters in real forms.
"""

from __future__ import annotations

import json
import random
import string
import sysconfig
from collections.abc import Callable
from itertools import cycle
from pathlib import Path

from tests.samples.assistant_sessions import many

LARGEST = 200_000
_LETTERS = string.ascii_letters + string.digits
_WORDS = [
    "order",
    "invoice",
    "customer",
    "report",
    "retry",
    "upload",
    "basket",
    "cache",
    "queue",
    "worker",
    "region",
    "bucket",
    "session",
    "token",
]


def mixed_tree(folder: Path, size_bytes: int, seed: int = 7) -> int:
    """Write a tree of about this size; return how many secrets it holds."""
    drawn = random.Random(seed)
    code, notes = _code(), _notes()
    kinds: list[tuple[str, float, Callable[[int], str]]] = [
        ("py", 0.45, lambda wanted: _joined(code, wanted)),
        ("md", 0.12, lambda wanted: _joined(notes, wanted)),
        ("log", 0.12, lambda wanted: _lines(wanted, lambda: _log_line(drawn))),
        (
            "json",
            0.08,
            lambda wanted: json.dumps([_record(drawn) for _ in range(wanted // 180 + 1)], indent=1),
        ),
        ("yaml", 0.04, lambda wanted: _lines(wanted, lambda: _manifest(drawn))),
        ("sql", 0.04, lambda wanted: _lines(wanted, lambda: _insert(drawn))),
        (
            "csv",
            0.03,
            lambda wanted: _lines(wanted, lambda: ",".join(str(v) for v in _record(drawn).values())),
        ),
    ]
    secrets = 0
    for suffix, share, made in kinds:
        left, number = int(size_bytes * share), 0
        # Few texts, written many times with another beginning: making them would take longer than reading.
        pool = [made(min(int(drawn.lognormvariate(9.2, 1.3)) + 300, LARGEST)) for _ in range(60)]
        while left > 0:
            text = pool[number % len(pool)]
            first = f"# {number} {drawn.random()}\n" if suffix != "json" else ""
            if number % 97 == 5 and suffix != "json":
                first += f'API_KEY = "{_secret(drawn)}"\n'
                secrets += 1
            place = folder / suffix / f"d{number // 200}" / f"f{number}.{suffix}"
            place.parent.mkdir(parents=True, exist_ok=True)
            left -= place.write_text(first + text, encoding="utf-8")
            number += 1
    many(folder / "home", sessions=max(int(size_bytes * 0.12 / 100_000), 1))
    return secrets


def _secret(drawn: random.Random) -> str:
    return "sk-" + "proj-" + "".join(drawn.choices(_LETTERS, k=48))


def _code() -> list[str]:
    place = Path(sysconfig.get_paths()["stdlib"])
    return [one.read_text("utf-8", "replace") for one in sorted(place.glob("*.py"))]


def _notes() -> list[str]:
    place = Path(__file__).parents[2] / "docs"
    return [one.read_text("utf-8") for one in sorted(place.glob("*/*.md"))]


def _joined(texts: list[str], wanted: int) -> str:
    parts, size = [], 0
    start = wanted % len(texts)
    for text in cycle(texts[start:] + texts[:start]):
        parts.append(text[: wanted - size])
        size += len(parts[-1])
        if size >= wanted:
            return "".join(parts)
    return ""


def _lines(wanted: int, line: Callable[[], str]) -> str:
    made, size = [], 0
    while size < wanted:
        made.append(line())
        size += len(made[-1]) + 1
    return "\n".join(made) + "\n"


def _log_line(drawn: random.Random) -> str:
    when = f"2026-11-{drawn.randint(1, 30):02}T{drawn.randint(0, 23):02}:14:09.221Z"
    word, path = drawn.choice(_WORDS), f"/api/v1/{drawn.choice(_WORDS)}/{drawn.randint(1, 9999)}"
    took = f"took {drawn.randint(1, 900)} ms user={drawn.randint(1, 99999)} path={path}"
    return f"{when} INFO  app.{word} [{drawn.getrandbits(64):016x}] {took}"


def _record(drawn: random.Random) -> dict[str, object]:
    return {
        "id": f"{drawn.getrandbits(128):032x}",
        "name": f"{drawn.choice(_WORDS)} {drawn.choice(_WORDS)}",
        "amount": drawn.randint(1, 100_000) / 100,
        "host": f"{drawn.choice(_WORDS)}.example.com",
        "note": " ".join(drawn.choices(_WORDS, k=8)),
    }


def _manifest(drawn: random.Random) -> str:
    name = drawn.choice(_WORDS)
    return (
        f"---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}-{drawn.randint(1, 999)}\n"
        f'data:\n  HOST: {name}.example.com\n  RETRIES: "{drawn.randint(1, 9)}"'
    )


def _insert(drawn: random.Random) -> str:
    one = _record(drawn)  # One table, as a program writes a dump.
    values = f"'{one['id']}', '{one['name']}', {one['amount']}, '{one['note']}'"
    return f"INSERT INTO orders VALUES ({values});"
