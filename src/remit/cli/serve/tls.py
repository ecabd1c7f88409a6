# SPDX-License-Identifier: Apache-2.0
"""TLS of the one port, and the certificate that a client presents on it.

No certificate authority that a server could be given beforehand knows a workload with an X.509-SVID, or a
client with a self-signed certificate (RFC 8705). The handshake therefore requests a certificate and accepts
any, or none: it proves that the client holds the certificate's key, and nothing more. Step 1 decides whose
certificate it is and whether it is trusted (`ports.attestor`, `cnf`).

The standard library can request a certificate only if it also checks the chain; pyOpenSSL can do without.
`AskingContext` is a context of the standard library whose connections are pyOpenSSL's, so that every event
loop accepts it.
"""

from __future__ import annotations

import errno
import logging
import os
import ssl
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, Self

from cryptography import x509
from OpenSSL import SSL, crypto

from remit.api.rest.route import PortCertificate
from remit.core.errors import ConfigInvalid

_LOG = logging.getLogger("remit.tls")

#: Certificates of a presented chain that are examined; a longer chain is cut, and then does not verify.
MAX_CHAIN = 8
#: Longest file of a chain or a key.
MAX_BYTES = 256 * 1024
#: Bytes of TLS records that are moved at once.
_PIECE = 65_536


class _Bio(Protocol):
    eof: bool

    def read(self, size: int = ..., /) -> bytes: ...
    def write(self, data: bytes, /) -> int: ...
    def write_eof(self) -> None: ...


class RenewedContext(ssl.SSLContext):
    """A server context that loads a renewed certificate without a restart.

    Files that cannot be used change nothing: the certificate that is served stays.
    """

    _files: tuple[Path, Path]
    _seen: tuple[tuple[int, int, int], ...] = ()
    _served: Any
    _until: datetime
    _fault: str = ""

    def __new__(cls, certificate: Path, key: Path) -> Self:
        """Load certificate chain and key (PEM); raises `ConfigInvalid` if they are unusable.

        An expired certificate is served if there is no other one.
        """
        made = super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)
        made._files = (certificate, key)
        made._fault = made._renew()
        if not hasattr(made, "_served"):
            raise ConfigInvalid(
                f"{made._fault}: it cannot be used for TLS",
                key="listen.tls",
                remediation="give a certificate chain and its private key as PEM files",
            )
        return made

    def wrap_bio(self, *args: Any, **kwargs: Any) -> Any:
        """Begin a connection with the current certificate."""
        self.look()
        return self._begin(*args, **kwargs)

    def look(self) -> PortCertificate:
        """Load the files if they have changed, and return what is served."""
        if self._stamps() != self._seen:
            self._fault = self._renew()
        return PortCertificate(file=str(self._files[0]), expires=self._until, fault=self._fault)

    def _stamps(self) -> tuple[tuple[int, int, int], ...]:
        """Return what changes with the files; empty while one is missing."""
        try:
            return tuple((one.st_mtime_ns, one.st_ino, one.st_size) for one in map(Path.stat, self._files))
        except OSError:
            return ()

    def _renew(self) -> str:
        """Load the files; return why they are not served."""
        certificate, key = self._files
        self._seen = self._stamps()
        try:
            first = x509.load_pem_x509_certificates(_content(certificate))[0]
            if b"ENCRYPTED" in _content(key):
                # OpenSSL would ask the terminal for a password, and hold up all calls.
                raise OSError(errno.EINVAL, "the key is encrypted")
            loaded = self._load()
        except (OSError, ValueError, SSL.Error) as fault:
            why = "no chain in PEM, or not the certificate of this key"
            # A fault of OpenSSL is an `OSError`, too, with words that help few.
            if isinstance(fault, OSError) and not isinstance(fault, ssl.SSLError):
                why = fault.strerror or why
            return self._said(f"`{certificate}` with `{key}`: {why}")
        until, now = first.not_valid_after_utc, datetime.now(UTC)
        why = ""
        if not first.not_valid_before_utc <= now < until:
            why = f"`{certificate}` is valid from {first.not_valid_before_utc:%F} to {until:%F} only"
        if not why or not hasattr(self, "_served"):
            self._served, self._until = loaded, until
        return self._said(why)

    def _said(self, why: str) -> str:
        if why and why != self._fault:
            _LOG.warning("the certificate of the port is not renewed: %s", why)
        return why

    def _load(self) -> Any:
        """Return what begins connections; a context half of which was replaced would serve none."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        made.load_cert_chain(*self._files)
        return made

    def _begin(self, *args: Any, **kwargs: Any) -> Any:
        return self._served.wrap_bio(*args, **kwargs)


def _content(file: Path) -> bytes:
    """Return the content of a file that is regular and not too long: others would hold up all calls."""
    with open(file, "rb", opener=_at_once) as opened:
        found = os.fstat(opened.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_BYTES:
            raise OSError(errno.EINVAL, f"`{file}` is no file of at most {MAX_BYTES // 1024} KiB")
        return opened.read()


def _at_once(path: str, flags: int) -> int:
    """Open a file without waiting for the other end of a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


