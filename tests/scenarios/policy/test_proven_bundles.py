# SPDX-License-Identifier: Apache-2.0
"""Proofs at the REST interface: what is asked, what is on record, and what is said without a prover."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.core.errors import NotFound
from remit.core.evidence.event import EventKind
from remit.core.policy.proof import ProofAnswer, ProofPrograms, ProofQuestion, ProofVerdict
from tests.worlds.services import PERMIT, ServiceWorld, a_bundle, service_world

Json = Any
NO = '@id("no")\n@reason("not today")\nforbid (principal, action, resource) when { context.flow.tainted };\n'


class ScriptedProver:
    """A prover that calls every change proven, for one tool, and remembers what it was asked."""

    def __init__(self) -> None:
        """Begin with nothing asked."""
        self.asked: list[Json] = []
        self.installed = True

    def programs(self) -> ProofPrograms:
        """Its versions, where it is installed."""
        if not self.installed:
            raise NotFound("the program `cedar` is not installed", remediation="run `make proof`")
        return ProofPrograms("4.14.1", "1.4.2")

    def change(self, old: Json, new: Json, only: frozenset[str], *, seconds: float) -> Iterator[ProofAnswer]:
        """One proven answer."""
        self.asked.append((old.sources, new.sources, only))
        yield ProofAnswer(
            question=ProofQuestion.NO_WIDER,
            tool="files/read",
            effect="none",
            audience="self",
            verdict=ProofVerdict.PROVEN,
        )


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ServiceWorld]:
    """A gateway with one permit in force, and a prover."""
    async with service_world(tmp_path, prover=ScriptedProver()) as made:
        yield made


async def ask(world: ServiceWorld, body: Json = None, by: str = "audra") -> Json:
    """What the endpoint answers."""
    told = await world.ask("POST", "/api/v1/policies/prove", body or {}, by=await world.session(by))
    return told.json | {"status": told.status}


async def test_by_default_the_change_to_the_folder_is_proven_and_on_record(world: ServiceWorld) -> None:
    """With the digests of both bundles and the versions of the programs."""
    world.on_disk = a_bundle("sha256:two", PERMIT + NO)
    found = await ask(world)
    assert (found["verdict"], found["before"], found["after"]) == ("proven", "sha256:one", "sha256:two")
    (answer,) = found["answers"]
    assert (answer["tool"], answer["verdict"], answer["call"]) == ("files/read", "proven", None)
    (event,) = await world.services.evidence.log.pages(limit=10, kinds=(EventKind.POLICY_PROVEN,))
    facts = msgspec.json.decode(event.leaf)["facts"]
    assert (facts["bundle"], facts["before"], facts["verdict"]) == ("sha256:two", "sha256:one", "proven")
    assert (facts["cedar"], facts["solver"], facts["proven"]) == ("4.14.1", "1.4.2", 1)


async def test_policies_that_are_sent_have_a_digest_on_record(world: ServiceWorld) -> None:
    """So the record says which ones were proven."""
    given = {"policies": [{"file": "policies/a.cedar", "text": PERMIT + NO}]}
    found = await ask(world, {"after": given})
    assert found["after"].startswith("sha256:")
    assert found["after"] not in ("sha256:one", "given")


async def test_where_the_programs_are_absent_the_answer_says_how_to_install_them(world: ServiceWorld) -> None:
    """Nothing is on record then."""
    world.services.inspection.proofs.prover().installed = False  # type: ignore[attr-defined]
    found = await ask(world)
    assert found["status"] == 404
    assert "make proof" in found["remediation"]
    assert not await world.services.evidence.log.pages(limit=10, kinds=(EventKind.POLICY_PROVEN,))


async def test_policies_in_another_language_are_not_proven(tmp_path: Path) -> None:
    """The answer names another way."""
    async with service_world(tmp_path) as world:
        found = await ask(world)
        assert found["status"] >= 400
        assert "Cedar" in found["detail"]


async def test_an_unknown_tool_is_refused(world: ServiceWorld) -> None:
    """A misspelt tool would prove nothing about the one that was meant."""
    assert (await ask(world, {"tools": ["files/raed"]}))["status"] == 404
