# SPDX-License-Identifier: Apache-2.0
"""A store with a row of each table that the log covers, what others do to it, and the audits of rows."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from remit.adapters.keys.file import FileCheckpointKeys
from remit.adapters.log.file import FileHeadKeeper
from remit.adapters.store.relational.subject_keys import STATE
from remit.core.canonical import encode
from remit.core.evidence.merkle import leaf_hash
from remit.core.findings.kinds import FindingKind
from remit.core.identity.passkey import Link, Passkey
from remit.core.identity.workload import KeyBinding
from remit.core.scope import ScopeKind, scope
from remit.ports.store.changes import (
    Credential,
    Pin,
    PutAgent,
    PutApproval,
    PutCredential,
    PutDelegation,
    PutLink,
    PutPasskey,
    PutPerson,
    PutPin,
    PutTask,
    RaiseFence,
)
from remit.ports.store.store import Store
from remit.ports.store.units import Unit
from remit.services.evidence.log import Evidence
from remit.services.evidence.log_audit import LogAudit
from remit.services.evidence.state_audit import PACE, StateAudit
from remit.services.findings.findings import Findings
from tests.worlds.values import (
    START,
    TENANT,
    WorldClock,
    a_delegation,
    a_person,
    a_task,
    an_agent,
    an_approval,
    an_event,
)

NOW = START
AGENT_SCOPE = scope(ScopeKind.AGENT, "contract-bot")


def a_binding(key: str) -> KeyBinding:
    """Return a binding to a key."""
    return KeyBinding({"kty": "OKP", "crv": "Ed25519", "x": key * 43})


async def fill(store: Store) -> None:
    """Write a row of each table."""
    session = Credential(
        tenant=TENANT, digest="c", kind="session", person="lena", created=NOW, expires=NOW + timedelta(days=9)
    )
    passkey = Passkey(tenant=TENANT, id="p", person="lena", public_key="k", made=NOW)
    changes = (
        PutAgent(an_agent(bindings=(a_binding("a"),)), expect_new=True),
        PutPerson(a_person(), expect_new=True),
        PutTask(a_task()),
        PutTask(a_task("task_two")),
        RaiseFence(TENANT, AGENT_SCOPE, locked=True),
        PutApproval(an_approval()),
        PutPin(Pin(TENANT, "git/log", "sha256:a", {}, "sha256:a", {})),
        PutCredential(session),
        PutDelegation(a_delegation(), expect_new=True),
        PutPasskey(passkey),
        PutLink(Link(tenant=TENANT, issuer="https://idp", subject="s", person="lena", made=NOW)),
    )
    await store.commit(Unit(changes, (an_event(),)))


class Watch:
    """The audits of a store."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.clock = WorldClock()
        self.findings = Findings(store=store, clock=self.clock, tenant=TENANT)
        origin = f"remit/{TENANT}"
        keys = FileCheckpointKeys(folder / "keys", origin, self.clock)
        heads = FileHeadKeeper(folder / "heads")
        shared: dict[str, Any] = {"store": store, "tenant": TENANT}
        evidence = Evidence(heads=heads, keys=keys, clock=self.clock, origin=origin, **shared)
        known: dict[str, Any] = {"evidence": evidence, "findings": self.findings, **shared}
        self.log = LogAudit(**known)
        self.rows = StateAudit(
            store=store, log_reading=self.log, findings=self.findings, clock=self.clock, tenant=TENANT
        )

    async def whole_pass(self, *, audited: bool = True) -> set[str]:
        """Compare every row with the log once; return the tables with a finding.

        Unless `audited` is false, the log is read before, and must hold.
        """
        while audited and self.log.state == "reading":
            await self.log.turn()
        assert self.log.state == "holds" or not audited
        until = self.rows.passes + 2
        while self.rows.passes < until:
            self.clock.advance(PACE.total_seconds())
            await self.rows.turn()
        found = await self.findings.about()
        assert all(one.kind is FindingKind.STATE_CHANGED for one in found)
        return {str(one.facts["table"]) for one in found}


#: By table: the statement that changes its row, and one that adds a row.
CHANGED = {
    "agents": "update agents set body = replace(body, 'lena', 'eve')",
    "people": "update people set body = replace(body, 'lena', 'eve')",
    "tasks": "update tasks set deadline = deadline + 1 where id = 'task_two'",
    "fences": "update fences set epoch = 0, locked = 0",
    "approvals": "update approvals set state = 'approved'",
    "pins": "update pins set body = replace(body, 'sha256:a', 'sha256:b')",
    "credentials": "update credentials set expires = expires + 1",
    "delegations": "update delegations set person = 'eve'",
    "passkeys": "update passkeys set person = 'eve'",
    "links": "update links set person = 'eve'",
}
KEYS = {"agents": "name", "people": "name", "tasks": "id", "fences": "scope", "approvals": "id"} | {
    "pins": "tool", "credentials": "digest", "delegations": "id", "passkeys": "id",
    "links": "subject",
}  # fmt: skip

#: By table: what a decision that rests on its row reads.
READS: dict[str, Callable[[Store], Awaitable[object]]] = {
    "agents": lambda store: store.agent(TENANT, "contract-bot"),
    "people": lambda store: store.person(TENANT, "lena"),
    "tasks": lambda store: store.task(TENANT, "task_two"),
    "approvals": lambda store: store.approval(TENANT, an_approval().id),
    "pins": lambda store: store.pins(TENANT),
    "credentials": lambda store: store.credential(TENANT, "c"),
    "delegations": lambda store: store.delegation(TENANT, a_delegation().id),
    "passkeys": lambda store: store.passkey(TENANT, "p"),
    "links": lambda store: store.link(TENANT, "https://idp", "s"),
}


def without_record(folder: Path) -> None:
    """Make a store one of an older version: no event says rows, and there is no key for them."""
    with sqlite3.connect(folder / "remit.db") as file:
        for index, leaf in file.execute("select idx, leaf from events").fetchall():
            record = {name: value for name, value in json.loads(leaf).items() if name != "state"}
            old = encode(record)
            file.execute(
                "update events set leaf = ?, leaf_hash = ? where idx = ?", (old, leaf_hash(old), index)
            )
        file.execute("delete from state_events")
        file.execute("delete from subject_keys where subject = ?", (STATE,))
