# SPDX-License-Identifier: Apache-2.0
"""Ways in which people state values, and models write them: pairs of what is said and what is written, or
what may be written of a value.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import Any

Json = Any
Said = Iterable[tuple[str, Json]]
Ways = Callable[[str], Said]


def address(value: str) -> Said:
    """Return ways of an e-mail address."""
    name = " ".join(re.findall("[a-z]+", value.partition("@")[0].partition("+")[0].lower())).title()
    yield from (
        (value, one) for one in (value, value.lower(), value.upper(), f" {value} ", [value], f"<{value}>")
    )
    yield from ((f"{name} <{value}>", one) for one in (value, f"{name} <{value}>", f'"{name}" <{value}>'))
    yield from (
        (f"{name} ({value})", one) for one in (value, {"name": name, "email": value}, f"{name} <{value}>")
    )
    yield f"`{value}`", value
    yield f"<{value}>", value
    yield f'"{value}"', f"mailto:{value}"
    yield value, {"email": value}
    yield value, [{"address": value}]


def two_addresses(one: str, other: str) -> Iterable[Json]:
    """Yield ways of writing two of them."""
    yield from (
        f"{one}, {other}",
        f"{one};{other}",
        f"{other},{one}",
        [one, other],
        [{"email": one}, {"email": other}],
    )


def spelled(name: str) -> Iterable[str]:
    """Return a name as keyboards and models spell it."""
    return dict.fromkeys((name, unicodedata.normalize("NFD", name), name.lower()))


def channel(value: str) -> Said:
    """Return ways of a channel."""
    for said in (f"#{value}", f"the channel {value}", f"`#{value}`"):
        yield from ((said, one) for one in (value, f"#{value}"))
    yield f"#{value.title()}", value
    yield f"#{value}", [f"#{value}"]


def at_name(value: str) -> Said:
    """Yield ways of writing a person's handle."""
    for said in (f"@{value}", value, f"`@{value}`"):
        yield from ((said, one) for one in (value, f"@{value}"))
    yield f"@{value}", [value]


def name(value: str) -> Said:
    """Yield ways of writing a person's name."""
    yield from (
        (value, one) for one in (value, f"{value} ", value.upper(), unicodedata.normalize("NFD", value))
    )
    yield from ((said, value) for said in (f'"{value}"', value.lower(), unicodedata.normalize("NFD", value)))
    yield value, value.replace("  ", " ")


def phone(value: str) -> Said:
    """Return ways of a telephone number."""
    digits = re.sub("[^0-9+]", "", value)
    yield from ((value, one) for one in (value, digits, f" {value}"))
    if value[:1] == "+":
        yield value, value.replace(" ", "-").replace("(", "").replace(")", "")
        yield digits, value


def url(value: str) -> Said:
    """Return ways of a URL."""
    yield from ((value, one) for one in (value, f"{value} "))
    yield from ((said, value) for said in (f"<{value}>", f"`{value}`", f'"{value}"'))
    if "?" not in value:
        yield value, f"{value}/"
        yield f"{value}/", value
    if "://" not in value:
        yield value, f"https://{value}"
    scheme, marks, rest = value.partition("://")
    if marks:
        where, slash, path = rest.partition("/")
        yield value, f"{scheme.upper()}://{where.upper()}{slash}{path}"
        if scheme == "https" and ":" not in where:
            yield f"{where}{slash}{path}", value


def host(value: str) -> Said:
    """Return ways of a host."""
    yield from ((value, one) for one in (value, value.upper()))
    yield f"`{value}`", value
    yield f"the host {value}", value


def iban(value: str) -> list[str]:
    """Return ways of writing an account number."""
    bare = value.replace(" ", "")
    return [value, bare, bare.lower(), " ".join(bare[at : at + 4] for at in range(0, len(bare), 4))]


def number(stated: str, value: float) -> list[Json]:
    """Return ways of writing an amount."""
    return [value, str(value), f"{value:.2f}", stated]


def percent(value: str) -> Iterable[Json]:
    """Yield ways of writing a percentage."""
    digits = re.sub("[^0-9.]", "", value)
    yield from (digits, f"{digits}%", float(digits) if "." in digits else int(digits))


def identifier(value: str) -> Said:
    """Return ways of an id."""
    bare = value.lstrip("#")
    yield from ((value, one) for one in (value, bare))
    yield from ((said, bare) for said in (f"`{bare}`", f"({bare})", f"#{bare}"))
    if bare.isdecimal():
        yield value, int(bare)
    yield value, bare.upper()


def copied(value: str) -> Iterable[Json]:
    """Yield ways of writing an id that was found."""
    yield value
    if value.isdecimal():
        yield int(value)


def file(value: str) -> Said:
    """Return ways of a file's name."""
    yield value, value
    yield from (
        (f"{opened}{value}{closed}", value) for opened, closed in (("`", "`"), ('"', '"'), ("“", "”"))
    )
    yield value, unicodedata.normalize("NFD", value)
    yield value, [value]


def command(value: str) -> Said:
    """Return ways of a program's text."""
    yield from ((value, one) for one in (value, f"{value}\n", f" {value}"))


def secret(value: str) -> Said:
    """Return ways of a secret: as it is."""
    yield value, value
    yield f"`{value}`", value
