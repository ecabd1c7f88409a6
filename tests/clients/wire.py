# SPDX-License-Identifier: Apache-2.0
"""The layer below Python's clients: sockets that go nowhere, a resolver that asks no server, plain TLS.

Clients read their texts, make their requests and read the answers themselves. The first place to which a
socket connects is the contact.
"""

import asyncio
import contextlib
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import pytest

from tests.clients.contact import Contact, Outcome, Refused, resolved_host, resolved_port

_ANSWER = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
_HEAD = re.compile(rb"([^ \r\n]+) (.*) HTTP/1\.[01]\r\n(.*?)\r\n\r\n", re.DOTALL)
_Resolve = Callable[..., Any]


class Peer(Protocol):
    """The other end of a connection."""

    def greeting(self) -> bytes:
        """Return what it says first."""
        ...

    def hear(self, data: bytes) -> bytes:
        """Return what it answers."""
        ...


@dataclass
class HttpPeer:
    """A server that answers each request with nothing, and keeps the head of the first."""

    host: str
    port: int
    tls: bool = False
    awaited: bool = False
    heard: bytearray = field(default_factory=bytearray)

    def greeting(self) -> bytes:
        """Say nothing first."""
        return b""

    def hear(self, data: bytes) -> bytes:
        """Answer when the head is complete."""
        whole = b"\r\n\r\n" in self.heard
        self.heard += data
        return _ANSWER if not whole and b"\r\n\r\n" in self.heard else b""

    def contact(self) -> Contact:
        """Return what was reached here."""
        head = _HEAD.match(bytes(self.heard))
        # Who waits to be greeted speaks another protocol; who sends nothing gave up when it was connected.
        scheme = "https" if self.tls else "tcp" if self.awaited else "http"
        if head is None:
            return Contact(scheme, self.host, self.port)
        headers: dict[str, str] = {}
        for line in head[3].decode("latin-1").split("\r\n"):
            name, _, value = line.partition(":")
            headers.setdefault(name.lower(), value.strip())
        return Contact(
            scheme=scheme,
            host=self.host,
            port=self.port,
            target=head[2].decode("latin-1"),
            host_header=headers.get("host", ""),
            authorization="authorization" in headers,
        )


class Wire:
    """What clients reached since the last text."""

    def __init__(self, peer: Callable[[str, int], Peer] = HttpPeer) -> None:
        self.peer = peer
        self.reached: list[Peer] = []

    def connect(self, host: str, port: int) -> Peer:
        """Make the other end of a connection."""
        self.reached.append(self.peer(host, port))
        return self.reached[-1]

    def outcome(self, reason: str) -> Outcome:
        """Return what was reached since, and forget it. Where it is nothing, no reason tells that the client
        answered from this machine.
        """
        reached, self.reached = self.reached, []
        if reached and isinstance(first := reached[0], HttpPeer):
            return first.contact()
        return Refused(reason) if reason else Contact("local", "", 0)


class _Socket(socket.socket):
    """A socket that speaks with a peer in this process, once it connects. An accepted one is left alone."""

    wire: Wire
    peer: Peer | None = None

    def connect(self, address: Any) -> None:
        """Reach a peer. As the system's own `connect` does, this resolves what is no number."""
        self.peer = self.wire.connect(resolved_host(address[0]), address[1])
        self.inbox = bytearray(self.peer.greeting())

    def setsockopt(self, *_: Any) -> None:
        """Take every option: there is no network to set it for."""

    def send(self, data: Any, flags: int = 0) -> int:
        """Hand everything to the peer."""
        self.sendall(data, flags)
        return len(data)

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Hand everything to the peer, and keep what it answers."""
        if self.peer is None:
            return super().sendall(data, flags)
        self.inbox += self.peer.hear(bytes(data))
        return None

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Return what the peer said; where that is nothing, the connection is at its end."""
        if self.peer is None:
            return super().recv(size, flags)
        if isinstance(self.peer, HttpPeer) and not self.peer.heard:
            self.peer.awaited = True
        taken = bytes(self.inbox[:size])
        del self.inbox[:size]
        return taken

    def recv_into(self, buffer: Any, size: int = 0, flags: int = 0) -> int:
        """Return what the peer said into a buffer."""
        taken = self.recv(size or len(buffer), flags)
        buffer[: len(taken)] = taken
        return len(taken)

    def getpeername(self) -> Any:
        """Return an address, as clients log it."""
        return ("127.0.0.1", 0)


