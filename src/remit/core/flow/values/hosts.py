# SPDX-License-Identifier: Apache-2.0
"""Host names and addresses in normal form."""

from __future__ import annotations

import ipaddress
import re

MAX_HOST = 254
"""Characters of the longest host, with a full stop at its end (RFC 1035 section 2.3.4)."""
_LABEL = r"[^\s@.,;:/?#\[\]()<>\"'`\\|{}=&%]{1,63}"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})+\.?")
_TLD = re.compile(r"[a-z]{2,24}|xn--[a-z0-9-]{2,59}")
# Most names are plain: this pattern recognises them.
_PLAIN_HOST = re.compile(r"(?:[a-z0-9_-]{1,63}\.){1,20}[a-z]{2,24}")
_FULL_STOPS = str.maketrans("\u3002\uff0e\uff61", "...")  # IDNA's other dots (RFC 3490 section 3.1)
_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_QUAD = re.compile(rf"(?:{_BYTE}\.){{3}}{_BYTE}")
_NUMBER = re.compile(r"0x[0-9a-f]{0,8}|[0-9]{1,12}")


def host_of(text: str) -> str:
    """Return a host in its ASCII form (RFC 5891); empty where the text is no host."""
    if _PLAIN_HOST.fullmatch(text):
        return text
    if text[-1:].isdigit():
        return text if _QUAD.fullmatch(text) else ""
    host = text if text.isascii() else text.translate(_FULL_STOPS)
    if len(host) > MAX_HOST or not _HOST.fullmatch(host):
        return ""
    host = host.removesuffix(".")
    if not host.isascii():
        try:
            # Each label is encoded separately, as resolvers do. A host whose labels cannot be encoded is no
            # host.
            host = ".".join(
                label if label.isascii() else "xn--" + label.encode("punycode").decode("ascii")
                for label in host.split(".")
            )
        except UnicodeError:
            return ""
    return host if _TLD.fullmatch(host.rpartition(".")[2]) else ""


def numbered_host(host: str) -> str:
    """Return the usual form of a numeric address in the host of a URL (WHATWG URL, section 3.5).

    Empty where the host is no numeric address.
    """
    if host.startswith("[") and host.endswith("]"):
        try:
            six = ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            return ""
        return str(six.ipv4_mapped or f"[{six.compressed}]")
    numbers = host.removesuffix(".").split(".")
    if len(numbers) > 4 or not all(_NUMBER.fullmatch(one) for one in numbers):
        return ""
    try:
        values = [_value(one) for one in numbers]
    except ValueError:
        return ""
    *firsts, last = values
    if any(one > 255 for one in firsts) or last >= 256 ** (5 - len(values)):
        return ""
    return str(ipaddress.IPv4Address(last + sum(one << (24 - 8 * at) for at, one in enumerate(firsts))))


def _value(number: str) -> int:
    if number.startswith("0x"):
        return int(number[2:] or "0", 16)
    return int(number, 8) if len(number) > 1 and number.startswith("0") else int(number)
