# SPDX-License-Identifier: Apache-2.0
"""The regular form: a reading so narrow that every client reads alike what it takes.

A strict reading may take as much. It is also the judgement that shows that clients are held against one.
"""

import ipaddress
import re

from tests.clients.contact import Contact, Delivery

_LABEL = r"(?!..--)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
#: A name ends in a word: `1`, `08` and `0x1` at its end make it a number for some.
_HOST = rf"(?:{_LABEL}\.){{0,20}}(?=[A-Za-z]){_LABEL}"
_BYTE = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
#: What has to be escaped, and no more: clients write the rest again, each in its way.
_ESCAPE = r"%(?:2[0235]|[89A-F][0-9A-F])"
_CHAR = rf"[A-Za-z0-9._~!$&()*+,;=:@-]|{_ESCAPE}"
_URL = re.compile(
    rf"(?P<scheme>https?)://(?P<host>{_HOST}|(?:{_BYTE}\.){{3}}{_BYTE}|\[(?P<six>[0-9a-f:]{{2,39}})\])"
    rf"(?::(?P<port>[1-9][0-9]{{0,4}}))?"
    rf"(?P<path>(?:/(?:{_CHAR}|%2F|'|%5[BD])*)+)(?P<query>\?(?:{_CHAR}|[/?])+)?(?:#(?:{_CHAR}|[/?'])*)?"
)
_DOTS = re.compile(r"/\.\.?(?:/|$)")
_ADDRESS = re.compile(
    rf"(?:(?:[A-Za-z-]+ )*<(?=.*>$))?(?P<address>[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@{_HOST})>?"
)


def regular_url(text: str) -> Contact | None:
    """Return where a URL of the regular form leads; None of any other text."""
    found = _URL.fullmatch(text)
    if found is None or len(found["host"]) > 253 or _DOTS.search(found["path"]):
        return None
    port = int(found["port"] or {"http": 80, "https": 443}[found["scheme"]])
    host = found["host"].lower()
    if found["six"] is not None:
        try:
            host = ipaddress.IPv6Address(found["six"]).compressed
        except ValueError:
            return None
    if port > 65_535:
        return None
    return Contact(found["scheme"], host, port, found["path"] + (found["query"] or ""))


def regular_address(text: str) -> Delivery | None:
    """Return the recipient that an address of the regular form reaches; None for any other text."""
    found = _ADDRESS.fullmatch(text)
    if found is None or text.endswith(">") != ("<" in text):
        return None
    return Delivery((found["address"],))
