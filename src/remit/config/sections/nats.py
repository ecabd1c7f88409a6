# SPDX-License-Identifier: Apache-2.0
"""NATS, by which the replicas of a large fleet wake each other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Final
from urllib.parse import urlsplit

from msgspec import Meta

from remit.config.reading.decoding import Problems
from remit.config.reading.secret_reference import SecretRef
from remit.config.reading.section import Section, Text
from remit.config.reading.yaml_lines import Node
from remit.core.errors import ConfigInvalid

MAX_SERVERS: Final = 16

_KEY: Final = "replica.nats"
_SUBJECT: Final = re.compile(r"[A-Za-z0-9_-]{1,64}(?:\.[A-Za-z0-9_-]{1,64}){0,7}")
#: What is shown to the server: one of these ways.
_WAYS: Final = (("user", "password"), ("token",), ("credentials",))


class NatsSection(Section, frozen=True, kw_only=True):
    """NATS servers that carry wakes between replicas. What is so stands in the database alone."""

    servers: Annotated[
        tuple[SecretRef, ...],
        Meta(
            min_length=1,
            max_length=MAX_SERVERS,
            description="Addresses, as `tls://host:4222`; `nats://` for a server of this machine alone. Over "
            "`tls://` the handshake comes first (`handshake_first` in the server's configuration). Where "
            "each replica has others, as `env:X` or `file:path`, which may hold several with commas between.",
        ),
    ]
    subject: Annotated[
        Text,
        Meta(
            description="What all subjects begin with; the tenant and what follows is put behind it. One of "
            "its own for each deployment that shares the servers."
        ),
    ] = "remit"
    user: Annotated[str, Meta(description="Name of the user, with `password`.")] = ""
    password: Annotated[
        SecretRef | None, Meta(description="Password of the user, as `env:X` or `file:path`.")
    ] = None
    token: Annotated[SecretRef | None, Meta(description="Token, as `env:X` or `file:path`.")] = None
    credentials: Annotated[
        SecretRef | None,
        Meta(description="Credentials of a user (a `.creds` file), as `file:path` or `env:X`."),
    ] = None
    tls_ca: Annotated[
        str, Meta(description="File of the certificate authorities to trust for the servers.")
    ] = ""
    tls_certificate: Annotated[
        str, Meta(description="File of the certificate chain that is shown to the servers, in PEM.")
    ] = ""
    tls_key: Annotated[str, Meta(description="File of its private key, in PEM.")] = ""


def check_nats(section: NatsSection, postgres: bool, node: Node, problems: Problems) -> None:
    """Note what no single value can say of itself."""

    def note(name: str, says: str, remediation: str) -> None:
        at = f"{_KEY}.{name}" if name else _KEY
        problems.add(says, line=node.line_of(at), key=at, remediation=remediation)

    if not postgres:
        note("", "has no effect with a file", "write `store.kind: postgres`, or leave it out")
    if any(one.lead for one in section.servers):
        note("servers", "is no reference", "write `env:NAME` or `file:path`")
    for fault, remediation in _faults([one.name for one in section.servers if not one.secret]):
        note("servers", fault, remediation)
    if not _SUBJECT.fullmatch(section.subject):
        note("subject", "is no subject", "use words of letters, digits, `_` and `-`, with dots between")
    given = [[name for name in way if getattr(section, name)] for way in _WAYS]
    ways = [names for names in given if names]
    if len(ways) > 1:
        note("", "logs in by several ways", "give `user` and `password`, or `token`, or `credentials`")
    if len(given[0]) == 1:
        note(given[0][0], "is half of a login", "give `user` and `password`")
    if bool(section.tls_certificate) != bool(section.tls_key):
        note(
            "tls_certificate" if section.tls_certificate else "tls_key",
            "is half of a certificate",
            "give `tls_certificate` and `tls_key`",
        )
    for name in ("password", "token", "credentials"):
        secret: SecretRef | None = getattr(section, name)
        if secret is not None and (not secret.secret or secret.lead):
            note(name, "is no reference", "write `env:NAME` or `file:path`")


def nats_servers(section: NatsSection) -> tuple[str, ...]:
    """Return the addresses, those of references read now; raises `ConfigInvalid`, or `KeyUnavailable`."""
    out: list[str] = []
    for one in section.servers:
        out += [part.strip() for part in one.resolve().split(",")] if one.secret else [one.name]
    if len(out) > MAX_SERVERS:
        raise ConfigInvalid(
            f"`{_KEY}.servers` are {len(out)}", key=_KEY, remediation=f"name {MAX_SERVERS} at most"
        )
    for fault, remediation in _faults(out):
        raise ConfigInvalid(f"`{_KEY}.servers`: a value {fault}", key=_KEY, remediation=remediation)
    return tuple(out)


def _faults(addresses: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Say what is wrong with addresses, and what to do; never an address itself, which may hold a secret."""
    for address in addresses:
        if fault := _address_fault(address):
            yield fault, "write `tls://host:4222`"
    if len({address.partition(":")[0] for address in addresses}) > 1:
        yield "mixes addresses with and without TLS", "use one of the two"


def _address_fault(address: str) -> str:
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "is not an address"
    if not host or not port or parts.path or parts.query or parts.fragment or any(map(str.isspace, address)):
        return "is not an address"
    if "@" in parts.netloc:
        return "holds a name or password"
    if parts.scheme == "tls":
        return ""
    local = host in ("localhost", "::1") or re.fullmatch(r"127(?:\.\d{1,3}){3}", host)
    return "" if parts.scheme == "nats" and local else "is not a `tls` address"
