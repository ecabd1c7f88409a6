# SPDX-License-Identifier: Apache-2.0
"""Agents, people, delegations, findings and `who` by command."""

from __future__ import annotations

import asyncio
import platform
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from remit_sdk.key import AgentKey, instance
from remit_sdk.manifest import manifest_digest
from remit_sdk.session import AgentSession
from tests.gateways.remit_up import Remit, furnished

SPIFFE = "spiffe://example.org/notes/bot.v1"


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remit]:
    """A remit with people and an agent in it."""
    with furnished(tmp_path_factory.mktemp("cli")) as made:
        yield made


def test_an_agent_gets_another_way_to_prove_itself_and_loses_it(services: Remit) -> None:
    """Bound, `who` finds it by that; taken by another agent it is refused; unbound, it is free."""
    bound = services.ask("agent", "bind", "note-bot", "--spiffe-id", SPIFFE)["bindings"]
    assert bound[-1] == {"type": "spiffe", "spiffe_id": SPIFFE}
    assert "note-bot" in services("who", SPIFFE).out
    other = ("agent", "register", "twin-bot", "--owner", "ana", "--purpose", "x", "--spiffe-id", SPIFFE)
    said = services(*other)
    assert said.code != 0
    assert "unbind" in said.err
    assert len(services.ask("agent", "unbind", "note-bot", SPIFFE, "--reason", "moved")["bindings"]) == 1
    assert services(*other).code == 0
    assert not (services.folder / ".remit" / "agents" / "twin-bot.key.json").exists()
    assert services("agent", "retire", "twin-bot").code == 0


def test_claims_of_an_issuer_are_written_as_pairs(services: Remit) -> None:
    """The same name several times means one of them; without an issuer they mean nothing."""
    words = ("agent", "register", "ci-bot", "--owner", "group:writers", "--purpose", "builds")
    rules = (
        "--claim",
        "ref=refs/heads/main",
        "--claim",
        "ref=refs/heads/next",
        "--claim",
        "environment=prod",
    )
    assert services(*words, *rules).code == 2
    issuer = ("--issuer", "https://issuer.example", "--subject", "repo:acme/app")
    (binding,) = services.ask(*words, *rules, *issuer)["bindings"]
    assert binding["claims"] == {"ref": ["refs/heads/main", "refs/heads/next"], "environment": "prod"}
    assert "refs/heads/main or refs/heads/next" in services("agent", "show", "ci-bot").out


