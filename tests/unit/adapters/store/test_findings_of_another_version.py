# SPDX-License-Identifier: Apache-2.0
"""Findings that a replica of an older version writes during an upgrade: without the columns of this one."""

from pathlib import Path

import psycopg
import pytest

from remit.adapters.store.sqlite import SqliteStore
from remit.core.findings.finding import Finding, FindingState, finding_id
from remit.core.findings.kinds import FindingKind, Severity
from remit.core.findings.meanings import OBSERVED
from remit.ports.store.changes import PutFinding
from remit.ports.store.units import Unit
from tests.worlds.stores import opened_postgres, opened_sqlite
from tests.worlds.values import START, TENANT

AS_BEFORE = "update {}findings set kind = '', severity = 'medium', owner = ''"


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_they_are_found_by_their_kind(
    tmp_path: Path, request: pytest.FixtureRequest, kind: str
) -> None:
    """A decision that asks for an agent's findings would miss them otherwise."""
    url = request.getfixturevalue("postgres") if kind == "postgres" else ""
    store = opened_postgres(url) if url else opened_sqlite(tmp_path)
    shared, exposed = (
        Finding(
            tenant=TENANT,
            id=finding_id(kind_of, "agent:x", ""),
            kind=kind_of,
            about="agent:x",
            first_seen=START,
            last_seen=START,
            owner="lena",
        )
        for kind_of in (FindingKind.SHARED_KEY, FindingKind.SECRET_EXPOSED)
    )
    await store.commit(Unit((PutFinding(shared), PutFinding(exposed))))
    if url:
        with psycopg.connect(url) as connection:
            connection.execute(AS_BEFORE.format("remit."))
    else:
        assert isinstance(store, SqliteStore)
        store._connections[0].execute(AS_BEFORE.format(""))
    assert await store.findings(TENANT, state=FindingState.OPEN, kinds=OBSERVED) == [shared]
    assert await store.findings(TENANT, kinds=(FindingKind.OWNERLESS,)) == []
    assert await store.findings(TENANT, kinds=OBSERVED, owner="lena", severity=Severity.HIGH) == [shared]
    await store.close()
