# SPDX-License-Identifier: Apache-2.0
"""Probing a database credential by a login at PostgreSQL."""

from __future__ import annotations

import re
from typing import Final

import psycopg
from psycopg.conninfo import conninfo_to_dict

from remit.core.errors import ConfigInvalid
from remit.core.json_value import Json
from remit.ports.broker import Probe

CONNECT_S: Final = 5
#: The messages of an English server for a role that is gone, may not log in or has another password. libpq
#: reports no code for a failed login.
_NO: Final = re.compile(
    r"password authentication failed|is not permitted to log in|role \"[^\"]+\" does not exist"
)


def place_of(address: str) -> dict[str, Json]:
    """Parse the address of a database; raises `ConfigInvalid` for an invalid one."""
    try:
        return dict(conninfo_to_dict(address))
    except psycopg.Error:
        raise ConfigInvalid(
            f"`{address[:80]}` is not an address of a PostgreSQL database",
            remediation="write `postgresql://host:port/database`",
        ) from None


def named(address: dict[str, Json]) -> str:
    """Return a name for the database, without secrets."""
    host, port = address.get("host", "localhost"), address.get("port", 5432)
    return f"{host}:{port}/{address.get('dbname', address.get('user', ''))}"


async def tried(address: dict[str, Json]) -> Probe:
    """Log in and return the result; anything but a clear refusal of the role is `unreachable`."""
    try:
        async with await psycopg.AsyncConnection.connect(**{"connect_timeout": CONNECT_S, **address}):
            return Probe.ACCEPTED
    except psycopg.Error as fault:
        return Probe.REFUSED if _NO.search(str(fault)) else Probe.UNREACHABLE
