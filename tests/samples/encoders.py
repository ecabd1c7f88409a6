# SPDX-License-Identifier: Apache-2.0
"""How the libraries of other languages write a text by default: the rules of their encoders, in one table.

Where the language itself is at hand, `tests/unit/core/flow/test_echoes_elsewhere.py` holds these against it.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from urllib.parse import quote, quote_plus

Encoder = Callable[[str], str]


def _json(escaped: str = "", *, names: dict[str, str] | None = None, upper: bool = False) -> Encoder:
    """JSON: these characters (a class of `re`) are escapes by number, those of `names` by name."""
    short = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
    known = short if names is None else names
    digits = "%04X" if upper else "%04x"

    def one(char: str) -> str:
        if char in known:
            return known[char]
        if char < " " or (escaped and re.match(f"[{escaped}]", char)):
            units = char.encode("utf-16-be")
            return "".join(
                "\\u" + digits % int.from_bytes(units[at : at + 2]) for at in range(0, len(units), 2)
            )
        return char

    return lambda text: "".join(map(one, text))


def _html(names: dict[str, str], *, numbered: str = "") -> Encoder:
    """HTML with these names, and with numbers for these characters."""

    def one(char: str) -> str:
        return names.get(char) or (
            f"&#{ord(char)};" if numbered and re.match(f"[{numbered}]", char) else char
        )

    return lambda text: "".join(map(one, text))


def _base64(line: int = 0, end: str = "", alphabet: bytes = b"+/") -> Encoder:
    def write(text: str) -> str:
        whole = base64.b64encode(text.encode(), alphabet).decode()
        return end.join(whole[at : at + line] for at in range(0, len(whole), line)) if line else whole

    return write


def _escape(text: str) -> str:
    """ECMAScript B.2.1.1."""

    def one(char: str) -> str:
        units = char.encode("utf-16-be")
        pairs = [int.from_bytes(units[at : at + 2]) for at in range(0, len(units), 2)]
        return "".join(f"%u{unit:04X}" if unit > 0xFF else f"%{unit:02X}" for unit in pairs)

    return re.sub(r"[^A-Za-z0-9@*_+./-]", lambda found: one(found[0]), text)


def _quoted_printable(text: str) -> str:
    """RFC 2045 section 6.7, without its line breaks."""
    return "".join(chr(byte) if 32 <= byte < 127 and byte != 61 else f"={byte:02X}" for byte in text.encode())


_SHORT = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
_AMP = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}

#: Each encoder writes the inside of a string, or of an element or attribute.
ENCODERS: dict[str, Encoder] = {
    "as it is": str,
    # PHP: json_encode, htmlspecialchars, rawurlencode, urlencode, chunk_split(base64_encode), bin2hex
    "PHP json_encode": _json("\x80-\U0010ffff", names={**_SHORT, '"': '\\"', "/": "\\/"}),
    "PHP json_encode JSON_HEX": _json("\x80-\U0010ffff<>&'\"", names={**_SHORT, "/": "\\/"}, upper=True),
    "PHP htmlspecialchars": _html({**_AMP, "'": "&#039;"}),
    "PHP rawurlencode": lambda text: quote(text, safe="~"),
    "PHP chunk_split": _base64(76, "\r\n"),
    # .NET: System.Text.Json (JavaScriptEncoder.Default), WebUtility, HttpUtility, Convert
    ".NET System.Text.Json": _json("\x7f-\U0010ffff\"&'+<>`", names=_SHORT, upper=True),
    ".NET WebUtility.HtmlEncode": _html({**_AMP, "'": "&#39;"}, numbered="\xa0-\xff\U00010000-\U0010ffff"),
    ".NET HttpUtility.UrlEncode": lambda text: re.sub(
        "%..", lambda found: found[0].lower(), quote_plus(text)
    ),
    ".NET Convert.ToBase64String": _base64(76, "\r\n"),
    ".NET Convert.ToHexString": lambda text: text.encode().hex().upper(),
    # Java: Jackson, Gson, URLEncoder, HtmlUtils, the MIME encoder
    "Jackson": _json(upper=True),
    "Jackson ESCAPE_NON_ASCII": _json("\x80-\U0010ffff", upper=True),
    "Gson": _json("<>&='\u2028\u2029"),
    "Java URLEncoder": lambda text: quote_plus(text, safe="*").replace("~", "%7E"),
    "Spring HtmlUtils": _html({**_AMP, "'": "&#39;"}),
    "Java MIME encoder": _base64(76, "\r\n"),
    # Go: encoding/json, html, net/url, encoding/hex
    "Go encoding/json": _json("<>&\u2028\u2029", names={**_SHORT, '"': '\\"'}),
    "Go html.EscapeString": _html({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;"}),
    "Go url.QueryEscape": quote_plus,
    "Go base64.URLEncoding": _base64(alphabet=b"-_"),
    "Go hex": lambda text: text.encode().hex(),
    # Ruby: JSON, Rails, CGI, Base64, Array#pack
    "Ruby JSON": _json(),
    "Ruby JSON script_safe": _json("\u2028\u2029", names={**_SHORT, '"': '\\"', "/": "\\/"}),
    "Rails escape_html_entities": _json("<>&\u2028\u2029", names={**_SHORT, '"': '\\"'}),
    "Ruby CGI.escapeHTML": _html({**_AMP, "'": "&#39;"}),
    "Ruby Base64.encode64": _base64(60, "\n"),
    # JavaScript: JSON.stringify, encodeURIComponent, escape
    "JSON.stringify": _json(),
    "encodeURIComponent": lambda text: quote(text, safe="-_.!~*'()"),
    "escape": _escape,
    # Python, and tools
    "json.dumps": lambda text: json.dumps(text)[1:-1],
    "all by number": lambda text: "".join(f"&#x{ord(char):X};" for char in text),
    "all by decimal number": lambda text: "".join(f"&#{ord(char)};" for char in text),
    "all in percent": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "openssl base64": _base64(64, "\n"),
    # Mail, YAML and SQL, CSV
    "quopri": lambda text: "=\r\n".join(re.findall("(?:=..|.){1,30}", _quoted_printable(text))),
    "YAML, SQL": lambda text: text.replace("'", "''"),
    "CSV": lambda text: text.replace('"', '""'),
    # Bytes: a Buffer of Node as it is shown and as JSON, `[]byte` of Go, hexdump, wide characters
    "Node Buffer": lambda text: text.encode().hex(" "),
    "Node Buffer JSON": lambda text: json.dumps(list(text.encode()), indent=1),
    "Go []byte": lambda text: " ".join(map(str, text.encode())),
    "hex of a certificate": lambda text: text.encode().hex(":").upper(),
    "UTF-16": lambda text: "".join(f"{sign}\0" for sign in text) if text.isascii() else text,
    # Texts within base64
    "base64 of UTF-16": lambda text: base64.b64encode(f"a:{text}".encode("utf-16-le")).decode(),
    "base64 of a form": lambda text: base64.b64encode(f"x=1&token={quote(text, safe='')}".encode()).decode(),
    "base64 of a header": lambda text: base64.b64encode(
        b"Authorization: Basic " + base64.b64encode(f"svc:{text}".encode())
    ).decode(),
    "xxd -p": lambda text: "\n".join(re.findall(".{1,60}", text.encode().hex())),
}

#: What is read of a whole, as a JSON text, as a page and so on, before anything is shown.
WRAPPERS: dict[str, Encoder] = {
    "nothing": str,
    "JSON": lambda text: json.dumps({"error": text}),
    "JSON in JSON": lambda text: json.dumps({"text": json.dumps({"error": text})}),
    "JSON of PHP": lambda text: '{"error":"' + ENCODERS["PHP json_encode"](text) + '"}',
    "JSON of .NET": lambda text: '{"error":"' + ENCODERS[".NET System.Text.Json"](text) + '"}',
    "a page": lambda text: f"<p>{ENCODERS['PHP htmlspecialchars'](text)}</p>",
    "a header": lambda text: f"X-Debug: {text}\r\n",
    "an address": lambda text: f"https://api.example.com/?x={quote_plus(text)}&y=1",
    "an event": lambda text: "".join(f"data: {line}\n" for line in text.split("\n")) + "\n",
}
