# SPDX-License-Identifier: Apache-2.0
"""The attempt that a person makes from their own machine, at an address that they name themselves."""

from __future__ import annotations

import asyncio
import secrets

from remit.core.errors import Malformed
from remit.core.json_value import Json
from remit.ports.broker import Probe

#: What an outcome means for a person.
WORDS = {
    "refused": "the secret is refused: the finding is resolved",
    "works": "the secret still works: rotate it at its source",
    "unknown": "no clear answer: the finding stays open",
}


def account_of(finding: dict[str, Json], given: str) -> str:
    """Return the account to try: the finding's, else the given one; raises `Malformed`."""
    told = str(((finding.get("facts") or {}).get("evidence") or {}).get("user", ""))
    if told and given and told != given:
        raise Malformed(
            f"the secret is that of `{told[:80]}`",
            code="other-account",
            remediation="leave `--account` out",
        )
    if not (told or given):
        raise Malformed(
            "the finding names no account", code="no-account", remediation="name it with `--account`"
        )
    return told or given


def try_here(address: str, account: str, secret: str) -> str:
    """Return the outcome of a login at a database that the person names: `refused`, `works` or `unknown`."""
    from urllib.parse import urlsplit

    from remit.compose.brokers import database_probe

    parts = urlsplit(address)
    if parts.scheme not in ("postgresql", "postgres") or "@" in parts.netloc:
        raise Malformed(
            "only `postgresql://host:port/database`, without account and password, can be tried from here",
            code="address",
            remediation="name an upstream of `remit.yaml` with `--at`",
        )
    probe = database_probe(address)
    answer = asyncio.run(probe.probe(secret, account))
    if answer is Probe.REFUSED:
        return "refused"
    if answer is Probe.ACCEPTED:
        # A database that lets everyone in says nothing about the secret.
        wrong = asyncio.run(probe.probe(secrets.token_hex(24), account))
        return "works" if wrong is Probe.REFUSED else "unknown"
    return "unknown"
