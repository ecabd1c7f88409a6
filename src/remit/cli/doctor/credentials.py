# SPDX-License-Identifier: Apache-2.0
"""`remit doctor`: checks whether secrets can be read and the sources of leased credentials answer.

Nothing is obtained for this check except a database role, which is rolled back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from urllib.parse import urlsplit

import msgspec

from remit.cli.doctor.check import Check, no_connection, unwarned
from remit.config import Config, LeaseSection, SecretRef
from remit.config.reading.secret_reference import FETCHED
from remit.config.sections.secret_sources import references
from remit.core.errors import ConfigInvalid, KeyUnavailable


def secret_looks(config: Config) -> Iterator[Check]:
    """Read the secrets in OpenBao or a keyring; later checks need them too."""
    named = [(place, ref) for place, ref in references(config) if ref.scheme in FETCHED]
    if not named:
        return
    from remit.compose.secret_sources import fetch_now

    try:
        with unwarned():
            fetch_now(config)
    except ConfigInvalid as fault:
        yield Check("secrets", "fail", fault.message, fault.remediation)
        return
    for place, ref in named:
        try:
            ref.resolve_lines()
        except KeyUnavailable as fault:
            yield Check("secrets", "fail", f"{fault.message} (`{place}`)", fault.remediation)
        else:
            yield Check("secrets", "ok", f"`{ref.where}` can be read (`{place}`)")


def lease_looks(config: Config) -> Iterator[Check]:
    """Check the secrets and the addresses of each upstream's lease."""
    for upstream, section in config.upstreams.items():
        if section.lease is None:
            continue
        for name, source in section.lease.sources.items():
            subject = f"lease for {upstream}"
            faults = [*_secrets(source), *_addresses(source)]
            for says, remediation in faults:
                yield Check(subject, "fail", says, remediation)
            if not faults:
                yield Check(subject, "ok", f"{name}: its source is reachable and its secrets are readable")
            if not faults and section.lease.postgres is not None:
                yield from _roles(subject, section.lease)


def _roles(subject: str, lease: LeaseSection) -> Iterator[Check]:
    """Report what a task's role could do beyond reading and writing rows."""
    from remit.compose.brokers import beyond_rows

    assert lease.postgres is not None
    try:
        found = asyncio.run(beyond_rows(lease, lease.postgres))
    except (ConfigInvalid, KeyUnavailable) as fault:
        yield Check(subject, "fail", fault.message, fault.remediation)
        return
    for says, remediation in found:
        yield Check(subject, "note", f"a task's role {says}", remediation)


def _secrets(section: msgspec.Struct) -> Iterator[tuple[str, str]]:
    for _, value in values_in(section):
        if isinstance(value, SecretRef):
            try:
                value.resolve_lines()
            except KeyUnavailable as fault:
                yield fault.message, fault.remediation


def _addresses(section: msgspec.Struct) -> Iterator[tuple[str, str]]:
    seen = set()
    for name, value in values_in(section):
        asked = name == "address" or name.endswith("_url")
        if not asked or not isinstance(value, str) or not value:
            continue
        where = urlsplit(value).netloc
        if where not in seen:
            seen.add(where)
            if why := no_connection(value):
                yield f"`{where}` (`{name}`) is not reachable: {why}", "is it running?"


def values_in(section: msgspec.Struct) -> Iterator[tuple[str, object]]:
    """Yield each setting below a section, by name."""
    for name in section.__struct_fields__:
        value = getattr(section, name)
        if isinstance(value, msgspec.Struct):
            yield from values_in(value)
        else:
            yield name, value