def test_a_manifest_is_made_of_files(services: Remit, tmp_path: Path) -> None:
    """Any change of any of them is another digest; only showing registers nothing."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "main.py").write_text("one")
    words = ("agent", "manifest", "note-bot", "--model", "m-1", "--code", str(tmp_path / "code"))
    before = services.ask("agent", "show", "note-bot")["manifest_digest"]
    first = services.ask(*words, "--only-show")["manifest_digest"]
    assert services.ask("agent", "show", "note-bot")["manifest_digest"] == before != first
    assert services.ask(*words)["manifest_digest"] == first
    assert manifest_digest(model="m-1", code=tmp_path / "code") == first
    (tmp_path / "code" / "main.py").write_text("two")
    assert services.ask(*words, "--only-show")["manifest_digest"] != first
    assert services("agent", "manifest", "note-bot").code == 2


def test_what_an_agent_says_it_is_made_of_is_held_against_what_is_registered(services: Remit) -> None:
    """The same digest says nothing; another is a finding, until it is registered."""
    services.ask("agent", "manifest", "note-bot", "--digest", "sha256:one")
    for digest in ("sha256:one", "sha256:two"):
        words = ("run", "--agent", "note-bot", "--task", "tidy-note", "-p", "note=a", "--manifest", digest)
        said = services.apart(*words, "--as", "ana", "--", "true")
        assert said.code == 0, said.err
    deadline = time.monotonic() + 60
    while not (found := services.ask("finding", "list", "--about", "agent:note-bot")["items"]):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert [(one["kind"], one["facts"]["reported"]) for one in found] == [("manifest-drift", "sha256:two")]
    services.ask("agent", "manifest", "note-bot", "--digest", "sha256:two")
    assert services.ask("finding", "list", "--about", "agent:note-bot")["items"] == []


def test_a_token_is_asked_about_over_standard_input(services: Remit) -> None:
    """The answer draws the proof and does not hold the token."""

    async def token() -> str:
        key = AgentKey.load(services.folder / ".remit" / "agents" / "note-bot.key.json")
        async with AgentSession(services.url, "note-bot", key) as agent:
            return str(await agent.token())

    text = asyncio.run(token())
    said = services("who", "-", given=f"{text}\n")
    assert said.code == 0, said.err
    assert "private-key" in said.out
    assert "owned by ana" in said.out
    assert text not in said.out
    assert text.rpartition(".")[2] not in said.out


def test_a_person_lets_an_agent_act_and_takes_it_back(services: Remit) -> None:
    """Made, listed while it lives, revoked; what was opened under it has ended."""
    made = services("delegation", "add", "note-bot", "tidy-note", "--open", "note", "--valid", "8h", by="ana")
    assert made.code == 0, made.err
    (record,) = services.ask("delegation", "list", by="ana")["items"]
    assert record["id"] in made.out

    async def opened() -> str:
        key = AgentKey.load(services.folder / ".remit" / "agents" / "note-bot.key.json")
        async with AgentSession(services.url, "note-bot", key) as agent:
            task = await agent.open("tidy-note", params={"note": "shopping"}, on_behalf_of="ana")
            return task.id

    task = asyncio.run(opened())
    assert record["id"] in services("who", task).out
    assert services("delegation", "revoke", record["id"], "--reason", "back", by="ana").code == 0
    assert services.ask("task", "show", task, by="ana")["state"] == "revoked"
    assert services.ask("delegation", "list", by="ana")["items"] == []
    assert len(services.ask("delegation", "list", "--all", by="ana")["items"]) == 1
    assert services("delegation", "add", "note-bot", "tidy-note", "--valid", "soon", by="ana").code == 2


def test_people_change_and_what_that_leaves_is_found(services: Remit) -> None:
    """Roles, sign-out, leaving and coming back; an agent without an owner is found and settled."""
    services.ask("person", "add", "uma")
    register = ("agent", "register", "uma-bot", "--owner", "uma", "--purpose", "x")
    assert services(*register, "--spiffe-id", "spiffe://example.org/uma").code == 0
    assert services.ask("person", "roles", "uma", "auditor")["roles"] == ["auditor"]
    assert services.ask("person", "roles", "uma")["roles"] == []
    assert services("person", "sign-out", "uma").code == 0
    assert not services.ask("person", "deactivate", "uma", "--reason", "left")["active"]
    assert services("person", "code", "uma").code == 1
    about = services.ask("finding", "list", "--about", "agent:uma-bot")["items"]
    (found,) = [one for one in about if one["kind"] == "ownerless"]
    assert "remit agent owner" in services("finding", "show", found["id"]).out
    assert services.ask("agent", "owner", "uma-bot", "group:writers")["owner"] == "group:writers"
    assert services.ask("finding", "list", "--about", "agent:uma-bot")["items"] == []
    assert services.ask("finding", "list", "--resolved")["items"][0]["id"] == found["id"]
    assert services.ask("person", "activate", "uma")["active"]
    assert services("person", "deactivate", "admin").code == 1


def test_ways_in_are_looked_at_and_taken_away(services: Remit) -> None:
    """An administrator sees and removes those of every person; and each person sees whose code let them
    in.
    """
    assert services.ask("person", "ways", "ana") == {"items": []}
    assert "none" in services("person", "ways", "ana").out
    said = services("person", "remove-way", "ana", "no-such-way")
    assert said.code != 0
    assert "remit person ways ana" in said.err
    assert services("person", "ways", "ana", by="ana").code == 1
    assert "code, by admin" in services("person", "sessions", by="ana").out


def test_a_place_has_one_name_that_tells_nothing() -> None:
    """The same for every process here, and no machine's or person's name."""
    assert instance() == instance()
    assert len(instance()) == 16
    assert platform.node() not in instance()


def test_data_at_rest_is_looked_at_and_declassified_by_whoever_is_there(services: Remit) -> None:
    """Nothing is said without an answer to what was shown, and nothing where nothing is said."""
    assert services.ask("data", "list") == {"items": []}
    assert "no stored labels" in services("data", "list").out
    assert services("data", "show", "notes", "note/a").code != 0
    task = services.ask("task", "open", "tidy-note", "--agent", "note-bot", "-p", "note=a", "--as", "ana")[
        "id"
    ]
    words = ("task", "declassify", task, "--reason", "I looked")
    assert services(*words).code == 2
    asked = services(*words, "--trusted")
    assert asked.code == 2
    assert "--confirm sha256:" in asked.err
    assert services(*words, "--trusted", "--confirm", "sha256:other").code != 0


def test_what_is_suspended_is_suspended_already(services: Remit) -> None:
    """A second time is refused by what is so, not by what cannot be."""
    services.ask("agent", "register", "twice-bot", "--owner", "ana", "--purpose", "stops twice")
    assert services("agent", "suspend", "twice-bot").code == 0
    said = services("agent", "suspend", "twice-bot")
    assert (said.code, "agent `twice-bot` is already suspended" in said.err) == (1, True)
