# SPDX-License-Identifier: Apache-2.0
"""What every store keeps to about who there is: proofs, delegation records, findings, credentials."""

import asyncio
from typing import Any

import msgspec
import pytest

from remit.core.errors import ChangedMeanwhile, Conflict
from remit.core.findings.finding import Finding, FindingState, finding_id
from remit.core.findings.kinds import FindingKind, Severity
from remit.core.identity.principals import Agent, LastProof
from remit.core.identity.workload import Assurance, Binding, IssuerBinding, SpiffeBinding
from remit.ports.store.changes import (
    Credential,
    EndCredentials,
    PutAgent,
    PutCredential,
    PutDelegation,
    PutFinding,
    PutLastProof,
    PutPerson,
    UseDelegation,
    UsePerson,
)
from remit.ports.store.store import Store
from remit.ports.store.units import Unit
from tests.conformance.stores import each_store
from tests.worlds.values import HOUR, START, TENANT, a_delegation, a_person, an_agent

pytestmark = each_store


def a_finding(which: str = "key", **changes: Any) -> Finding:
    """Return an open finding about an agent."""
    kind, about = FindingKind.SHARED_KEY, "agent:contract-bot"
    known: dict[str, Any] = {
        "tenant": TENANT,
        "id": finding_id(kind, about, which),
        "kind": kind,
        "about": about,
        "facts": {"key": which},
        "first_seen": START,
        "last_seen": START,
    }
    return Finding(**(known | changes))


async def test_the_last_proof_replaces_the_one_before(store: Store) -> None:
    """One for each agent."""
    first = LastProof(
        tenant=TENANT, agent="contract-bot", at=START, method="private_key_jwt", assurance=Assurance.KEY_BOUND
    )
    second = LastProof(
        tenant=TENANT, agent="contract-bot", at=START + HOUR, method="oidc", assurance=Assurance.ATTESTED
    )
    assert await store.last_proof(TENANT, "contract-bot") is None
    await store.commit(Unit((PutLastProof(first),)))
    await store.commit(Unit((PutLastProof(second),)))
    assert await store.last_proof(TENANT, "contract-bot") == second
    assert await store.last_proof("other", "contract-bot") is None


async def test_last_proofs_are_listed_by_agent(store: Store) -> None:
    """Each agent that ever proved its identity once, of one tenant."""
    proofs = [
        LastProof(tenant=tenant, agent=agent, at=START, method="oidc", assurance=Assurance.ATTESTED)
        for tenant, agent in ((TENANT, "b-bot"), (TENANT, "a-bot"), ("other", "c-bot"))
    ]
    await store.commit(Unit(tuple(PutLastProof(one) for one in proofs)))
    assert await store.last_proofs(TENANT) == [proofs[1], proofs[0]]
    assert await store.last_proofs("none") == []


async def test_delegation_records_are_found_by_person_and_agent(store: Store) -> None:
    """Newest first; an id is given once; a revoked record is kept."""
    one, two = a_delegation(), a_delegation("dlg_two", person="leo", made=START + HOUR)
    await store.commit(Unit((PutDelegation(one, expect_new=True), PutDelegation(two, expect_new=True))))
    with pytest.raises(Conflict):
        await store.commit(Unit((PutDelegation(one, expect_new=True),)))
    assert await store.delegations(TENANT) == [two, one]
    assert await store.delegations(TENANT, person="lena") == [one]
    assert await store.delegations(TENANT, agent="contract-bot", limit=1) == [two]
    revoked = a_delegation(revoked=START)
    await store.commit(Unit((PutDelegation(revoked),)))
    assert await store.delegation(TENANT, "dlg_one") == revoked
    assert await store.delegation("other", "dlg_one") is None


