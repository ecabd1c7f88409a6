# SPDX-License-Identifier: Apache-2.0
"""Applies changes about agents and people: registrations, delegations, findings; and finds findings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from remit.adapters.store.relational import reads
from remit.adapters.store.relational.sql import Sql, upsert
from remit.adapters.store.relational.timestamps import micros, text
from remit.core.errors import ChangedMeanwhile, Conflict
from remit.core.findings.finding import Finding
from remit.core.identity.principals import Agent, AgentState, Person, overlaps
from remit.core.identity.workload import workload_of
from remit.core.tasks.delegation_record import Delegation
from remit.ports.store.changes import (
    EndCredentials,
    PutAgent,
    PutFinding,
    PutLastProof,
    PutPerson,
    UseAgent,
    UseCredential,
    UseDelegation,
    UsePerson,
)

_PUT_PROOF = upsert("last_proofs", 3, "tenant, agent", "body")
_PUT_FINDING = upsert(
    "findings", 9, "tenant, id", "about", "state", "seen", "body", "kind", "severity", "owner"
)

Apply = Callable[[Sql, Any], None]


def put_agent(sql: Sql, change: PutAgent) -> None:
    """Insert or replace an agent."""
    agent = change.agent
    if change.was is not None:
        _check_same(sql, "agents", agent.tenant, change.was)
    _put_named(sql, "agents", (agent.tenant, agent.name, text(agent)), change.expect_new)
    sql.execute("delete from bindings where tenant = ? and agent = ?", (agent.tenant, agent.name))
    for binding in agent.bindings:
        workload = workload_of(binding)
        for other in bound_to(sql, agent.tenant, workload):
            if other.name != agent.name and any(overlaps(binding, theirs) for theirs in other.bindings):
                raise Conflict(
                    f"`{workload[:200]}` is bound to agent `{other.name}`",
                    code="workload-taken",
                    remediation="one workload is one agent: unbind it there first "
                    f"(`remit agent unbind {other.name} {workload[:200]}`)",
                )
        sql.execute(
            "insert into bindings values (?, ?, ?) on conflict do nothing",
            (agent.tenant, workload, agent.name),
        )


def bound_to(sql: Sql, tenant: str, workload: str) -> list[Agent]:
    """Return the agents with a binding to a workload, sorted by name."""
    rows = sql.execute(
        "select a.body from bindings b join agents a on a.tenant = b.tenant and a.name = b.agent"
        " where b.tenant = ? and b.workload = ? order by a.name",
        (tenant, workload),
    )
    return [msgspec.json.decode(body, type=Agent) for (body,) in rows]


def use_agent(sql: Sql, change: UseAgent) -> None:
    """Refuse unless the agent may act; activate an agent that was only registered."""
    where = (change.tenant, change.name)
    row = sql.execute("select body from agents where tenant = ? and name = ?", where).fetchone()
    agent = msgspec.json.decode(row[0], type=Agent) if row else None
    if agent is None or not agent.usable:
        state = agent.state.value if agent else "unknown"
        raise Conflict(f"agent `{change.name}` is {state}", remediation="ask its owner")
    if agent.state is AgentState.REGISTERED:
        active = msgspec.structs.replace(agent, state=AgentState.ACTIVE)
        sql.execute("update agents set body = ? where tenant = ? and name = ?", (text(active), *where))


def put_last_proof(sql: Sql, change: PutLastProof) -> None:
    """Store how an agent last authenticated."""
    proof = change.proof
    sql.execute(_PUT_PROOF, (proof.tenant, proof.agent, text(proof)))


def put_person(sql: Sql, change: PutPerson) -> None:
    """Insert or replace a person."""
    person = change.person
    if change.was is not None:
        _check_same(sql, "people", person.tenant, change.was)
    _put_named(sql, "people", (person.tenant, person.name, text(person)), change.expect_new)


def use_person(sql: Sql, change: UsePerson) -> None:
    """Refuse unless the person exists and is active."""
    row = sql.execute(
        "select body from people where tenant = ? and name = ?", (change.tenant, change.name)
    ).fetchone()
    if row is None or not msgspec.json.decode(row[0], type=Person).active:
        state = "not active" if row else "not known"
        raise Conflict(f"`{change.name}` is {state}", remediation="ask an administrator")


def use_delegation(sql: Sql, change: UseDelegation) -> None:
    """Refuse unless the delegation exists and is live."""
    row = sql.execute(
        "select body from delegations where tenant = ? and id = ?", (change.tenant, change.id)
    ).fetchone()
    if row is None or not msgspec.json.decode(row[0], type=Delegation).live_at(change.now):
        raise Conflict(
            f"delegation `{change.id}` was revoked or has expired",
            remediation="ask the person for a new one (`remit delegation add`)",
        )


def put_finding(sql: Sql, change: PutFinding) -> None:
    """Insert or replace a finding; refuse if another change came between."""
    one = change.finding
    if change.over is not None:
        query = "select body from findings where tenant = ? and id = ?"
        row = sql.execute(query, (one.tenant, one.id)).fetchone()
        if (msgspec.json.decode(row[0], type=Finding).revision if row else -1) != change.over:
            raise ChangedMeanwhile(
                f"finding `{one.id}` has changed meanwhile", remediation="look at it again, and repeat"
            )
    seen = micros(one.last_seen)
    key = (one.tenant, one.id, one.about, one.state.value)
    sql.execute(_PUT_FINDING, (*key, seen, text(one), one.kind.value, one.severity.value, one.owner))


def findings(connection: Sql, tenant: str, kinds: list[str], limit: int, /, **wanted: str) -> list[Finding]:
    """Return findings, most recently seen first; no `kinds` are all kinds.

    During an upgrade another version writes rows without kind, severity and owner: they are returned by their
    kinds, and whatever severity and owner are wanted.
    """
    columns = {column: value for column, value in wanted.items() if value}
    where = "".join(
        f" and ({column} = ? or kind = '')" if column in ("severity", "owner") else f" and {column} = ?"
        for column in columns
    )
    if kinds:
        many = len(kinds)
        kinds = [*kinds, *(f'%"kind":"{one}","about":%' for one in kinds)]
        bodies = " or ".join(["body like ?"] * many)
        where += f" and (kind in ({', '.join('?' * many)}) or kind = '' and ({bodies}))"
    query = f"select body from findings where tenant = ?{where} order by seen desc limit ?"  # noqa: S608
    return reads.bodies(connection, Finding, query, tenant, *columns.values(), *kinds, limit)


def use_credential(sql: Sql, change: UseCredential) -> None:
    """Refuse unless the credential exists."""
    where = (change.tenant, change.digest)
    if not sql.execute("select 1 from credentials where tenant = ? and digest = ?", where).fetchone():
        raise Conflict("that session has ended", code="credential", remediation="sign in again")


def end_credentials(sql: Sql, change: EndCredentials) -> None:
    """Delete a person's sessions and codes."""
    sql.execute(
        "delete from credentials where tenant = ? and person = ?",
        (change.tenant, change.person),
    )


