# SPDX-License-Identifier: Apache-2.0
"""`remit doctor`: the PostgreSQL of the store."""

from __future__ import annotations

from collections.abc import Iterator

from remit.cli.doctor.check import MAX_SKEW_S, Check
from remit.config import Config
from remit.core.errors import ConfigInvalid, KeyUnavailable, StoreUnavailable


def database_looks(config: Config) -> Iterator[Check]:
    """Report whether the database answers, and settings by which evidence or clocks could be wrong."""
    from remit.compose.store import database_at

    try:
        found = database_at(config)
    except (StoreUnavailable, KeyUnavailable, ConfigInvalid) as fault:
        yield Check("store", "fail", fault.message, fault.remediation)
        return
    if found.too_old:
        yield Check("store", "fail", f"{found.says}: too old", "upgrade the server; remit refuses to start")
    else:
        yield Check("store", "ok", found.says)
    if found.readable:
        yield Check(
            "store",
            "note",
            "the connection to PostgreSQL is not encrypted",
            "enable TLS on the server, and add `sslmode=verify-full` to the address",
        )
    for name in found.unsafe:
        says = f"the server has `{name} = off`: a crash of its machine may lose decisions that it confirmed"
        yield Check("store", "fail", says, f"set `{name} = on` in postgresql.conf, and restart the server")
    if found.apart_s > MAX_SKEW_S:
        says = f"the database's clock is {found.apart_s:.0f} s away from this machine's"
        yield Check("clock", "fail", says, "synchronise both clocks with a time server")
