# SPDX-License-Identifier: Apache-2.0
"""The decisions and searches of AuthZEN's certification scenario for the Authorization API 1.0.

The facts are those of the OpenID AuthZEN working group's scenario: subjects, records, eight decisions, six
searches, and what every answer must look like. The bundle beside this file is a policy that gives them.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.worlds.authzen import AuthzenWorld, asking, authzen_world

Json = Any

ADMIN = {"type": "user", "id": "bob", "properties": {"role": "admin"}}
#: Section 4.4: number, evaluation, decision.
DECISIONS: list[tuple[int, dict[str, Json], bool]] = [
    (1, asking("alice", "read"), True),
    (2, asking("alice", "write"), True),
    (3, asking("bob", "read"), True),
    (4, asking("bob", "write"), False),
    (5, asking("alice", "write", "record-2", status="archived"), False),
    (6, {**asking("bob", "write", "record-2", status="archived"), "subject": ADMIN}, True),
    (7, {**asking("alice", "delete"), "action": {"name": "delete", "properties": {"soft": True}}}, True),
    (8, {**asking("alice", "delete"), "action": {"name": "delete", "properties": {"soft": False}}}, False),
]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[AuthzenWorld]:
    """A gateway with the fixtures, where alice and bob each have a task."""
    async with authzen_world(tmp_path) as made:
        await made.begin("alice")
        await made.begin("bob")
        yield made


@pytest.mark.parametrize(("number", "evaluation", "decision"), DECISIONS)
async def test_required_decisions(world: AuthzenWorld, number: int, evaluation: Json, decision: bool) -> None:
    """Each of the eight decisions is as required, and stays so when it is asked again (5.6)."""
    for _ in range(3):
        told = await world.asks("evaluation", evaluation)
        assert told.status == 200, (number, told.content)
        assert told.headers["content-type"] == "application/json"
        assert told.json["decision"] is decision, (number, told.content)


async def test_more_than_is_known_is_passed_over(world: AuthzenWorld) -> None:
    """Context, further properties and unknown fields change no decision (5.2.3, 5.2.8, 5.2.9)."""
    context = {"time": "2025-06-27T18:03-07:00", "ip": "192.168.1.1"}
    more = {
        "subject": {"type": "user", "id": "alice", "properties": {"department": "Sales", "role": "manager"}},
        "action": {"name": "read", "properties": {"method": "GET"}},
        "resource": {"type": "record", "id": "record-1", "properties": {"status": "active", "owner": "bob"}},
    }
    unknown = {**asking("alice", "read"), "foo": "bar", "futureField": {"nested": True}}
    for body in ({**asking("alice", "read"), "context": context}, more, unknown):
        told = await world.asks("evaluation", body)
        assert told.json["decision"] is True, told.content


@pytest.mark.parametrize("missing", ["subject", "action", "resource"])
async def test_a_missing_field_is_a_bad_request(world: AuthzenWorld, missing: str) -> None:
    """Subject, action and resource are needed (5.4.1)."""
    body = asking("alice", "read")
    del body[missing]
    assert (await world.asks("evaluation", body)).status == 400


@pytest.mark.parametrize(
    "change",
    [
        {"subject": {"id": "alice"}},
        {"subject": {"type": "user"}},
        {"action": {}},
        {"resource": {"id": "record-1"}},
        {"resource": {"type": "record"}},
        {"subject": "alice"},
        {"action": {"name": 123}},
    ],
)
async def test_an_ill_formed_field_is_a_bad_request(world: AuthzenWorld, change: Json) -> None:
    """Needed parts of a field, and their types (5.4.2, 5.4.6)."""
    assert (await world.asks("evaluation", asking("alice", "read") | change)).status == 400


@pytest.mark.parametrize(
    ("content", "media"),
    [
        (json.dumps(asking("alice", "read")).encode(), "text/plain"),
        (b'{"subject": ', "application/json"),
        (b"", "application/json"),
    ],
)
async def test_what_cannot_be_read_is_a_bad_request(world: AuthzenWorld, content: bytes, media: str) -> None:
    """Another content type, broken JSON, an empty body (5.4.3 to 5.4.5)."""
    told = await world.asks("evaluation", None, content=content, headers={"content-type": media})
    assert told.status == 400, told.content


async def test_the_request_id_comes_back(world: AuthzenWorld) -> None:
    """`X-Request-ID` is given back as it was, in errors too (5.5)."""
    for body, status in ((asking("alice", "read"), 200), ({}, 400)):
        told = await world.asks("evaluation", body, headers={"x-request-id": "bfe9eb29-ab87"})
        assert (told.status, told.headers["x-request-id"]) == (status, "bfe9eb29-ab87")
    assert "x-request-id" not in (await world.asks("evaluation", asking("alice", "read"))).headers


def record(id: str, status: str = "") -> dict[str, Json]:
    """Return a record as a resource."""
    return {"type": "record", "id": id} | ({"properties": {"status": status}} if status else {})


USER = {"type": "user", "id": "alice"}
#: Section 6.2: what is asked, and the decisions in their order.
BATCHES: dict[str, tuple[dict[str, Json], list[bool]]] = {
    "3.2.1": (
        {
            "subject": USER,
            "action": {"name": "read"},
            "evaluations": [{"resource": record("record-1")}, {"resource": record("record-2")}],
        },
        [True, True],
    ),
    "3.2.2": (
        {
            "subject": {"type": "user", "id": "bob"},
            "resource": record("record-1"),
            "evaluations": [{"action": {"name": "read"}}, {"action": {"name": "write"}}],
        },
        [True, False],
    ),
    "3.2.3": (
        {
            "subject": USER,
            "action": {"name": "write"},
            "evaluations": [
                {"resource": record("record-1", "active")},
                {"resource": record("record-2", "archived")},
            ],
        },
        [True, False],
    ),
    "3.2.4": (
        {
            "action": {"name": "write"},
            "resource": record("record-2", "archived"),
            "evaluations": [{"subject": USER}, {"subject": ADMIN}],
        },
        [False, True],
    ),
    "3.2.5": ({"evaluations": [asking("alice", "read"), asking("bob", "write")]}, [True, False]),
    "3.2.6": (
        {
            "subject": USER,
            "action": {"name": "read"},
            "context": {"time": "2025-06-27T18:03-07:00"},
            "evaluations": [
                {"resource": record("record-1")},
                {"resource": record("record-2"), "context": {"source": "batch-override"}},
            ],
        },
        [True, True],
    ),
    "3.2.7": (
        {
            "subject": USER,
            "action": {"name": "write"},
            "resource": {"type": "record"},
            "evaluations": [
                {"resource": {"id": "record-1", "properties": {"status": "active"}}},
                {"resource": record("record-2", "archived")},
            ],
        },
        [True, False],
    ),
    "3.4.1": (
        {
            "subject": USER,
            "action": {"name": "read"},
            "evaluations": [{"resource": record("record-1")}, {}],
        },
        [True, False],
    ),
}


@pytest.mark.parametrize("section", BATCHES)
async def test_batches(world: AuthzenWorld, section: str) -> None:
    """Several evaluations are answered in their order, each with a separate decision."""
    body, decisions = BATCHES[section]
    told = await world.asks("evaluations", body)
    assert told.status == 200, told.content
    assert [one["decision"] for one in told.json["evaluations"]] == decisions, told.content
    assert "decision" not in told.json


@pytest.mark.parametrize("more", [{}, {"evaluations": []}])
async def test_no_evaluations_are_a_single_one(world: AuthzenWorld, more: Json) -> None:
    """Without `evaluations`, or with none in it, the answer is that of a single evaluation (3.4.2, 3.4.3)."""
    told = await world.asks("evaluations", asking("alice", "read") | more)
    assert told.json["decision"] is True
    assert "evaluations" not in told.json


@pytest.mark.parametrize(
    ("semantic", "decisions"),
    [
        ("execute_all", [True, False, True]),
        ("deny_on_first_deny", [True, False]),
        ("permit_on_first_permit", [True]),
    ],
)
async def test_semantics(world: AuthzenWorld, semantic: str, decisions: list[bool]) -> None:
    """All are decided, or those up to the first refusal, or those up to the first permit."""
    names = ("read", "write", "read")
    body = {
        "subject": {"type": "user", "id": "bob"},
        "resource": record("record-1"),
        "evaluations": [{"action": {"name": name}} for name in names],
        "options": {"evaluations_semantic": semantic},
    }
    told = await world.asks("evaluations", body)
    assert [one["decision"] for one in told.json["evaluations"]] == decisions


#: Section 7 and 4.5: which search, what is asked, what must be among the results.
SEARCHES: dict[str, tuple[str, dict[str, Json], list[dict[str, str]]]] = {
    "4.2.1": (
        "subject",
        {**asking("", "read"), "subject": {"type": "user"}},
        [{"type": "user", "id": "alice"}, {"type": "user", "id": "bob"}],
    ),
    "4.2.2": (
        "subject",
        {**asking("", "read"), "subject": {"type": "user"}, "context": {"time": "2025"}},
        [{"type": "user", "id": "alice"}],
    ),
    "4.2.4": (
        "subject",
        {**asking("", "write", "record-2", status="archived"), "subject": {"type": "user"}},
        [{"type": "user", "id": "bob"}],
    ),
    "4.3.1": (
        "resource",
        {"subject": USER, "action": {"name": "read"}, "resource": {"type": "record"}},
        [{"type": "record", "id": "record-1"}],
    ),
    "4.3.3": (
        "resource",
        {"subject": ADMIN, "action": {"name": "write"}, "resource": {"type": "record"}},
        [{"type": "record", "id": "record-2"}],
    ),
    "4.4.1": (
        "action",
        {"subject": USER, "resource": record("record-1")},
        [{"name": "read"}, {"name": "write"}],
    ),
    "4.4.2": (
        "action",
        {"subject": USER, "resource": record("record-1"), "context": {"time": "2025"}},
        [{"name": "read"}],
    ),
    "4.4.3": ("action", {"subject": ADMIN, "resource": record("record-2", "archived")}, [{"name": "write"}]),
    "4.6.1": (
        "action",
        {"subject": {"type": "user", "id": "nonexistent-user"}, "resource": record("record-1")},
        [],
    ),
    "4.6.2": ("subject", {**asking("", "read"), "subject": {"type": "spaceship"}}, []),
}


@pytest.mark.parametrize("section", SEARCHES)
async def test_searches(world: AuthzenWorld, section: str) -> None:
    """Searches find what must be found, and nothing where nothing is known."""
    kind, body, expected = SEARCHES[section]
    told = await world.asks(f"search/{kind}", body)
    assert told.status == 200, told.content
    results = told.json["results"]
    assert all(one in results for one in expected), (section, results)
    assert bool(results) is bool(expected)
    assert told.json["page"]["next_token"] == ""


@pytest.mark.parametrize("section", [name for name in SEARCHES if not name.startswith("4.6")])
async def test_pages(world: AuthzenWorld, section: str) -> None:
    """One at a time, a search gives what it gives at once (4.5)."""
    kind, body, _ = SEARCHES[section]
    whole = (await world.asks(f"search/{kind}", body)).json["results"]
    found, token = [], ""
    for _ in range(10):
        page = {"limit": 1} | ({"token": token} if token else {})
        told = (await world.asks(f"search/{kind}", {**body, "page": page})).json
        found += told["results"]
        token = told["page"]["next_token"]
        if not token:
            break
    assert found == whole


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("subject", {"subject": {"type": "user"}, "resource": record("record-1")}),
        ("resource", {"action": {"name": "read"}, "resource": {"type": "record"}}),
        ("action", {"subject": USER}),
        (
            "subject",
            {"subject": {"type": "user"}, "action": {"name": "read"}, "resource": {"type": "record"}},
        ),
        (
            "resource",
            {"subject": {"type": "user"}, "action": {"name": "read"}, "resource": {"type": "record"}},
        ),
    ],
)
async def test_an_incomplete_search_is_a_bad_request(world: AuthzenWorld, kind: str, body: Json) -> None:
    """A search needs what it does not look for (4.7)."""
    assert (await world.asks(f"search/{kind}", body)).status == 400


async def test_discovery(world: AuthzenWorld) -> None:
    """The metadata name this decision point, and where each endpoint is (8)."""
    told = await world.ask("GET", "/.well-known/authzen-configuration")
    assert told.status == 200
    assert told.headers["content-type"] == "application/json"
    metadata = told.json
    base = metadata.pop("policy_decision_point")
    assert metadata.pop("capabilities") == ["urn:openid:authzen:capability:access-request"]
    assert metadata.pop("obligations_supported") == ["custom"]
    assert base == world.services.public_url
    # The keys of binding tokens are those of the authorization server.
    assert metadata.pop("jwks_uri") == f"{base}/oauth/jwks"
    assert all(url.startswith(f"{base}/access/v1/") for url in metadata.values())
