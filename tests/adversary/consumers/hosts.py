# SPDX-License-Identifier: Apache-2.0
"""What names of hosts come to on the wire: by IDNA 2008, by IDNA 2003, by UTS 46, and as addresses in
numbers.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from urllib.parse import unquote

import idna

_LDH = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?")
_DOTS = re.compile("[.\u3002\uff0e\uff61]")
_PART = re.compile(r"0x[0-9a-f]*|[0-9]+", re.IGNORECASE)


def on_the_wire(host: str) -> set[str]:
    """Return every name or address that some client would look up or contact for a host as it is written."""
    host = host.strip().strip("\u200b\ufeff\u2060\u00ad")
    if host.startswith("[") or host.count(":") > 1:
        six = _six(host)
        return {six} if six else set()
    host = host.removesuffix(".")
    out: set[str] = set()
    forms = {host, unquote(host), unicodedata.normalize("NFKC", host)}
    for one in forms:
        if number := four(one):
            out.add(number)
            continue
        if one.isascii():
            out |= {one.lower()} if _LDH.fullmatch(one.lower()) else set()
            continue
        out |= {name for name in (_of_2008(one), _of_2003(one), _uts46(one)) if name and _LDH.fullmatch(name)}
    return {number if (number := four(one)) else one for one in out}


def four(host: str) -> str:
    """Return the address of IP version 4 that `inet_aton` and the URL standard read, in its usual form."""
    parts = host.removesuffix(".").split(".")
    if not 1 <= len(parts) <= 4 or not all(_PART.fullmatch(one) for one in parts) or not parts[-1]:
        return ""
    try:
        values = [_value(one.lower()) for one in parts]
    except ValueError:
        return ""
    *firsts, last = values
    if any(one > 255 for one in firsts) or last >= 256 ** (5 - len(values)):
        return ""
    return str(ipaddress.IPv4Address(last + sum(one << (24 - 8 * at) for at, one in enumerate(firsts))))


def _value(part: str) -> int:
    if part.startswith("0x"):
        return int(part[2:] or "0", 16)
    return int(part, 8) if len(part) > 1 and part.startswith("0") else int(part)


def _six(host: str) -> str:
    bare = host.strip("[]").partition("%")[0]
    try:
        found = ipaddress.IPv6Address(bare)
    except ValueError:
        return ""
    return str(found.ipv4_mapped or f"[{found.compressed}]")


def _of_2008(host: str) -> str:
    try:
        return idna.encode(
            _DOTS.sub(".", host).casefold() if host.isascii() else _DOTS.sub(".", host.lower())
        ).decode()
    except (idna.IDNAError, UnicodeError):
        return ""


def _uts46(host: str) -> str:
    try:
        return idna.encode(host, uts46=True).decode().lower()
    except (idna.IDNAError, UnicodeError):
        return ""


def _of_2003(host: str) -> str:
    try:
        return host.encode("idna").decode().lower()
    except UnicodeError:
        return ""
