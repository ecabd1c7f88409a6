# SPDX-License-Identifier: Apache-2.0
"""Passwords in addresses and in the data source names of Go."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote_to_bytes

from remit.core.discovery.secrets.candidates import Candidate
from remit.core.discovery.secrets.placeholders import hexadecimal, placeholder
from remit.core.discovery.secrets.provider_tokens import compiled
from remit.core.discovery.secrets.randomness import password_like, random_like, word_like

_ADDRESS: Final = compiled(rb"(?:://|:\\/\\/)[^\s/\"'`<>\\@]*:[^\s/\"'`<>\\]+@[^\s/\"'`<>\\?#,;)|@]+")
#: Every address with a password or a token, and every data source name, has one of these.
ANCHOR_OF_ADDRESS: Final = rb"(?:://|:\\/\\/)[^\s\"'`<>]+@|@(?:tcp|unix)\("
_PARTS: Final = re.compile(
    rb"(?::|:\\/\\/)/{0,2}([^:]{0,100}):(.{1,256})@([A-Za-z0-9\[$%{<_][^@]{0,150})\Z", re.DOTALL
)
_SCHEME: Final = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]{0,30}\Z")
_BORNE: Final = compiled(rb"://([A-Za-z0-9_.~-]{20,})@([A-Za-z0-9.-]+)")
_GO: Final = compiled(rb"@(?:tcp|unix)\(")
_GO_PARTS: Final = re.compile(rb"([\w.-]{1,60}):([^\s\"'`@/:]{3,128})@(?:tcp|unix)\(([^)\s]{1,150})\)")
_GO_BYTES: Final = 200
#: What opens what, by the first word of the scheme.
_TYPES: Final = {
    b"postgres": "postgresql",
    b"postgresql": "postgresql",
    b"mysql": "mysql",
    b"mariadb": "mysql",
    b"mongodb": "mongodb",
    b"redis": "redis",
    b"rediss": "redis",
    b"amqp": "amqp",
    b"amqps": "amqp",
    b"clickhouse": "clickhouse",
    b"mssql": "sqlserver",
    b"sqlserver": "sqlserver",
    b"smtp": "smtp",
    b"smtps": "smtp",
    b"http": "http",
    b"https": "http",
    b"ftp": "ftp",
    b"ldap": "ldap",
    b"nats": "nats",
    b"kafka": "kafka",
}
#: Passwords that stand for one in every example of an address.
_EXAMPLES: Final = frozenset(
    b"pass password passwd pwd secret pw p x xx xxx user username token postgres mysql root admin guest "
    b"changeme example test port db foo bar dev local mypassword my-password my_password "
    b"mysecretpassword yourpassword".split()
)
_EXAMPLE_HOSTS: Final = (b"example.com", b"example.org", b"example.net", b"host", b"hostname", b"server")
_LOCAL: Final = (b"localhost", b"127.0.0.1", b"0.0.0.0", b"::1")


def connection_strings(data: bytes) -> Iterator[Candidate]:
    """Yield the passwords in addresses, with their user and host."""
    for match in _ADDRESS.finditer(data):
        parts = _PARTS.match(match.group())
        scheme = _SCHEME.search(data, max(0, match.start() - 32), match.start())
        if parts is None or scheme is None or not _real(*parts.groups()):
            continue
        kind = scheme.group().lower().partition(b"+")[0].rpartition(b":")[2]
        yield _candidate(_TYPES.get(kind, kind.decode()), match.start(), parts, 0.95)
    for match in _BORNE.finditer(data):
        value, host = match.group(1), match.group(2)
        if random_like(value) and not hexadecimal(value) and not placeholder(value):
            start, end = match.span(1)
            yield Candidate(
                "token-in-address", "http", start, end, value, 0.85, "", host.decode(errors="replace")
            )
    for anchor in _GO.finditer(data):
        parts = _GO_PARTS.search(data, max(0, anchor.start() - _GO_BYTES), anchor.end() + _GO_BYTES)
        if parts is not None and _real(*parts.groups()):
            yield _candidate("mysql", 0, parts, 0.93)


def _candidate(kind: str, start: int, parts: re.Match[bytes], confidence: float) -> Candidate:
    """Return the password of user, password and host; `start` is where the searched bytes begin."""
    user, password, host = parts.groups()
    return Candidate(
        "connection-string",
        kind,
        start + parts.start(2),
        start + parts.end(2),
        unquote_to_bytes(password),
        confidence,
        unquote_to_bytes(user).decode(errors="replace"),
        host.decode(errors="replace"),
    )


#: The words of a template, such as `AppSecret` or `APIPASS`.
_TEMPLATE: Final = re.compile(
    rb"(?:[A-Z][a-z]+|[A-Z]{2,6})*(?:Secret|SECRET|Token|TOKEN|Pass|PASS|Password|PASSWORD|Key|KEY)\Z"
)


def _real(user: bytes, password: bytes, host: bytes) -> bool:
    """Return whether an address is none of an example, by its password and its host."""
    low = password.lower()
    bare = host.lower().partition(b":")[0]
    if (
        low in _EXAMPLES
        or (low == user.lower() and len(low) < 8)
        or placeholder(password)
        or _TEMPLATE.match(password)
    ):
        return False
    if bare.endswith(_EXAMPLE_HOSTS[:3]) or bare in _EXAMPLE_HOSTS:
        return random_like(password)
    if bare in _LOCAL and word_like(password):
        return False
    if b"$" in host or b"{" in host or b"<" in host:
        return password_like(password) and not word_like(password)
    return (len(password) >= 4 and not password.isdigit()) or len(password) >= 6
