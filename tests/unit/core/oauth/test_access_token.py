# SPDX-License-Identifier: Apache-2.0
"""Access tokens claim by claim: what is written, what is read back, and what each refusal is called."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from remit.core.errors import Malformed, Unauthenticated
from remit.core.identity.principals import Actor
from remit.core.identity.workload import Assurance, AttestationMethod, Confirmation
from remit.core.label import Label, Trust
from remit.core.oauth.access_token import (
    LABEL_CLAIM,
    TOKEN_TYPE,
    AccessClaims,
    label_in,
    validate,
    wrong_audience,
)
from remit.core.tasks.task import MAX_CHAIN
from tests.worlds.values import START

Json = Any

ISSUER = "https://remit.test"
FILES = "https://remit.test/mcp/files"
AT = int(START.timestamp())
LABEL = Label("restricted", frozenset({"health", "pay"}), Trust.UNTRUSTED, frozenset({"web", "lab"}))
CLAIMS = AccessClaims(
    issuer=ISSUER,
    audience=(FILES,),
    subject="person:ada",
    client_id="bot",
    token_id="tok_1",
    issued=AT,
    expires=AT + 300,
    tenant="default",
    task="tsk_1",
    authority_hash="sha-256:x",
    chain=(Actor("bot"), Actor("planner", "service"), Actor("root")),
    assurance=Assurance.ASSERTED,
    attestation=AttestationMethod.PRIVATE_KEY,
    confirmation=Confirmation(jkt="k", x5t_s256="c"),
    scope="files:read",
    grant_id="fam_1",
    label=LABEL,
)
WIRE: dict[str, Json] = {
    "iss": ISSUER,
    "aud": FILES,
    "sub": "person:ada",
    "client_id": "bot",
    "jti": "tok_1",
    "iat": AT,
    "exp": AT + 300,
    "tenant": "default",
    "assurance": Assurance.ASSERTED.word,
    "sub_profile": "user",
    "attestation": AttestationMethod.PRIVATE_KEY.value,
    "scope": "files:read",
    "grant_id": "fam_1",
    LABEL_CLAIM: {
        "class": "restricted",
        "trust": "untrusted",
        "categories": ["health", "pay"],
        "zones": ["lab", "web"],
    },
    "cnf": {"jkt": "k", "x5t#S256": "c"},
}


def read(wire: dict[str, Json], *, typ: Json = TOKEN_TYPE, late_s: float = 0) -> AccessClaims:
    """Validate claims, so many seconds after they were issued."""
    header = {} if typ is None else {"typ": typ}
    now = START + timedelta(seconds=late_s)
    return validate(header, wire, issuer=ISSUER, audiences={FILES}, now=now)


def refusal(wire: dict[str, Json], **more: Any) -> str:
    """Return the code by which claims are refused."""
    with pytest.raises(Unauthenticated) as refused:
        read(wire, **more)
    return refused.value.code


def test_a_token_says_all_that_it_was_made_of() -> None:
    """Every claim is on the wire, and every one is read back."""
    wire = CLAIMS.to_wire()
    assert {name: wire[name] for name in WIRE} == WIRE
    assert set(wire) == {*WIRE, "mission", "act"}
    assert read(wire) == CLAIMS
    acts = []
    act = wire["act"]
    while act is not None:
        acts.append((act["sub"], act["iss"]))
        act = act.get("act")
    assert acts == [("bot", ISSUER), ("planner", ISSUER), ("root", ISSUER)]


def test_what_there_is_nothing_of_is_not_said() -> None:
    """An agent's own token without a task has no claim about persons, chains, keys, labels and scopes."""
    bare = AccessClaims(
        issuer=ISSUER,
        audience=(FILES, "https://remit.test/api"),
        subject="bot",
        client_id="bot",
        token_id="tok_1",
        issued=AT,
        expires=AT + 300,
        tenant="default",
        label=Label(),
    )
    wire = bare.to_wire()
    assert set(wire) == {
        "iss",
        "aud",
        "sub",
        "client_id",
        "jti",
        "iat",
        "exp",
        "tenant",
        "assurance",
        "sub_profile",
    }
    assert wire["aud"] == [FILES, "https://remit.test/api"]
    assert read(wire) == msgspec.structs.replace(bare, label=None)
    assert bare.on_behalf_of == ""


@pytest.mark.parametrize(
    ("late_s", "code"),
    [(-5, ""), (-6, "token-not-yet-valid"), (304, ""), (305, "token-expired")],
)
def test_a_token_holds_from_its_time_to_its_time(late_s: int, code: str) -> None:
    """Clocks may differ by five seconds, and no more."""
    wire = CLAIMS.to_wire()
    if code:
        assert refusal(wire, late_s=late_s) == code
    else:
        assert read(wire, late_s=late_s) == CLAIMS


