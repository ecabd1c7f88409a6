# SPDX-License-Identifier: Apache-2.0
"""TLS of the one port, and the certificate that a client shows on it.

A workload with an X.509-SVID, or a client with a self-signed certificate (RFC 8705), is known to no
certificate authority that a server could be given beforehand. So the handshake asks for a certificate and
takes whichever comes, or none: it proves that the client holds the certificate's key, and nothing more.
Whose certificate it is, and whether it is trusted, is decided in step 1 (`ports.attestor`, `cnf`).

The standard library can ask for a certificate only where it also checks the chain; pyOpenSSL can do without.
`AskingContext` is a context of the standard library whose connections are pyOpenSSL's, so that every event
loop takes it.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any, Protocol, Self

from OpenSSL import SSL, crypto

from remit.core.errors import ConfigInvalid

#: Certificates of a shown chain that are looked at; a deeper one is cut, and does not hold then.
MAX_CHAIN = 8
#: Bytes of records moved at once.
_PIECE = 65_536


class _Bio(Protocol):
    eof: bool

    def read(self, size: int = ..., /) -> bytes: ...
    def write(self, data: bytes, /) -> int: ...
    def write_eof(self) -> None: ...


class RenewedContext(ssl.SSLContext):
    """A server's context that takes up a renewed certificate without a restart."""

    _files: tuple[Path, Path]
    _seen: tuple[tuple[int, int], ...] = ()

    def __new__(cls, certificate: Path, key: Path) -> Self:
        """Load certificate chain and key (PEM); raises `ConfigInvalid` where they cannot be used."""
        made = super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        made._files = (certificate, key)
        try:
            made._renew()
        except (OSError, ssl.SSLError, SSL.Error) as fault:
            raise ConfigInvalid(
                f"`{certificate}` and `{key}` cannot be used for TLS",
                key="listen.tls",
                remediation="give a certificate chain and its private key as PEM files",
            ) from fault
        return made

    def wrap_bio(self, *args: Any, **kwargs: Any) -> Any:
        """Begin a connection, under the certificate of this moment."""
        try:
            self._renew()
        except (OSError, ssl.SSLError, SSL.Error):
            # A renewal in the middle of its writing: the certificate that was, until the next connection.
            self._seen = ()
        return self._begin(*args, **kwargs)

    def _renew(self) -> None:
        seen = tuple((status.st_mtime_ns, status.st_ino) for status in map(Path.stat, self._files))
        if seen != self._seen:
            self._load()
            self._seen = seen

    def _load(self) -> None:
        self.load_cert_chain(*self._files)

    def _begin(self, *args: Any, **kwargs: Any) -> Any:
        return super().wrap_bio(*args, **kwargs)


class AskingContext(RenewedContext):
    """A server's context that asks for a client's certificate, and checks only that its key is held."""

    _openssl: SSL.Context

    def _load(self) -> None:
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        # A resumed session would bring a certificate along that nobody proved to hold this time.
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION)
        context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
        certificate, key = self._files
        context.use_certificate_chain_file(str(certificate))
        context.use_privatekey_file(str(key))
        context.check_privatekey()
        self._openssl = context

    def _begin(self, incoming: _Bio, outgoing: _Bio, *_: Any, **__: Any) -> Any:
        return AskingConnection(self._openssl, incoming, outgoing)


class AskingConnection:
    """One connection, with the part of `ssl.SSLObject` that event loops use."""

    def __init__(self, context: SSL.Context, incoming: _Bio, outgoing: _Bio) -> None:
        """Begin as a server, between two memory buffers of the event loop."""
        self._connection = SSL.Connection(context, None)
        self._connection.set_accept_state()
        self._incoming = incoming
        self._outgoing = outgoing
        self._dry = True

    def do_handshake(self) -> None:
        """Go on with the handshake."""
        self._with(self._connection.do_handshake)

    def read(self, size: int = _PIECE, buffer: Any = None) -> Any:
        """Return plain bytes, or their count where they go into `buffer`; none at the end."""
        try:
            if buffer is None:
                return self._with(lambda: self._connection.recv(size))
            return self._with(lambda: self._connection.recv_into(buffer, size))
        except SSL.ZeroReturnError:
            return b"" if buffer is None else 0

    def write(self, data: Any) -> int:
        """Take plain bytes; gives how many were taken."""
        return int(self._with(lambda: self._connection.send(bytes(data))) if len(data) else 0)

    def unwrap(self) -> None:
        """Say good-bye, and wait for the other side to do so."""
        if not self._with(self._connection.shutdown):
            raise ssl.SSLWantReadError

    def pending(self) -> int:
        """Return how many plain bytes are ready, at least: 1 where records were taken that nobody has
        read.
        """
        return int(self._connection.pending()) or int(not self._dry)

    def getpeercert(self, binary_form: bool = False) -> Any:
        """Return the client's certificate as the standard library does where it was not checked."""
        chain = self.peer_chain()
        return (chain[0] if chain else None) if binary_form else {}

    def peer_chain(self) -> tuple[bytes, ...]:
        """Return the chain that the client showed in DER, its own certificate first; empty without one."""
        # As bytes, not as `cryptography` reads them: what it cannot read is for step 1 to refuse, on record.
        own = self._connection.get_peer_certificate()
        if own is None:
            return ()
        # A server's OpenSSL keeps the client's own certificate apart from the rest of the chain.
        rest = self._connection.get_peer_cert_chain() or []
        first, *others = (crypto.dump_certificate(crypto.FILETYPE_ASN1, one) for one in (own, *rest))
        return (first, *(one for one in others if one != first))[:MAX_CHAIN]

    def cipher(self) -> tuple[str, str, int] | None:
        """Return name, protocol and secret bits of the cipher."""
        name = self._connection.get_cipher_name()
        bits = self._connection.get_cipher_bits()
        return (name, self._connection.get_cipher_version() or "", bits or 0) if name else None

    def compression(self) -> None:
        """There is none."""

    def selected_alpn_protocol(self) -> None:
        """None is offered."""

    def version(self) -> str:
        """Return the version of TLS."""
        return str(self._connection.get_protocol_version_name())

    def _with(self, step: Any) -> Any:
        """Take a step, with what has come before it and what is to be sent after it."""
        while data := self._incoming.read(_PIECE):
            self._connection.bio_write(data)
            self._dry = False
        if self._incoming.eof:
            self._connection.bio_shutdown()
        try:
            return step()
        except (SSL.WantReadError, SSL.WantWriteError):
            self._dry = True
            raise ssl.SSLWantReadError from None
        except SSL.ZeroReturnError:
            raise
        except SSL.SysCallError as fault:
            raise ssl.SSLEOFError(*fault.args) from None
        except SSL.Error as fault:
            raise ssl.SSLError(1, str(fault)) from None
        finally:
            self._flush()

    def _flush(self) -> None:
        try:
            while data := self._connection.bio_read(_PIECE):
                self._outgoing.write(data)
        except SSL.WantReadError:
            pass
