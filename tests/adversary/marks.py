# SPDX-License-Identifier: Apache-2.0
"""What moves put into texts: marks that clients, libraries and people read each in their own way, and
characters that a comparison may take for one another.

The characters are found by asking remit's own normal form, and what Unicode says of each. No list of tricks:
what a new version overlooks, the search overlooks too.
"""

from __future__ import annotations

import functools
import unicodedata
from collections import defaultdict
from typing import Final

from remit.core.flow.values.normal_text import folded

#: What may stand between two texts, so that one reader takes the first and another the second.
SEPARATORS: Final = (
    *(
        "",
        " ",
        "  ",
        "\t",
        "\n",
        "\r\n",
        "\x00",
        ",",
        ", ",
        ";",
        "; ",
        "/",
        "//",
        "\\",
        "@",
        ":",
        "#",
        " #",
        "?",
        "&",
    ),
    *(
        "?u=",
        "&u=",
        "#u=",
        "/../",
        "/..\\",
        "%2f..%2f",
        "%2F",
        "%2F@",
        "%3F@",
        "%23@",
        "%5C@",
        "%40",
        "\uff0f",
        "\uff20",
    ),
    *(
        "\uff0f@",
        "\u3002",
        ".",
        "|",
        " | ",
        "=",
        "\r\nBcc: ",
        "?cc=",
        "&bcc=",
        "%0d%0aBcc: ",
        " or ",
        "' or '",
        " -- ",
    ),
    *(
        "/* ",
        "\u2028",
        "\xa0",
        "-",
        "+",
        "_",
        "&#64;",
        "://",
        "://@",
        "; #",
        " && ",
        "\n#",
        "\\n",
        "::$",
        "~",
        "!",
        "(",
    ),
)
BRACKETS: Final = (
    ("<", ">"),
    ("(", ")"),
    ('"', '"'),
    ("[", "]"),
    ("{", "}"),
    ("'", "'"),
    ("`", "`"),
    ("<URL:", ">"),
)
SCHEMES: Final = (
    *("https", "http", "ftp", "ws", "file", "gopher", "javascript", "data", "jar:https", "view-source:https"),
    *("HTTPS", "mailto", "ssh", "ldap", "dict", "blob:https", "vbscript", "tel", "h\tttps"),
)
SLASHES: Final = (":", ":/", ":///", ":\\\\", "://\\", ":/\\/", "://@", ":////", ": //", ":\t//")
PLACES: Final = (
    *(
        "localhost:9200",
        "metadata",
        "169.254.169.254",
        "[2001:db8::bad]",
        "[::ffff:10.0.0.1]",
        "2130706433",
        "0x7f.1",
    ),
    *("127.1", "017700000001", "[fe80::1%25eth0]", "10.0.0.1:8080", "intranet", "\u2460\u2461.\u2460"),
)
CONSTANTS: Final = (
    *(
        "",
        " ",
        "*",
        "%",
        "_",
        "?",
        "null",
        "None",
        "all",
        "any",
        "0",
        "-1",
        ".",
        "..",
        "/",
        "~",
        "true",
        "[]",
        "{}",
    ),
    *("1=1", "' or 1=1", "%%", "**", "\u200b", "\xa0", ".*", "%00", "undefined", "me", "a", "e"),
)
NUMBERS: Final = (
    *(
        "{:.2f}",
        "{:,}",
        "{:e}",
        "+{}",
        "{} EUR",
        "EUR {}",
        "{:#x}",
        "{:_}",
        "{}%",
        "{}.000",
        "-{}",
        "{} USD",
        "$ {}",
        "{}e4",
    ),
    *(
        "{}e0",
        "{:,.2f}",
        "{}/1",
        "~{}",
        "{}k",
        "{}x1",
        "{}000",
        "{}e2",
        "{} 000",
        "{}.000",
        "{},000",
        "{}'000",
    ),
)
_LAST = 0x1FFFF


@functools.cache
def alike() -> dict[str, tuple[str, ...]]:
    """Return, for each short text, the characters that are folded to it, and those that Unicode says
    are it.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for code in range(0x80, _LAST):
        if 0xD800 <= code < 0xE000 or not (letter := chr(code)).isprintable():
            continue
        for same in {folded(letter), unicodedata.normalize("NFKC", letter), letter.casefold()}:
            if same != letter and 0 < len(same) <= 3:
                found[same].append(letter)
    return {same: tuple(letters) for same, letters in found.items()}


@functools.cache
def unseen() -> tuple[str, ...]:
    """Return the characters that are folded away, and those that show nothing."""
    out = []
    for code in range(0x7F, _LAST):
        if 0xD800 <= code < 0xE000:
            continue
        letter = chr(code)
        if unicodedata.category(letter) in ("Cf", "Cc", "Zs") or not folded(letter):
            out.append(letter)
    return tuple(out)


def looks(text: str) -> list[tuple[int, int, str]]:
    """Return what may stand in place of a part of a text: where, how long, and what."""
    table = alike()
    out: list[tuple[int, int, str]] = []
    for at in range(len(text)):
        for length in (1, 2, 3):
            part = text[at : at + length]
            if len(part) == length and part in table:
                out.append((at, length, part))
    return out
