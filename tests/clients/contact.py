# SPDX-License-Identifier: Apache-2.0
"""What a client does with a text: it connects, it delivers, or it refuses."""

import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_NAME = re.compile(r"(?=.{1,254}$)(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


@dataclass(frozen=True)
class Contact:
    """Where a client connects to. `host` is ASCII as it is resolved, in lower case, or the number that the
    system takes it for; `target` is the request's as sent; `authorization` tells whether user info was sent.
    """

    scheme: str
    host: str
    port: int
    target: str = ""
    host_header: str = ""
    authorization: bool = False

    @property
    def place(self) -> tuple[str, str, int]:
        """What makes it another destination, whatever is asked for there."""
        return self.scheme, self.host, self.port

    @property
    def named(self) -> bool:
        """Whether there can be something: at an address, or at a name of a host. Else the client asks for a
        name that resolvers answer with nothing, as they do for `user@evil.example`.
        """
        return self.scheme == "local" or _is_number(self.host) or bool(_NAME.fullmatch(self.host))

    @property
    def resource(self) -> tuple[str, str, int, str]:
        """The place, and what is asked for: escapes compared as RFC 3986 section 6.2.2 does."""
        return *self.place, _ESCAPE.sub(_plain, self.target)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.target}"


@dataclass(frozen=True)
class Delivery:
    """The recipients of mail: those of the envelope, and the headers that the client was not given."""

    recipients: tuple[str, ...]
    injected: tuple[str, ...] = ()

    @property
    def place(self) -> tuple[str, ...]:
        """The recipients. Domains are compared without case."""
        return tuple(sorted(map(_address, self.recipients)))

    def __str__(self) -> str:
        return " ".join((*self.recipients, *(f"+{name}" for name in self.injected)))


@dataclass(frozen=True)
class Refused:
    """The client gave up before it connected or delivered."""

    reason: str = ""

    def __str__(self) -> str:
        return "refused"


Outcome = Contact | Delivery | Refused


class Client(Protocol):
    """A real client. One is used by one thread, and answers for each text alone."""

    name: str

    def ask(self, texts: Iterable[str]) -> list[Outcome]:
        """Return the outcome of each text, in order."""
        ...


def resolved_host(name: bytes | str) -> str:
    """Return a host as this system's resolver takes it: a number, or the name in lower case.

    INVARIANT: nothing is looked up; `AI_NUMERICHOST` reads numbers and asks no server.
    """
    wire = name.encode("idna") if isinstance(name, str) else name
    # The resolver is written in C: what stands behind a NUL is not there for it.
    wire = wire.partition(b"\0")[0]
    try:
        found = socket.getaddrinfo(wire, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except OSError:
        return wire.decode("ascii", "backslashreplace").lower()
    address, scope = found[0][4][0], found[0][4][3:]
    return numeric(f"{address}%{scope[0]}" if scope and scope[0] else str(address))


def resolved_port(port: int | str | bytes | None) -> int:
    """Return a port as this system's resolver takes it; raises `OSError` where it takes none."""
    found = socket.getaddrinfo("127.0.0.1", port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    return int(found[0][4][1])


def numeric(host: str) -> str:
    """Return an address in its shortest form, and a name as it is."""
    bare, percent, scope = host.strip("[]").partition("%")
    try:
        return f"{ipaddress.ip_address(bare).compressed}{percent}{scope}"
    except ValueError:
        return host


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _plain(escape: re.Match[str]) -> str:
    char = chr(int(escape[1], 16))
    return char if char in _UNRESERVED else f"%{escape[1].upper()}"


def _address(address: str) -> str:
    local, at, domain = address.rpartition("@")
    return f"{local}{at}{domain.lower()}" if domain.isascii() else address