def test_a_token_of_tomorrow_is_not_yet_valid() -> None:
    """The later of `nbf` and `iat` counts."""
    assert refusal({**CLAIMS.to_wire(), "nbf": AT + 6}) == "token-not-yet-valid"
    assert read({**CLAIMS.to_wire(), "nbf": AT + 5}) == CLAIMS
    assert read({**CLAIMS.to_wire(), "nbf": AT - 600}) == CLAIMS


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"iss": "https://else.test"}, "token-issuer"),
        ({"aud": "https://else.test"}, "token-audience"),
        ({"aud": []}, "token-audience"),
        ({"aud": ["https://else.test"]}, "token-audience"),
        ({"aud": 1}, "token-claims"),
        ({"sub": None}, "token-claims"),
        ({"assurance": "certain"}, "token-claims"),
        ({"attestation": "a nod"}, "token-claims"),
        ({"exp": "soon"}, "token-claims"),
        ({"mission": {"id": 1, "mission_id": 1, "authority_hash": 1}}, "token-claims"),
        ({"cnf": {"jwk": {}}}, "token-claims"),
        ({"cnf": {"jkt": 1}}, "token-claims"),
        ({"cnf": {"jkt": "k", "kid": "x"}}, "token-claims"),
        ({"act": "bot"}, "invalid-token"),
        ({"act": {"sub": 1}}, "invalid-token"),
        ({"act": {"iss": ISSUER}}, "invalid-token"),
        ({"act": {"sub": "bot", "act": "root"}}, "invalid-token"),
        ({"act": {"sub": "another"}}, "token-task"),
        ({LABEL_CLAIM: None}, "token-claims"),
        ({LABEL_CLAIM: {}}, "token-claims"),
        ({LABEL_CLAIM: {"class": "x" * 81}}, "token-claims"),
        ({LABEL_CLAIM: {"class": "public", "trust": "somewhat"}}, "token-claims"),
        ({LABEL_CLAIM: {"class": "public", "zones": ["z"] * 65}}, "token-claims"),
    ],
)
def test_a_claim_that_does_not_fit_is_refused_by_name(changes: dict[str, Json], code: str) -> None:
    """Each by its code: what is not understood is never passed over."""
    assert refusal({**CLAIMS.to_wire(), **changes}) == code


@pytest.mark.parametrize(
    "name", ["iss", "aud", "sub", "client_id", "jti", "iat", "exp", "tenant", "assurance"]
)
def test_a_token_without_a_claim_that_must_be_there_is_refused(name: str) -> None:
    """RFC 9068 section 2.2, and what remit needs."""
    wire = CLAIMS.to_wire()
    del wire[name]
    assert refusal(wire) == "token-claims"


def test_only_an_access_token_is_one() -> None:
    """By its type, which may be written as a media type (RFC 9068 section 4)."""
    for typ in (None, "JWT", "application/jwt", ""):
        assert refusal(CLAIMS.to_wire(), typ=typ) == "token-type"
    for typ in ("AT+JWT", "application/at+jwt"):
        assert read(CLAIMS.to_wire(), typ=typ) == CLAIMS


def test_one_audience_of_several_is_enough() -> None:
    """Endpoints see for themselves whether it is theirs."""
    assert read({**CLAIMS.to_wire(), "aud": ["https://else.test", FILES]}).audience == (
        "https://else.test",
        FILES,
    )


@pytest.mark.parametrize(("more", "code"), [(0, ""), (1, "chain")])
def test_a_chain_has_at_most_its_bound(more: int, code: str) -> None:
    """A longer one is refused when it is written, and when it is read."""
    chain = (Actor("bot"), *(Actor(f"a{n}") for n in range(MAX_CHAIN - 1 + more)))
    long = msgspec.structs.replace(CLAIMS, chain=chain)
    if not code:
        assert read(long.to_wire()).chain == chain
        return
    with pytest.raises(Malformed) as refused:
        long.to_wire()
    assert refused.value.code == code
    act: Json = None
    for actor in reversed(chain):
        act = {"sub": actor.name} | ({"act": act} if act else {})
    assert refusal({**CLAIMS.to_wire(), "act": act}) == "invalid-token"


def test_an_actor_that_does_not_say_what_it_is_is_an_agent() -> None:
    """As chains of others have it."""
    wire = {**CLAIMS.to_wire(), "act": {"sub": "bot", "act": {"sub": "root"}}}
    assert read(wire).chain == (Actor("bot"), Actor("root"))


def test_whose_work_it_is_follows_from_the_chain() -> None:
    """A person is neither the agent that acts, nor the one at the end of a chain."""
    replace = msgspec.structs.replace
    assert CLAIMS.on_behalf_of == "person:ada"
    assert replace(CLAIMS, subject="root").on_behalf_of == ""
    assert replace(CLAIMS, subject="bot").on_behalf_of == ""
    assert replace(CLAIMS, subject="root", chain=(Actor("root"),)).on_behalf_of == "root"
    assert CLAIMS.principal.chain == CLAIMS.chain
    assert replace(CLAIMS, chain=()).principal.chain == (Actor("bot"),)


def test_a_label_that_says_less_is_untrusted() -> None:
    """What is not said of data is the worst."""
    assert label_in({}) is None
    assert label_in({LABEL_CLAIM: {"class": "public"}}) == Label("public", trust=Trust.UNTRUSTED)
    with pytest.raises(Unauthenticated) as refused:
        label_in({LABEL_CLAIM: "public"})
    assert refused.value.code == "token-claims"


def test_a_token_for_another_audience_is_refused_in_the_first_step() -> None:
    """With the resource to ask for, where it is known."""
    assert (wrong_audience().code, wrong_audience().step) == ("token-audience", 1)
    assert FILES in str(wrong_audience(FILES))


def test_an_assumed_part_that_is_too_long_for_a_token_counts_as_known() -> None:
    """A token stays small; leaving the assumption out can only keep a label high."""
    names = [f"read sha256:{number} desk/{number}" for number in range(13)]
    worst = Label("restricted", trust=Trust.UNTRUSTED)
    for keys, assumed in ((names[:12], True), (names, False)):
        label = worst.assuming(Label(), frozenset(keys))
        back = label_in(msgspec.structs.replace(CLAIMS, label=label).to_wire())
        assert back is not None
        assert back.known == worst
        assert back == (label if assumed else worst)