async def test_only_a_record_that_lives_is_used(store: Store) -> None:
    """Unknown, run out and revoked ones refuse the unit whole."""
    await store.commit(
        Unit((PutDelegation(a_delegation()), PutDelegation(a_delegation("dlg_gone", revoked=START))))
    )
    await store.commit(Unit((UseDelegation(TENANT, "dlg_one", START),)))
    for name, now in (("dlg_one", START + HOUR), ("dlg_gone", START), ("dlg_none", START)):
        with pytest.raises(Conflict):
            await store.commit(Unit((UseDelegation(TENANT, name, now), PutPerson(a_person("new")))))
    assert await store.person(TENANT, "new") is None


async def test_only_an_active_person_is_used(store: Store) -> None:
    """A person who was deactivated, or is not there, refuses the unit."""
    await store.commit(Unit((PutPerson(a_person()), PutPerson(a_person("gone", active=False)))))
    await store.commit(Unit((UsePerson(TENANT, "lena"),)))
    for name in ("gone", "nobody"):
        with pytest.raises(Conflict):
            await store.commit(Unit((UsePerson(TENANT, name),)))


async def test_findings_are_found_by_what_they_are_about_and_their_state(store: Store) -> None:
    """The one seen last first; one with the same id replaces."""
    old, new = a_finding(), a_finding("other", last_seen=START + HOUR)
    solved = a_finding("third", state=FindingState.RESOLVED, about="agent:x")
    await store.commit(Unit((PutFinding(old), PutFinding(new), PutFinding(solved))))
    assert await store.findings(TENANT, state=FindingState.OPEN) == [new, old]
    assert await store.findings(TENANT, about="agent:x") == [solved]
    again = a_finding(last_seen=START + 2 * HOUR, count=2)
    await store.commit(Unit((PutFinding(again),)))
    assert await store.findings(TENANT, about="agent:contract-bot") == [again, new]
    assert await store.finding(TENANT, old.id) == again
    assert await store.finding("other", old.id) is None


async def test_findings_are_found_by_kind_severity_and_owner(store: Store) -> None:
    """In the store: no number of others hides one."""
    own = a_finding(kind=FindingKind.OWNERLESS)
    exposed = a_finding("exposed", kind=FindingKind.SECRET_EXPOSED, owner="lena", last_seen=START + HOUR)
    low = a_finding(
        "low",
        kind=FindingKind.SECRET_EXPOSED,
        owner="leo",
        stated=Severity.LOW,
        state=FindingState.ACCEPTED,
        until=START + HOUR,
    )
    await store.commit(Unit((PutFinding(own), PutFinding(exposed), PutFinding(low))))
    assert await store.findings(TENANT, kinds=(FindingKind.OWNERLESS,)) == [own]
    kinds = (FindingKind.OWNERLESS, FindingKind.SECRET_EXPOSED)
    assert await store.findings(TENANT, kinds=kinds, limit=1) == [exposed]
    assert await store.findings(TENANT, severity=Severity.LOW) == [low]
    assert await store.findings(TENANT, owner="lena", severity=Severity.HIGH) == [exposed]
    assert await store.findings(TENANT, owner="leo", state=FindingState.OPEN) == []
    assert await store.findings("other", kinds=kinds) == []


async def test_a_finding_that_changed_meanwhile_is_not_replaced(store: Store) -> None:
    """Neither by a later change, nor as a new one."""
    first = a_finding()
    await store.commit(Unit((PutFinding(first, over=-1),)))
    second = msgspec.structs.replace(first, revision=1, state=FindingState.FALSE)
    await store.commit(Unit((PutFinding(second, over=0),)))
    for over in (-1, 0, 2):
        stale = PutFinding(msgspec.structs.replace(first, revision=1, count=9), over=over)
        with pytest.raises(ChangedMeanwhile):
            await store.commit(Unit((stale,)))
    assert await store.finding(TENANT, first.id) == second


