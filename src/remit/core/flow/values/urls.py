# SPDX-License-Identifier: Apache-2.0
"""URLs and host names, where all clients read them alike.

Clients disagree on notations that are not plain: a backslash, a percent sign or a blank in the authority, a
host with characters that only some of them map, numbers in another notation, dot segments. Such a text is not
*regular*, and equals only itself. A regular text has one normal form: scheme and host in lower case, no
default port, the path as sent.

`ada-url` parses as browsers and Node do (WHATWG URL); `idna` reads host names (IDNA 2008). A text is regular
if this reading leaves it unchanged.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata

import ada_url
import idna
import msgspec

MAX_URL = 2_048
"""Characters of the longest URL that is read."""
_PORTS = {"http": "80", "https": "443"}
# RFC 3986 section 3. User information is not accepted: some clients take it for a part of the host.
_PLACE = re.compile(r"(https?)://([^/?#]{1,300})", re.IGNORECASE | re.ASCII)
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_REST = re.compile(
    r"(?:[/?](?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?(?:#[A-Za-z0-9._~!$&'()*+,;=:@/?%-]*)?"
)
_DOTS = re.compile(r"/(?:\.|%2e){1,2}(?=[/?#]|$)", re.IGNORECASE | re.ASCII)
_PLAIN_HOST = re.compile(
    r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
)
# IDNA 2008 and IDNA 2003 read these differently (RFC 5894 section 7.2), and so do clients.
_DEVIATING = re.compile("[\u00df\u1e9e\u03a3\u03c2\u200c\u200d]")
_NUMBER_LIKE = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")


class Url(msgspec.Struct, frozen=True, gc=False):
    """A regular URL: `scheme`, `host`, `port` (empty for the scheme's default), and `rest`, everything after
    these.
    """

    scheme: str
    host: str
    port: str
    rest: str

    @property
    def place(self) -> str:
        """The scheme and the authority: the place that a client connects to."""
        return f"{self.scheme}://{self.host}:{self.port}" if self.port else f"{self.scheme}://{self.host}"

    @property
    def normal(self) -> str:
        """The URL in normal form; a slash at the end of a path has no meaning."""
        plain = "?" not in self.rest and "#" not in self.rest
        return self.place + (self.rest.rstrip("/") if plain else self.rest)


def regular_host(text: str) -> str:
    """Return a host in lower case and in its ASCII form; empty where clients do not read it alike."""
    host = text.lower() if text.isascii() else _of_letters(text)
    if not 0 < len(host) <= 253 or not _PLAIN_HOST.fullmatch(host):
        return ""
    last = host.rpartition(".")[2]
    if _NUMBER_LIKE.fullmatch(last):
        # WHATWG URL, section 3.5: a host whose last label is a number is an address, in every notation.
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            return ""
    return host


def _of_letters(text: str) -> str:
    low = text.lower()
    if _DEVIATING.search(text) or unicodedata.normalize("NFKC", low) != low:
        return ""
    try:
        return idna.encode(low, strict=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return ""


def regular_url(text: str) -> Url | None:
    """Return the reading of a web address with a scheme, where clients read it alike; None otherwise."""
    found = _PLACE.match(text)
    if found is None or len(text) > MAX_URL:
        return None
    rest = text[found.end() :]
    host, port = _divided(found[2])
    ported = not port or (_PORT.fullmatch(port) is not None and int(port) < 65_536)
    if not host or not ported or not _REST.fullmatch(rest) or _DOTS.search(rest):
        return None
    scheme = found[1].lower()
    known = Url(scheme, host, "" if _PORTS[scheme] == port else port, rest)
    return known if _as_browsers_do(known) else None


def _divided(place: str) -> tuple[str, str]:
    """Return the host and the port of an authority without user; both empty where it is not regular."""
    if place.startswith("["):
        six, closed, port = place[1:].partition("]")
        if not closed or (port and not port.startswith(":")) or port == ":":
            return "", ""
        try:
            address = ipaddress.IPv6Address(six)
        except ValueError:
            return "", ""
        # A scope names an interface, and a mapped address belongs to IPv4: clients differ on both.
        plain = address.ipv4_mapped is None and "%" not in six and "." not in six
        return (f"[{address.compressed}]", port[1:]) if plain else ("", "")
    host, colon, port = place.partition(":")
    return ("", "") if colon and not port else (regular_host(host), port)


def _as_browsers_do(known: Url) -> bool:
    """Return whether the WHATWG reading of a URL has the same target as the reading by the grammar."""
    try:
        read = ada_url.URL(known.place + known.rest)
    except ValueError:
        return False
    return (read.protocol, read.hostname, read.port) == (f"{known.scheme}:", known.host, known.port)
