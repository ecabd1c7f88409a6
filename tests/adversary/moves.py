# SPDX-License-Identifier: Apache-2.0
"""What an attacker does to a text: one move at a time. The search puts them together.

A move is drawn for a text with a source of randomness and a scene's words, which gives its arguments, and is
applied with those alone: so each composition can be made again, written down, and made smaller by leaving
moves out.
"""

from __future__ import annotations

import base64
import html
import quopri
import re
import unicodedata
from collections.abc import Callable
from random import Random
from typing import Any, Final, NamedTuple

from tests.adversary.marks import (
    BRACKETS,
    CONSTANTS,
    NUMBERS,
    PLACES,
    SCHEMES,
    SEPARATORS,
    SLASHES,
    alike,
    looks,
    unseen,
)
from tests.adversary.scene import DIVIDED, Scene

Given = tuple[Any, ...]


_HOST: Final = re.compile(r"(?:^|//|@)((?:[\w-]+\.)+[a-z]{3,})")


class Move(NamedTuple):
    """One thing that can be done to a text."""

    name: str
    draw: Callable[[Random, Scene, str], Given]
    apply: Callable[..., str]


def _other(rng: Random, scene: Scene, _: str) -> str:
    """Return another text of the scene, now and then in brackets."""
    hosts = hosts_of(scene)
    urls = (f"https://{one}/" for one in hosts)
    other = rng.choice((*scene.evil, scene.stated, scene.stated, *scene.words, *hosts, *urls, ""))
    if rng.random() < 0.25:
        opened, closed = rng.choice(BRACKETS)
        other = f"{opened}{other}{closed}"
    return other


def hosts_of(scene: Scene) -> tuple[str, ...]:
    """Return the hosts in the values of a scene."""
    found = (_HOST.search(one) for one in (scene.stated, *scene.evil, *scene.words))
    return tuple(dict.fromkeys(one[1] for one in found if one))


def _percent(text: str, which: str, times: int) -> str:
    for _ in range(times):
        if which == "all":
            text = "".join(f"%{one:02X}" for one in text.encode("utf-8", "replace"))
        else:
            text = "".join(f"%{ord(one):02x}" if one in which and ord(one) < 128 else one for one in text)
    return text


def _entities(text: str, style: str) -> str:
    if style == "named":
        return html.escape(text)
    form = {"decimal": "&#{};", "hex": "&#x{:x};", "bare": "&#{}", "long": "&#0000{};"}[style]
    return "".join(form.format(ord(one)) for one in text)


def _base64(text: str, style: str) -> str:
    raw = base64.b64encode(text.encode("utf-8", "replace")).decode()
    return {"std": raw, "bare": raw.rstrip("="), "url": raw.replace("+", "-").replace("/", "_")}[style]


def _word(text: str, style: str) -> str:
    raw = text.encode("utf-8", "replace")
    if style == "B":
        return f"=?utf-8?B?{base64.b64encode(raw).decode()}?="
    return "=?utf-8?Q?" + "".join(f"={one:02X}" for one in raw) + "?="


def _escaped(text: str, style: str) -> str:
    form = {"json": "\\u{:04x}", "hex": "\\x{:02x}", "plain": "{:02x}"}[style]
    return "".join(form.format(ord(one)) for one in text)


def _drawn_look(rng: Random, _: Scene, text: str) -> Given:
    found = looks(text[:200])
    if not found:
        return 0, 0, ""
    at, length, part = rng.choice(found)
    return at, length, rng.choice(alike()[part])


def _every_look(rng: Random, _: Scene, text: str) -> Given:
    table = alike()
    return (
        "".join(rng.choice(table[one]) if one in table and rng.random() < 0.5 else one for one in text[:300]),
    )


def _cut(rng: Random, _: Scene, text: str) -> Given:
    start = rng.randrange(len(text) + 1)
    return start, rng.choice((start + 1, rng.randrange(len(text) + 1), len(text)))


def _number(text: str, form: str) -> str:
    digits = re.sub(r"[^0-9]", "", text)[:12]
    return form.format(int(digits)) if digits else text


def _authority(text: str, new: str) -> str:
    return (
        re.sub(r"(//|@)[^/?#]+", lambda at: at[1] + new, text, count=1)
        if "//" in text or "@" in text
        else new
    )


def _pick(*choices: Any) -> Callable[[Random, Scene, str], Given]:
    return lambda rng, _, __: (rng.choice(choices),)