async def test_all_credentials_of_one_person_end_at_once(store: Store) -> None:
    """Sessions and codes of that person in that tenant end, and those of no one else."""

    def credential(digest: str, person: str, tenant: str = TENANT) -> Credential:
        kind = "code" if digest == "b" else "session"
        return Credential(
            tenant=tenant, digest=digest, kind=kind, person=person, created=START, expires=START + HOUR
        )

    mine = [credential("a", "lena"), credential("b", "lena")]
    others = [credential("c", "leo"), credential("a", "lena", "other")]
    for one in (*mine, *others):
        await store.commit(Unit((PutCredential(one),)))
    await store.commit(Unit((EndCredentials(TENANT, "lena"),)))
    assert [await store.credential(TENANT, one.digest) for one in mine] == [None, None]
    assert await store.credential(TENANT, "c") == others[0]
    assert await store.credential("other", "a") == others[1]


def spiffe(*names: str) -> tuple[Binding, ...]:
    """Return bindings to SPIFFE IDs."""
    return tuple(SpiffeBinding(f"spiffe://example.org/{name}") for name in names)


async def test_agents_are_found_by_the_workload_that_they_are_bound_to(store: Store) -> None:
    """As their bindings are now, and in their own tenant."""
    first, second = an_agent("a", bindings=spiffe("a", "b")), an_agent("b", bindings=spiffe("c"))
    await store.commit(Unit((PutAgent(first, expect_new=True), PutAgent(second, expect_new=True))))
    assert await store.agents_bound(TENANT, "spiffe://example.org/b") == [first]
    assert await store.agents_bound("other", "spiffe://example.org/b") == []
    moved = an_agent("a", bindings=spiffe("a"))
    await store.commit(Unit((PutAgent(moved),)))
    assert await store.agents_bound(TENANT, "spiffe://example.org/b") == []
    assert await store.agents_bound(TENANT, "spiffe://example.org/a") == [moved]


async def test_no_workload_is_bound_to_two_agents(store: Store) -> None:
    """Not by insertion, not by replacement, not by two that come at once; what was refused left nothing."""
    await store.commit(Unit((PutAgent(an_agent("a", bindings=spiffe("a")), expect_new=True),)))
    with pytest.raises(Conflict, match="bound to agent"):
        await store.commit(Unit((PutAgent(an_agent("b", bindings=spiffe("b", "a")), expect_new=True),)))
    assert await store.agent(TENANT, "b") is None
    assert await store.agents_bound(TENANT, "spiffe://example.org/b") == []
    both = [an_agent(name, bindings=spiffe("x")) for name in ("c", "d")]
    done = await asyncio.gather(
        *(store.commit(Unit((PutAgent(one, expect_new=True),))) for one in both), return_exceptions=True
    )
    assert [isinstance(one, Conflict) for one in done] == [False, True]
    with pytest.raises(Conflict):
        await store.commit(Unit((PutAgent(an_agent("c", bindings=spiffe("a"))),)))
    assert await store.agent(TENANT, "c") == both[0]
    # Freed in the same unit, it is free.
    swap = (PutAgent(an_agent("a", bindings=spiffe("z"))), PutAgent(an_agent("c", bindings=spiffe("a"))))
    await store.commit(Unit(swap))
    assert [one.name for one in await store.agents_bound(TENANT, "spiffe://example.org/a")] == ["c"]


async def test_rules_of_one_subject_are_two_workloads_only_where_they_cannot_meet(store: Store) -> None:
    """Claims that both name and that share no value keep them apart; all else overlaps."""

    def rule(name: str, **claims: str | list[str]) -> Agent:
        return an_agent(name, bindings=(IssuerBinding("https://issuer.example", "repo:a/b", claims),))

    main, other = rule("main", ref="refs/heads/main"), rule("next", ref=["refs/heads/next", "refs/heads/dev"])
    await store.commit(Unit((PutAgent(main, expect_new=True), PutAgent(other, expect_new=True))))
    found = await store.agents_bound(TENANT, "https://issuer.example#repo:a/b")
    assert [one.name for one in found] == ["main", "next"]
    for name, claims in (("x", {}), ("y", {"ref": "refs/heads/*"}), ("z", {"environment": "prod"})):
        with pytest.raises(Conflict):
            await store.commit(Unit((PutAgent(rule(name, **claims), expect_new=True),)))
