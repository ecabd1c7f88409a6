# SPDX-License-Identifier: Apache-2.0
"""A recorded decision is decided again from the evidence: to the same bytes, or with the reason why not."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.cli.evidence.replay import CANNOT, ReadDecisions, Wanted, read_decisions, replay_evidence
from remit.cli.evidence.timeline import drawn, entries_of, in_markdown, task_records
from remit.config.scaffold import scaffold
from remit.core.decisions.decision import Outcome
from remit.core.errors import NotFound, NotVerifiable, VerificationFailed
from remit.core.evidence.replay_inputs import RecordedDecision
from remit.core.policy.bundle import Bundle
from remit.core.tasks.grant import GrantTemplate
from remit.ports.store.units import Unit
from remit.rehearse import Rehearsal
from remit.rehearse.folder import config_of
from remit.rehearse.replay import replay_stage
from remit.services.inspection.decision_replay import WHY, ReplayedDecision, ReplayVerdict
from tests.samples.tokens import HELD, task_token
from tests.worlds.calls import ASK, CallWorld, a_bundle, a_type, call_world
from tests.worlds.services import PERMIT

Json = Any
AGREES, DISAGREES, UNKNOWN = ReplayVerdict.AGREES, ReplayVerdict.DISAGREES, ReplayVerdict.CANNOT
ALL = Wanted()
FOLDER = Path(__file__).resolve().parents[3] / "docs/reference/evidence"
LOG_KEY: str = json.loads((FOLDER / "cases.json").read_text(encoding="utf-8"))["key"]
#: What controls a terminal, is markup, or is a formula.
HOSTILE = "\x1b[2J\x1b]8;;https://evil.test\x07<script>alert(1)</script> [x](javascript:x) @all\n# =1+1"


async def export(world: CallWorld, folder: Path, **how: Json) -> tuple[Path, str]:
    """Write an export of everything so far; gives it with the log's key."""
    await world.services.store.commit(Unit(tenant=world.services.tenant))
    file = folder / "evidence.jsonl"
    file.write_bytes(b"".join([line async for line in world.services.evidence.log.export(**how)]))
    return file, world.services.evidence.log.verifier


async def replayed(found: list[RecordedDecision], bundle: Bundle, folder: Path) -> list[ReplayedDecision]:
    """Replay decisions under a bundle."""
    with TemporaryDirectory(dir=folder) as place:
        async with replay_stage(config_of(None, Path(place)), bundle) as stage:
            return [await stage.replayed(one) for one in found]


async def story(world: CallWorld) -> None:
    """Permits, refusals by grant and policy, a question, its answer, and one answer used twice."""
    _, token = await world.open()
    assert await world.outcome(token, "write", text="a") is Outcome.PERMIT
    assert await world.outcome(token, "read") is Outcome.PERMIT
    await world.approve(await world.asked(token, amount=5))
    assert await world.outcome(token, "pay", amount=5) is Outcome.PERMIT
    assert await world.outcome(token, "pay", amount=5) is Outcome.DEFER
    await world.approve(await world.asked(token, amount=6), approve=False)
    assert await world.outcome(token, "pay", amount=6) is Outcome.DENY
    _, token = await world.open("hello")
    assert await world.outcome(token, "write", text="bye") is Outcome.DENY
    assert await world.outcome(token, "pay", amount=1) is Outcome.DENY


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The story's export, with its key."""
    folder = tmp_path_factory.mktemp("story")

    async def tell() -> tuple[Path, str]:
        async with call_world(folder) as world:
            await story(world)
            return await export(world, folder)

    return asyncio.run(tell())


def read(told: tuple[Path, str], wanted: Wanted = ALL) -> ReadDecisions:
    """Read the decisions of an export."""
    return read_decisions(told[0], told[1], wanted)


_CALLS = st.lists(
    st.tuples(
        st.sampled_from(("work", "hello", "twice", "purse", "one-effect", "by-itself")),
        st.sampled_from(("read", "write", "pay", "odd")),
        st.sampled_from(("hello", "", "ü\u2028", HOSTILE)),
        st.sampled_from((None, 1, 2.5, 100)),
    ),
    min_size=1,
    max_size=8,
)


@given(_CALLS)
@settings(max_examples=6, deadline=None)
def test_every_decision_of_the_gateway_replays_to_the_same_bytes(
    calls: list[tuple[str, str, str, Json]],
) -> None:
    """Whatever was called; what a budget refused is not claimed, and nothing disagrees."""

    async def run(folder: Path) -> None:
        async with call_world(folder) as world:
            for kind, name, text, amount in calls:
                by_itself = {"on_behalf_of": "", "person": None} if kind == "by-itself" else {}
                _, token = await world.open(kind if not by_itself else "work")
                for _ in range(2):
                    await world.call(token, name, text=text, **({} if amount is None else {"amount": amount}))
            found = read(await export(world, folder))
        for one in await replayed(found.decisions, a_bundle(), folder):
            codes = {reason["code"] for reason in one.recorded["reasons"]}
            assert one.verdict is (UNKNOWN if "budget-exhausted" in codes else AGREES), one
            assert one.verdict is UNKNOWN or one.replayed == one.recorded

    with TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder)))


