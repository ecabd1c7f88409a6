# SPDX-License-Identifier: Apache-2.0
"""`remit doctor`: the certificate of the port, its key, and when it expires."""

from __future__ import annotations

import os
import ssl
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from remit.cli.doctor.check import CONNECT_S, Check
from remit.config import Config
from remit.core.errors import ConfigInvalid

_SUBJECT: Final = "certificate"
#: An expiry is announced this long before it: tools that renew do so earlier.
AHEAD: Final = timedelta(days=14)


def certificate_looks(config: Config) -> Iterator[Check]:
    """Report what is wrong with the files of `listen.tls`, and whether the port shows them."""
    section = config.listen.tls
    if section is None:
        return
    from remit.cli.serve.server import tls_context

    place, key = config.at(section.certificate), config.at(section.key)
    try:
        tls_context(config)
    except ConfigInvalid as fault:
        yield Check(_SUBJECT, "fail", fault.message, fault.remediation)
        return
    own = x509.load_pem_x509_certificates(place.read_bytes())[0]
    yield expiry_check(str(place), own.not_valid_after_utc, datetime.now(UTC))
    yield from _open_key(key)
    name = urlsplit(config.listen.url).hostname or ""
    if not {name, f"*.{name.partition('.')[2]}"} & _names(own):
        says = f"`{place}` is not for `{name}`, by which clients reach remit"
        yield Check(_SUBJECT, "fail", says, "get a certificate with that name, or set `listen.public_url`")
    shown = _shown(config)
    if shown and shown != own.public_bytes(Encoding.DER):
        says = f"the port shows another certificate than `{place}`"
        yield Check(_SUBJECT, "fail", says, "run `remit reload`, which says why the file is not used")


def expiry_check(place: str, expires: datetime, now: datetime) -> Check:
    """Return whether a certificate is valid, and for long enough."""
    if expires <= now:
        return Check(_SUBJECT, "fail", f"`{place}` expired on {expires:%F %H:%M} UTC", "renew it")
    if expires - now < AHEAD:
        left = (expires - now) / timedelta(days=1)
        says = f"`{place}` expires in {left:.1f} days"
        return Check(_SUBJECT, "note", says, "renew it; a renewed file is used without a restart")
    return Check(_SUBJECT, "ok", f"`{place}` is valid until {expires:%F}")


def _open_key(key: Path) -> Iterator[Check]:
    """Report a key that every user can read, or a group write; a group of its own may read it."""
    mode = key.stat().st_mode
    if os.name == "posix" and mode & (stat.S_IRWXO | stat.S_IWGRP):
        remediation = f"run `chmod 640 {key}`, and replace the key if another user may have read it"
        yield Check(_SUBJECT, "fail", f"`{key}` is open to other users", remediation)


def _names(own: x509.Certificate) -> set[str]:
    """Return the names and addresses of a certificate."""
    try:
        found = own.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    addresses = found.get_values_for_type(x509.IPAddress)
    return {*found.get_values_for_type(x509.DNSName), *map(str, addresses)}


def _shown(config: Config) -> bytes:
    """Return the certificate that the port shows; empty where nothing answers in TLS."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.listen.host, config.listen.host)  # noqa: S104
    try:
        told = ssl.get_server_certificate((host, config.listen.port), timeout=CONNECT_S)
    except (OSError, ValueError):
        return b""
    return ssl.PEM_cert_to_DER_cert(told)
