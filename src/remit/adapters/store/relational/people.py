# SPDX-License-Identifier: Apache-2.0
"""Applies changes about people at their browsers: tickets, passkeys, account links."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec

from remit.adapters.store.relational.sql import Sql, upsert
from remit.adapters.store.relational.timestamps import micros, text
from remit.core.errors import Conflict
from remit.core.identity.passkey import Link, Passkey
from remit.core.oauth.one_time_code import OneTimeCode
from remit.ports.store.changes import (
    DropLink,
    DropPasskey,
    PutLink,
    PutOneTimeCode,
    PutPasskey,
    UseOneTimeCode,
    UsePasskey,
)

Apply = Callable[[Sql, Any], None]

_PUT_LINK = upsert("links", 5, "tenant, issuer, subject", "person", "body")

#: A ticket is kept this long past its expiry, so that a late second use is distinguished from a wrong one.
GRACE = timedelta(hours=1)


def put_ticket(sql: Sql, change: PutOneTimeCode) -> None:
    """Store a ticket, and drop those that expired long before."""
    ticket = change.ticket
    sql.execute(
        "delete from tickets where tenant = ? and expires < ?",
        (ticket.tenant, micros(ticket.created - GRACE)),
    )
    sql.execute(
        "insert into tickets values (?, ?, ?, ?)",
        (ticket.tenant, ticket.digest, micros(ticket.expires), text(ticket)),
    )


def use_ticket(sql: Sql, change: UseOneTimeCode) -> None:
    """Mark a ticket as used."""
    where = (change.tenant, change.digest)
    row = sql.execute("select body from tickets where tenant = ? and digest = ?", where).fetchone()
    ticket = msgspec.json.decode(row[0], type=OneTimeCode) if row else None
    if ticket is None or not ticket.open_at(change.now):
        state = "not known" if ticket is None else "already used" if ticket.used else "too old"
        raise Conflict(f"this is {state}", code="ticket", remediation="start again")
    used = msgspec.structs.replace(ticket, used=change.now, outcome=change.outcome)
    sql.execute("update tickets set body = ? where tenant = ? and digest = ?", (text(used), *where))


def put_passkey(sql: Sql, change: PutPasskey) -> None:
    """Store a new passkey."""
    passkey = change.passkey
    done = sql.execute(
        "insert into passkeys values (?, ?, ?, ?) on conflict (tenant, id) do nothing",
        (passkey.tenant, passkey.id, passkey.person, text(passkey)),
    )
    if done.rowcount == 0:
        raise Conflict("this passkey is already registered", remediation="sign in with it")


def use_passkey(sql: Sql, change: UsePasskey) -> None:
    """Record the use of a passkey; its counter must have risen."""
    where = (change.tenant, change.id)
    row = sql.execute("select body from passkeys where tenant = ? and id = ?", where).fetchone()
    if row is None:
        raise Conflict("this passkey is no longer registered", remediation="sign in another way")
    passkey = msgspec.json.decode(row[0], type=Passkey)
    # WebAuthn level 3 section 7.2 step 22.
    if (change.counter or passkey.counter) and change.counter <= passkey.counter:
        raise Conflict(
            "the counter of this passkey has not increased",
            code="passkey-counter",
            remediation="the passkey may have been copied: remove it and register another",
        )
    used = msgspec.structs.replace(passkey, counter=change.counter, last_used=change.now)
    sql.execute("update passkeys set body = ? where tenant = ? and id = ?", (text(used), *where))


def drop_passkey(sql: Sql, change: DropPasskey) -> None:
    """Delete a person's passkey."""
    done = sql.execute(
        "delete from passkeys where tenant = ? and id = ? and person = ?",
        (change.tenant, change.id, change.person),
    )
    if done.rowcount == 0:
        raise Conflict("the passkey does not exist", remediation="reload the list")


def put_link(sql: Sql, change: PutLink) -> None:
    """Store the person that an issuer's subject is linked to."""
    link = change.link
    rows = sql.execute(
        "select body from links where tenant = ? and issuer = ? and (subject = ? or person = ?)",
        (link.tenant, link.issuer, link.subject, link.person),
    ).fetchall()
    for (body,) in rows:
        found = msgspec.json.decode(body, type=Link)
        if (found.subject, found.person) != (link.subject, link.person):
            raise Conflict(
                f"`{link.person}` is linked to another account of the provider",
                code="link",
                remediation="ask an administrator",
            )
    sql.execute(
        _PUT_LINK,
        (link.tenant, link.issuer, link.subject, link.person, text(link)),
    )


def drop_link(sql: Sql, change: DropLink) -> None:
    """Delete the link between an issuer's subject and a person."""
    done = sql.execute(
        "delete from links where tenant = ? and issuer = ? and subject = ? and person = ?",
        (change.tenant, change.issuer, change.subject, change.person),
    )
    if done.rowcount == 0:
        raise Conflict("the link does not exist", remediation="reload the list")


APPLY: dict[type, Apply] = {
    PutOneTimeCode: put_ticket,
    UseOneTimeCode: use_ticket,
    PutPasskey: put_passkey,
    UsePasskey: use_passkey,
    DropPasskey: drop_passkey,
    PutLink: put_link,
    DropLink: drop_link,
}