async def test_a_story_with_answers_of_people_agrees_and_a_flipped_rule_does_not(
    told: tuple[Path, str], tmp_path: Path
) -> None:
    """Each decision on its own: the flipped rule shows exactly where it has spoken."""
    found = read(told).decisions
    assert [one.verdict for one in await replayed(found, a_bundle(), tmp_path)] == [AGREES] * len(found)
    flipped = a_bundle(PERMIT + ASK.replace("resource.financial", "!resource.financial"))
    for one in await replayed(found, flipped, tmp_path):
        assert one.verdict is DISAGREES, one
        assert one.differs
    other = await replayed(found, a_bundle(digest="sha256:another"), tmp_path)
    assert {(one.verdict, one.because) for one in other} == {(UNKNOWN, WHY["bundle-unknown"][0])}


def _approval(**changed: Json) -> Callable[[RecordedDecision], RecordedDecision]:
    def change(one: RecordedDecision) -> RecordedDecision:
        assert one.approval is not None
        return msgspec.structs.replace(one, approval=msgspec.structs.replace(one.approval, **changed))

    return change


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        (_approval(state="pending"), DISAGREES),
        (_approval(state="withdrawn"), DISAGREES),
        (_approval(uses=1), DISAGREES),
        (_approval(call="sha256:another"), DISAGREES),
        (_approval(task="tsk_another"), DISAGREES),
        (_approval(rules=(("ask-for-money", "sha256:old"),)), DISAGREES),
        (lambda one: msgspec.structs.replace(one, approval=None), UNKNOWN),
        (lambda one: msgspec.structs.replace(one, task=None), UNKNOWN),
        (lambda one: msgspec.structs.replace(one, agent=None), UNKNOWN),
        (lambda one: msgspec.structs.replace(one, agent={**one.agent, "owner": "eve"}), UNKNOWN),
        (lambda one: msgspec.structs.replace(one, values={}), UNKNOWN),
        (lambda one: msgspec.structs.replace(one, surfaces={}), UNKNOWN),
        (lambda one: msgspec.structs.replace(one, offers={}, whole=False), UNKNOWN),
    ],
)
async def test_what_the_evidence_does_not_show_is_never_agreement(
    told: tuple[Path, str], tmp_path: Path, change: Any, verdict: ReplayVerdict
) -> None:
    """An approval that was not given, was withdrawn, used, or is of another call; a missing input."""
    paid = next(
        one for one in read(told).decisions if one.approval and one.record["facts"]["outcome"] == "permit"
    )
    (before,) = await replayed([paid], a_bundle(), tmp_path)
    assert before.verdict is AGREES
    (after,) = await replayed([change(paid)], a_bundle(), tmp_path)
    assert after.verdict is verdict, after
    assert verdict is DISAGREES or (after.because and after.remedy)


async def test_a_narrowed_task_replays_by_what_it_holds_from_then_on(tmp_path: Path) -> None:
    """A task that lost a grant: before and after are decided under the terms and the bundle of their time."""
    async with call_world(tmp_path) as world:
        task, token = await world.open()
        assert await world.outcome(token, "write", text="a") is Outcome.PERMIT
        only = a_type(grants=(GrantTemplate("desk/read", other_arguments=True),))
        narrower = msgspec.structs.replace(a_bundle(digest="sha256:new"), task_types={"work": only})
        await world.services.policies.apply(narrower, by="root")
        await world.services.endings.rebundling.look()
        token = await task_token(world.services, task.id, confirmation=HELD)
        assert await world.outcome(token, "write", text="a") is Outcome.DENY
        before, after = read(await export(world, tmp_path)).decisions
    (first,) = await replayed([before], a_bundle(), tmp_path)
    (second,) = await replayed([after], narrower, tmp_path)
    assert (first.verdict, second.verdict) == (AGREES, AGREES)
    (again,) = await replayed([msgspec.structs.replace(after, task=before.task)], narrower, tmp_path)
    assert again.verdict is DISAGREES


async def test_an_argument_that_was_changed_is_noticed(told: tuple[Path, str], tmp_path: Path) -> None:
    """The call of an approval is bound to its arguments, and a grant reads them."""
    found = read(told).decisions
    refused = next(one for one in found if one.task is not None and one.task.type == "hello")
    changed = msgspec.structs.replace(refused, values={**refused.values, "arguments": {"text": "hello"}})
    (again,) = await replayed([changed], a_bundle(), tmp_path)
    assert again.verdict is DISAGREES
    assert "outcome" in again.differs