class PlainTls(ssl.SSLContext):
    """TLS that marks the connection and changes no byte."""

    def wrap_socket(self, sock: Any, *_: Any, **__: Any) -> Any:
        """Mark the connection."""
        if isinstance(sock, _Socket) and isinstance(sock.peer, HttpPeer):
            sock.peer.tls = True
        return sock

    def load_verify_locations(self, *_: Any, **__: Any) -> None:
        """Load nothing: no certificate is looked at, and a client would load them for each connection."""


def plain_tls() -> PlainTls:
    """Make TLS that hides nothing, as strict as clients want it to look."""
    made = PlainTls(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = True
    return made


def _resolver(real: _Resolve) -> _Resolve:
    def resolve(host: Any, port: Any, family: int = 0, *args: Any, **options: Any) -> Any:
        """Take a name for its own address. It was made ASCII and read as the system does that."""
        flags = options.get("flags", args[2] if len(args) > 2 else 0)
        if host is None or flags & socket.AI_NUMERICHOST:
            return real(host, port, family, *args, **options)
        name = resolved_host(host)
        if not name:
            raise socket.gaierror(socket.EAI_NONAME, "no name")
        address = (name, resolved_port(port))
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address)]

    return resolve


@contextlib.contextmanager
def caught(wire: Wire) -> Iterator[None]:
    """Catch every connection that this process makes meanwhile."""
    made = type("Caught", (_Socket,), {"wire": wire})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", _resolver(socket.getaddrinfo))
        # What only older protocols ask.
        patch.setattr(socket, "gethostbyname", resolved_host)
        patch.setattr(socket, "gethostbyname_ex", lambda name: (name, [], [resolved_host(name)]))
        patch.setattr(socket, "socket", made)
        yield


class _Transport(asyncio.Transport):
    """An asynchronous connection with a peer in this process."""

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: Any, peer: Peer) -> None:
        super().__init__({"peername": ("127.0.0.1", 0)})
        self._loop, self._protocol, self._peer, self._closing = loop, protocol, peer, False

    def write(self, data: Any) -> None:
        """Hand everything to the peer, and its answer to the protocol."""
        if answer := self._peer.hear(bytes(data)):
            self._loop.call_soon(self._protocol.data_received, answer)

    def is_closing(self) -> bool:
        """Return whether it was closed."""
        return self._closing

    def close(self) -> None:
        """Close it once."""
        if not self._closing:
            self._closing = True
            self._loop.call_soon(self._protocol.connection_lost, None)

    abort = close

    def pause_reading(self) -> None:
        """Nothing is read ahead."""

    def resume_reading(self) -> None:
        """Nothing was held back."""


class CaughtLoop(asyncio.SelectorEventLoop):
    """An event loop whose connections go to peers in this process."""

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        """Resolve at once, without asking a server."""
        return socket.getaddrinfo(host, port, **options)

    async def sock_connect(self, sock: Any, address: Any) -> None:
        """Reach a peer."""
        sock.connect(address)

    async def create_connection(  # type: ignore[override]
        self, factory: Any, *_: Any, **options: Any
    ) -> Any:
        """Return a protocol the connection that was made for it."""
        protocol, peer = factory(), options["sock"].peer
        if isinstance(peer, HttpPeer):
            peer.tls = bool(options.get("ssl"))
        transport = _Transport(self, protocol, peer)
        protocol.connection_made(transport)
        return transport, protocol
