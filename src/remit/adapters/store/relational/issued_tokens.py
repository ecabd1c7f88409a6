# SPDX-License-Identifier: Apache-2.0
"""Applies changes of issued tokens: token families, refresh tokens, and revocations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from remit.adapters.store.relational.sql import Sql
from remit.adapters.store.relational.timestamps import micros, moment, text
from remit.core.errors import Conflict
from remit.core.oauth.refresh_token import RefreshToken
from remit.ports.store.changes import PutFamily, PutRefreshToken, UseRefreshToken, Withdraw

Apply = Callable[[Sql, Any], None]

#: Most expired rows that are dropped with each new row.
SWEEP = 8


def put_family(sql: Sql, change: PutFamily) -> None:
    """Store a token family."""
    family = change.family
    _sweep(sql, "token_families", "id", family.tenant, micros(family.started))
    done = sql.execute(
        "insert into token_families values (?, ?, ?, ?) on conflict (tenant, id) do nothing",
        (family.tenant, family.id, micros(family.expires), text(family)),
    )
    if done.rowcount == 0:
        raise Conflict(f"family `{family.id}` exists already")


def put_refresh_token(sql: Sql, change: PutRefreshToken) -> None:
    """Store a refresh token."""
    token = change.token
    _sweep(sql, "refresh_tokens", "digest", token.tenant, micros(token.made))
    sql.execute(
        "insert into refresh_tokens values (?, ?, ?, ?, ?, null)",
        (token.tenant, token.digest, token.family, micros(token.made), micros(token.expires)),
    )


def use_refresh_token(sql: Sql, change: UseRefreshToken) -> None:
    """Mark a refresh token as used."""
    now = micros(change.now)
    done = sql.execute(
        "update refresh_tokens set used = ? where tenant = ? and digest = ? and used is null and expires > ?",
        (now, change.tenant, change.digest, now),
    )
    if done.rowcount == 0:
        raise Conflict("this refresh token was already used or never issued")


def withdraw(sql: Sql, change: Withdraw) -> list[str]:
    """Record a revocation; return the ids of the expired revocations that were dropped."""
    dropped = sql.execute(
        "delete from withdrawn where tenant = ? and id in"
        " (select id from withdrawn where tenant = ? and expires < ? limit ?) returning id",
        (change.tenant, change.tenant, micros(change.now), SWEEP),
    ).fetchall()
    sql.execute(
        "insert into withdrawn values (?, ?, ?) on conflict (tenant, id)"
        " do update set expires = excluded.expires where withdrawn.expires < excluded.expires",
        (change.tenant, change.id, micros(change.expires)),
    )
    return [name for (name,) in dropped if name != change.id]


def _sweep(sql: Sql, table: str, key: str, tenant: str, now: int) -> None:
    sql.execute(
        f"delete from {table} where tenant = ? and {key} in"  # noqa: S608 - names of ours
        f" (select {key} from {table} where tenant = ? and expires < ? limit {SWEEP})",
        (tenant, tenant, now),
    )


def refresh_token(sql: Sql, tenant: str, digest: str) -> RefreshToken | None:
    """Return a refresh token, whether used or not."""
    row = sql.execute(
        "select family, made, expires, used from refresh_tokens where tenant = ? and digest = ?",
        (tenant, digest),
    ).fetchone()
    if row is None:
        return None
    family, made, expires, used = row
    return RefreshToken(
        tenant=tenant,
        digest=digest,
        family=family,
        made=moment(made),
        expires=moment(expires),
        used=moment(used) if used is not None else None,
    )


APPLY: dict[type, Apply] = {
    PutFamily: put_family,
    PutRefreshToken: put_refresh_token,
    UseRefreshToken: use_refresh_token,
}