async def test_evidence_that_does_not_verify_is_not_replayed(told: tuple[Path, str], tmp_path: Path) -> None:
    """A changed byte, a dropped event, another key; and a part that leaves out what it likes."""
    file, key = told
    lines = file.read_bytes().splitlines(keepends=True)
    at = next(place for place, one in enumerate(lines) if b"decision.made" in one)
    forged = tmp_path / "forged.jsonl"
    for made in (
        [*lines[:at], lines[at].replace(b'\\"permit\\"', b'\\"deny\\"'), *lines[at + 1 :]],
        [*lines[:at], *lines[at + 1 :]],
        [*lines[:-2], lines[-1]],
    ):
        forged.write_bytes(b"".join(made))
        with pytest.raises(VerificationFailed):
            read((forged, key))
    with pytest.raises(NotVerifiable):
        read((FOLDER / "question.jsonl", LOG_KEY))
    with pytest.raises(NotFound):
        read(told, Wanted(event="dec_nothing"))


async def test_an_export_without_values_replays_nothing_and_shows_none(tmp_path: Path) -> None:
    """Not disclosed is not agreed; and what was not exported is in no answer."""
    async with call_world(tmp_path) as world:
        task, token = await world.open()
        await world.outcome(token, "write", text="canary-of-lena")
        found = read(await export(world, tmp_path, values=False)).decisions
        (one,) = await replayed(found, a_bundle(), tmp_path)
        assert (one.verdict, one.because) == (UNKNOWN, WHY["not-disclosed"][0])
        file, key = await export(world, tmp_path, values=False)
        entries = entries_of(task_records(task.id, file, key))
        shown = msgspec.json.encode([one]) + msgspec.json.encode(entries)
        assert b"canary" not in shown
        assert b"lena" not in shown


async def test_a_task_is_told_from_its_opening_to_its_end_and_texts_stay_text(tmp_path: Path) -> None:
    """Purpose, people, calls with sources and reasons, answers, end; hostile strings are inert."""
    async with call_world(tmp_path) as world:
        task, token = await world.open()
        await world.outcome(token, "write", text=HOSTILE)
        approval = await world.asked(token, amount=5)
        await world.approve(approval)
        await world.outcome(token, "pay", amount=5)
        await world.services.endings.revocations.end_task(task.id, reason=HOSTILE, by="lena")
        file, key = await export(world, tmp_path)
    entries = entries_of(task_records(task.id, file, key))
    kinds = [one.kind for one in entries]
    assert kinds[0] == "task.opened"
    assert "task.ended" in kinds
    said = {(one.kind, line.about): line.said for one in entries for line in one.lines}
    assert said["task.opened", "for"] == "requested by lena, for lena"
    assert said["decision.made", "approval"] == f"permitted by {approval}"
    assert {one.outcome for one in entries if one.kind == "decision.made"} == {"permit", "defer"}
    assert any(line.about == "source" for one in entries for line in one.lines)
    markdown = "\n".join(in_markdown(task.id, entries))
    assert "\x1b" not in markdown
    assert not re.search(r"(?<!\\)[<\[]|^# =1", markdown, re.MULTILINE)
    texts = [str(getattr(one, "renderable", one)) for one in drawn(entries)]
    assert not any("\x1b" in one or "\x07" in one or "\n" in one for one in texts)


def test_the_command_replays_under_the_folder_that_decided_and_under_a_candidate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bundle from files; the candidate's changes are counted; without the bundle nothing is claimed."""
    bundle = tmp_path / "bundle"
    scaffold(bundle, sample=True)
    with Rehearsal(bundle) as rehearsal:
        task = rehearsal.open(
            agent="note-bot", task="tidy-note", on_behalf_of="ana", params={"note": "shopping"}
        )
        task.read("notes/read_note", {"name": "shopping"}, "milk")
        task.call("notes/read_note", {"name": "diary"})
        task.end()
        task.call("notes/read_note", {"name": "shopping"})
        log = rehearsal.stage.services.evidence.log

        async def lines() -> bytes:
            return b"".join([line async for line in log.export()])

        file, key = tmp_path / "evidence.jsonl", log.verifier
        file.write_bytes(rehearsal.run(lines()))

    def run(
        wanted: Wanted = ALL, under: Path | None = None, bundles: tuple[str, ...] = (str(bundle),)
    ) -> int:
        return replay_evidence(wanted, under=under, bundles=bundles, place=file, key=key)

    assert run() == 0
    assert "agree byte for byte" in capsys.readouterr().out
    strict = tmp_path / "strict.cedar"
    strict.write_text('@id("nothing")\nforbid (principal, action, resource);\n', encoding="utf-8")
    assert run(under=strict) == 0
    shown = capsys.readouterr().out
    assert "would change under the candidate" in shown
    assert "nothing (1)" in shown
    permitted = next(one for one in read((file, key)).decisions if one.record["facts"]["outcome"] == "permit")
    assert run(Wanted(event=str(permitted.index)), under=strict) == 0
    assert "[nothing]" in capsys.readouterr().out
    (bundle / "policies" / "99-more.cedar").write_text('@id("more")\nforbid (principal, action, resource);\n')
    assert run() == CANNOT
    assert WHY["bundle-unknown"][0] in " ".join(capsys.readouterr().out.split())