class AskingContext(RenewedContext):
    """A server context that requests a client certificate, and verifies only possession of its key."""

    def _load(self) -> SSL.Context:
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        # A resumed session would bring a certificate without a new proof of possession.
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION)
        context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
        certificate, key = self._files
        context.use_certificate_chain_file(str(certificate))
        context.use_privatekey_file(str(key))
        context.check_privatekey()
        return context

    def _begin(self, incoming: _Bio, outgoing: _Bio, *_: Any, **__: Any) -> Any:
        return AskingConnection(self._served, incoming, outgoing)


class AskingConnection:
    """A connection with the part of `ssl.SSLObject` that event loops use."""

    def __init__(self, context: SSL.Context, incoming: _Bio, outgoing: _Bio) -> None:
        """Begin as a server, between two memory buffers of the event loop."""
        self._connection = SSL.Connection(context, None)
        self._connection.set_accept_state()
        self._incoming = incoming
        self._outgoing = outgoing
        self._dry = True

    def do_handshake(self) -> None:
        """Continue the handshake."""
        self._with(self._connection.do_handshake)

    def read(self, size: int = _PIECE, buffer: Any = None) -> Any:
        """Return plaintext bytes, or their count if they go into `buffer`; none at the end."""
        try:
            if buffer is None:
                return self._with(lambda: self._connection.recv(size))
            return self._with(lambda: self._connection.recv_into(buffer, size))
        except SSL.ZeroReturnError:
            return b"" if buffer is None else 0

    def write(self, data: Any) -> int:
        """Take plaintext bytes; return how many were taken."""
        return int(self._with(lambda: self._connection.send(bytes(data))) if len(data) else 0)

    def unwrap(self) -> None:
        """Send the closing alert, and wait for the other side's."""
        if not self._with(self._connection.shutdown):
            raise ssl.SSLWantReadError

    def pending(self) -> int:
        """Return a lower bound of the ready plaintext bytes: 1 if records were received but not read."""
        return int(self._connection.pending()) or int(not self._dry)

    def getpeercert(self, binary_form: bool = False) -> Any:
        """Return the client's certificate in the standard library's form for an unverified one."""
        chain = self.peer_chain()
        return (chain[0] if chain else None) if binary_form else {}

    def peer_chain(self) -> tuple[bytes, ...]:
        """Return the chain that the client presented in DER, its own certificate first; empty without one."""
        # As bytes, not parsed by `cryptography`: step 1 refuses, with a record, what `cryptography` cannot
        # parse.
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
        """Return None: TLS compression is off."""

    def selected_alpn_protocol(self) -> None:
        """Return None: no ALPN protocol is offered."""

    def version(self) -> str:
        """Return the TLS version."""
        return str(self._connection.get_protocol_version_name())

    def _with(self, step: Any) -> Any:
        """Run a step of OpenSSL with the received bytes, and pass on the bytes that it sends."""
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
