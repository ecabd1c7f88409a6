# SPDX-License-Identifier: Apache-2.0
"""Threat: a task's parameter ends the quotes that a grant of its database role puts around it."""

from datetime import UTC, datetime, timedelta

import pytest

from remit.adapters.broker.postgres.roles import PostgresBroker
from remit.adapters.runtime.system import SystemEntropy
from remit.core.errors import ConfigInvalid, KeyUnavailable
from remit.core.tasks.task import Intent
from remit.ports.broker import LeaseWanted
from tests.conformance.brokers import AtPostgres
from tests.servers.postgres_server import PostgresServer
from tests.worlds.values import START, a_task

LOOKS_WELL = "do $$ begin perform set_config('crm.customer', {id}, false); end $$"
BREAKS_OUT = "$$; create table crm.stolen as select * from crm.customers; do $$ begin end"


def a_broker(address: str, *grants: str) -> PostgresBroker:
    """Return one with these grants."""
    return PostgresBroker(lambda: address, grants=grants, headers=AtPostgres.HEADERS, entropy=SystemEntropy())


async def test_a_parameter_does_not_run_as_the_administrator(postgres_server: PostgresServer) -> None:
    """A body between dollars takes a literal for what it looks like, until one holds the dollars."""
    place = AtPostgres(postgres_server)
    intent = Intent(goal="look up", params={"id": BREAKS_OUT}, requested_by="lena", stated_at=START)
    task = a_task(intent=intent, deadline=datetime.now(UTC) + timedelta(hours=1))
    with pytest.raises((ConfigInvalid, KeyUnavailable)):
        await a_broker(place.admin_url, LOOKS_WELL).obtain(LeaseWanted("lse_dollars", "crm", task))
    made = postgres_server.ask("select to_regclass('crm.stolen')::text", database=place.database)
    assert made == [(None,)]


@pytest.mark.parametrize(
    "grant",
    [
        LOOKS_WELL,
        "do $body$ begin execute {id}; end $body$",
        "create policy p on t to {role} using (name = 'customer-{id}')",
        "create policy p on t to {role} using (name = E'it\\'s {id}')",
        'grant usage on schema "of_{id}" to {role}',
        "grant select on t to {role} -- for {id}\n",
        "grant select on t to {role} /* a /* b */ {id} */",
        "grant select on t to {role}; select 'open {id}",
    ],
)
def test_no_text_stands_within_other_quotes(grant: str) -> None:
    """Refused at the start, with the name that stands there."""
    with pytest.raises(ConfigInvalid, match=r"\{(id|role)\}"):
        a_broker("postgresql://localhost/x", grant)


@pytest.mark.parametrize(
    "grant",
    [
        "create policy {role} on crm.customers to {role} using (name = {id})",
        "create policy {role} on t to {role} using (name = 'customer-' || {id})",
        'grant select on "Odd ""Name" to {role}',
        "alter role {role} set crm.customer = {id}",
        "select pg_catalog.set_config('a''b', {id}, true), a$b$, {task}, c$b$",
        "do $$ begin end $$; grant select on t to {role} -- done",
    ],
)
def test_a_text_outside_of_quotes_is_taken(grant: str) -> None:
    """Quotes beside it are no matter."""
    a_broker("postgresql://localhost/x", grant)
