# SPDX-License-Identifier: Apache-2.0
"""Laws of access tokens: what is written is read back, chains are whole and bounded, nothing widens."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from remit.core.errors import Malformed, RemitError, Unauthenticated
from remit.core.identity.principals import Actor
from remit.core.identity.workload import Assurance, AttestationMethod, Confirmation
from remit.core.oauth.access_token import TOKEN_TYPE, AccessClaims, validate
from remit.core.oauth.mission import asked_grants
from remit.core.oauth.resource import Resources
from remit.core.tasks.grant import Grant
from remit.core.tasks.task import MAX_CHAIN
from tests.refusals import refused
from tests.worlds.values import START

Json = Any

ISSUER = "https://remit.test"
RESOURCES = Resources(ISSUER, ("files", "mail"))
NAMES = st.text("abcdefghij-", min_size=1, max_size=8)
AT = int(START.timestamp())


@st.composite
def claims(draw: st.DrawFn) -> AccessClaims:
    """Return claims of any chain, proof and audience."""
    chain = tuple(draw(st.lists(NAMES, min_size=1, max_size=12, unique=True)))
    person = draw(st.one_of(st.none(), NAMES.map(lambda name: f"person:{name}")))
    return AccessClaims(
        issuer=ISSUER,
        audience=tuple(
            draw(st.lists(st.sampled_from([RESOURCES.joined, RESOURCES.api]), min_size=1, unique=True))
        ),
        subject=person or chain[-1],
        client_id=chain[0],
        token_id="tok_1",
        issued=AT,
        expires=AT + 300,
        tenant="default",
        task=draw(st.sampled_from(["", "tsk_1"])),
        authority_hash="sha-256:x",
        chain=tuple(Actor(name) for name in chain),
        assurance=draw(st.sampled_from(Assurance)),
        attestation=draw(st.one_of(st.none(), st.sampled_from(AttestationMethod))),
        confirmation=draw(
            st.builds(Confirmation, jkt=st.sampled_from(["", "k"]), x5t_s256=st.sampled_from(["", "c"]))
        ),
        grant_id=draw(st.sampled_from(["", "fam_1"])),
    )


def read(wire: dict[str, Json]) -> AccessClaims:
    """Read claims back."""
    return validate({"typ": TOKEN_TYPE}, wire, issuer=ISSUER, audiences=RESOURCES, now=START)


@given(claims())
def test_a_chain_is_whole_or_refused(given: AccessClaims) -> None:
    """What is written is read back as it was; a chain that is too long is refused, and never cut."""
    if len(given.chain) > MAX_CHAIN:
        with refused("chain", Malformed):
            given.to_wire()
        return
    found = read(given.to_wire())
    assert found.principal == given.principal
    assert (found.audience, found.task, found.grant_id) == (given.audience, given.task, given.grant_id)


@given(st.integers(1, 40))
def test_a_chain_from_elsewhere_is_bounded(depth: int) -> None:
    """However deep `act` is nested, no more than the bound is taken."""
    act: dict[str, Json] = {"sub": f"bot-{depth}"}
    for number in range(depth - 1, 0, -1):
        act = {"sub": f"bot-{number}", "act": act}
    wire = {
        **AccessClaims(
            issuer=ISSUER,
            audience=(RESOURCES.joined,),
            subject="person:ada",
            client_id="bot-1",
            token_id="tok_1",
            issued=AT,
            expires=AT + 300,
            tenant="default",
        ).to_wire(),
        "act": act,
    }
    if depth > MAX_CHAIN:
        with refused("invalid-token", Unauthenticated):
            read(wire)
    else:
        assert len(read(wire).chain) == depth


ENTRY = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["mission_resource_access", "other"]),
        "resource": st.sampled_from([RESOURCES.of("files"), RESOURCES.joined, "https://other.test"]),
        "actions": st.lists(st.sampled_from(["read", "files__read", "mail__send", "", "a b"]), max_size=3),
    },
    optional={
        "constraints": st.dictionaries(
            st.sampled_from(["arguments", "other_arguments", "ceilings", "max_amount", "recipient_domain"]),
            st.sampled_from([{}, {"path": {"prefix": "a/"}}, True, {"calls": 1}, "x"]),
            max_size=2,
        ),
        "delegation": st.just({"max_depth": 3}),
    },
)


def attempt(details: list[Json]) -> tuple[tuple[Grant, ...], str]:
    """Read details; gives the grants, or the code of the refusal."""
    try:
        return asked_grants(details, RESOURCES), ""
    except RemitError as error:
        return (), error.code


@given(st.lists(ENTRY, max_size=4))
def test_what_is_asked_for_is_understood_or_refused(details: list[Json]) -> None:
    """Each entry becomes grants of exactly its tools, or the whole is refused: nothing is left out."""
    found, fault = attempt(details)
    if fault:
        assert fault == "invalid_authorization_details"
        return
    known = {"arguments", "other_arguments", "ceilings"}
    assert all(set(entry.get("constraints", {})) <= known and "delegation" not in entry for entry in details)
    # At the joined address a tool bears its upstream's name; elsewhere its own, whatever that is.
    named = {
        action.replace("__", "/", 1) if one["resource"] == RESOURCES.joined else f"files/{action}"
        for one in details
        for action in one["actions"]
    }
    assert {grant.tool for grant in found} == named
    for grant in found:
        held = Grant(grant.tool, {"path": {"exact": "a/b"}})
        assert held.attenuate(grant).permits({"path": "a/c"})