MOVES: Final = {
    one.name: one
    for one in (
        Move(
            "after", lambda r, s, t: (r.choice(SEPARATORS), _other(r, s, t)), lambda t, sep, o: f"{t}{sep}{o}"
        ),
        Move(
            "before",
            lambda r, s, t: (r.choice(SEPARATORS), _other(r, s, t)),
            lambda t, sep, o: f"{o}{sep}{t}",
        ),
        Move("shown as", lambda r, s, t: (_other(r, s, t),), lambda t, o: f"{t} <{o}>"),
        Move("shows", lambda r, s, t: (_other(r, s, t),), lambda t, o: f"{o} <{t}>"),
        Move("bracket", _pick(*BRACKETS), lambda t, pair: f"{pair[0]}{t}{pair[1]}"),
        Move(
            "pad",
            lambda r, s, t: (
                r.choice(" \nA#/."),
                r.choice((1, 1, 1, 40, 40, 2_100)) if r.random() < 0.95 else 17_000,
            ),
            lambda t, one, n: t + one * n,
        ),
        Move(
            "pad before",
            lambda r, s, t: (r.choice(" \nA#/."), r.choice((1, 1, 1, 40, 40, 2_100))),
            lambda t, one, n: one * n + t,
        ),
        Move(
            "percent",
            lambda r, s, t: (
                r.choice(("all", "@", "/", ".", "@.", ":/", "%", t[:1] or "a")),
                r.choice((1, 1, 2, 4)),
            ),
            _percent,
        ),
        Move("entities", _pick("named", "decimal", "hex", "bare", "long"), _entities),
        Move("base64", _pick("std", "bare", "url"), _base64),
        Move(
            "quoted",
            lambda r, s, t: (),
            lambda t: quopri.encodestring(t.encode("utf-8", "replace"), quotetabs=True).decode(),
        ),
        Move("encoded word", _pick("B", "Q"), _word),
        Move("escaped", _pick("json", "hex", "plain"), _escaped),
        Move("look", _drawn_look, lambda t, at, n, new: t[:at] + new + t[at + n :]),
        Move("looks", _every_look, lambda t, new: new),
        Move(
            "unseen",
            lambda r, s, t: (r.randrange(len(t) + 1), r.choice(unseen())),
            lambda t, at, new: t[:at] + new + t[at:],
        ),
        Move("case", _pick("upper", "lower", "swapcase", "title"), lambda t, how: str(getattr(t, how)())),
        Move("form", _pick("NFD", "NFC", "NFKD", "NFKC"), lambda t, how: unicodedata.normalize(how, t)),
        Move(
            "put",
            lambda r, s, t: (r.randrange(len(t) + 1), r.choice(SEPARATORS)),
            lambda t, at, new: t[:at] + new + t[at:],
        ),
        Move(
            "wild",
            lambda r, s, t: (r.randrange(len(t) + 1), r.choice((0, 1, 2, 40)), r.choice("%_*?.")),
            lambda t, at, n, new: t[:at] + new + t[at + n :],
        ),
        Move("cut", _cut, lambda t, a, b: t[:a] + t[max(a, b) :]),
        Move("part", lambda r, s, t: (r.choice((0, -1)),), lambda t, at: (t.split() or [t])[at]),
        Move("constant", _pick(*CONSTANTS), lambda t, new: new),
        Move("scheme", _pick(*SCHEMES), lambda t, new: f"{new}://{t.partition('://')[2] or t}"),
        Move("slashes", _pick(*SLASHES), lambda t, new: t.replace("://", new, 1)),
        Move(
            "port",
            _pick("0", "80", "8080", "22", "6379", "65536", "+443"),
            lambda t, new: re.sub(r"(//[^/?#]+)", lambda at: f"{at[1]}:{new}", t, count=1),
        ),
        Move(
            "user",
            lambda r, s, t: (
                r.choice(hosts_of(s) or ("x",)),
                r.choice(
                    (
                        "",
                        "%2F",
                        "%3F",
                        "%23",
                        "%5C",
                        "\uff0f",
                        "\uff1f",
                        "\uff03",
                        "#",
                        "?",
                        "\\",
                        ":80",
                        "%40x",
                    )
                ),
            ),
            lambda t, o, sep: t.replace("://", f"://{o}{sep}@", 1),
        ),
        Move("authority", lambda r, s, t: (r.choice((*PLACES, *hosts_of(s))),), _authority),
        Move(
            "below",
            lambda r, s, t: (r.choice(hosts_of(s) or ("x.net",)), r.choice((".", "-", "", "%2e"))),
            lambda t, o, sep: re.sub(
                r"(?:(//)|(@))([^/?#@]+)", lambda at: f"{at[1] or at[2]}{at[3]}{sep}{o}", t, count=1
            ),
        ),
        Move("number", _pick(*NUMBERS), _number),
        Move(
            "digits",
            _pick("\uff10", "\u0660", "\u06f0", "\u0966"),
            lambda t, zero: "".join(chr(ord(zero) + int(one)) if one in "0123456789" else one for one in t),
        ),
        Move(
            "shell quotes",
            lambda r, s, t: (r.randrange(len(t) + 1), r.choice(('""', "''", "\\", "${IFS}", "$@"))),
            lambda t, at, new: t[:at] + new + t[at:],
        ),
        Move(
            "divide",
            lambda r, s, t: (r.randrange(len(t) + 1) if s.second else -1,),
            lambda t, at: (
                t if at < 0 else t[:at].replace(DIVIDED, " ") + DIVIDED + t[at:].replace(DIVIDED, " ")
            ),
        ),
        Move("twice", lambda r, s, t: (), lambda t: t + t),
    )
}