def _put_named(sql: Sql, table: str, row: tuple[str, str, str], expect_new: bool) -> None:
    end = "nothing" if expect_new else "update set body = excluded.body"
    statement = f"insert into {table} values (?, ?, ?) on conflict (tenant, name) do {end}"  # noqa: S608
    if sql.execute(statement, row).rowcount == 0:
        raise Conflict(f"the name `{row[1]}` is taken", remediation="choose another name")


def _check_same(sql: Sql, table: str, tenant: str, was: Agent | Person) -> None:
    statement = f"select body from {table} where tenant = ? and name = ?"  # noqa: S608
    row = sql.execute(statement, (tenant, was.name)).fetchone()
    if row is None or msgspec.json.decode(row[0], type=type(was)) != was:
        raise ChangedMeanwhile(
            f"`{was.name}` was changed by another person in the meantime",
            remediation="review it again, and repeat your change if still needed",
        )


#: The handler of each kind of change.
APPLY: dict[type, Apply] = {
    PutAgent: put_agent,
    UseAgent: use_agent,
    PutLastProof: put_last_proof,
    PutPerson: put_person,
    UsePerson: use_person,
    UseDelegation: use_delegation,
    PutFinding: put_finding,
    UseCredential: use_credential,
    EndCredentials: end_credentials,
}
