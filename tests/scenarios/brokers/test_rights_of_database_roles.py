# SPDX-License-Identifier: Apache-2.0
"""What a leased database role may do beyond its rows is told beforehand, or refused."""

import pytest

from remit.adapters.broker.postgres.roles import role_of
from remit.core.errors import NothingDone
from tests.conformance.brokers import AtPostgres
from tests.servers.postgres_server import PostgresServer
from tests.worlds.database_roles import MAKER, broker_of, place, wanted

__all__ = ["place"]


@pytest.mark.parametrize("attribute", ["createrole", "createdb"])
async def test_no_lease_makes_roles_or_databases(place: AtPostgres, attribute: str) -> None:
    """What it made so would outlive it, and nothing tells whose it was."""
    place.let(attribute)
    broker = broker_of(place, f"alter role {{role}} {attribute}")
    with pytest.raises(NothingDone) as refused:
        await broker.obtain(wanted("lse_making"))
    assert refused.value.code == "lease-unbounded"
    assert role_of("lse_making") not in place.roles()


async def test_what_a_lease_may_beyond_its_rows_is_told_beforehand(
    place: AtPostgres, postgres_server: PostgresServer
) -> None:
    """Nothing is left of the look, and a role that may read and write rows alone has nothing to tell of."""
    postgres_server.ask("grant create on schema public to public", database=place.database)
    broker = broker_of(place, *MAKER, "grant trigger on crm.customers to {role}")
    told = " ".join(says for says, _ in await broker.beyond_rows())
    for part in (
        "create in schema `crm`, `public`",
        "`temp`",
        "connect to database `",
        "triggers on `crm.customers`",
    ):
        assert part in told
    assert place.roles() == set()
    postgres_server.ask("revoke create on schema public from public", database=place.database)
    postgres_server.ask(f"revoke temp on database {place.database} from public")
    told = " ".join(says for says, _ in await broker_of(place, *place.GRANTS).beyond_rows())
    assert "create" not in told
    assert "`temp`" not in told
    assert "trigger" not in told
