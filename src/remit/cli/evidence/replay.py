# SPDX-License-Identifier: Apache-2.0
"""Replays of recorded decisions on the command line: read, decide again, compare, count."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import orjson

from remit.cli.evidence.export import evidence_file
from remit.cli.evidence.verification import FAILED, checked_export, pruned_before, pruned_note
from remit.cli.exit_codes import UsageFault
from remit.cli.output import terminal
from remit.cli.policy.policy_files import ENDINGS, POLICIES, sources
from remit.cli.policy.simulate import show_flips
from remit.config import CONFIG_NAME, Config, load_bundle, load_config
from remit.config.bundle.history import counters_in
from remit.core.decisions.decision import Decision, Outcome
from remit.core.decisions.decision_facts import CannotReplay
from remit.core.decisions.policy_replay import PolicyReplay, ReplayedCall
from remit.core.errors import ConfigInvalid, NotFound, NotVerifiable, RemitError
from remit.core.evidence.replay_inputs import KINDS, EvidenceInputs, RecordedDecision
from remit.core.evidence.verification import ExportReport
from remit.core.json_value import Json
from remit.core.policy.bundle import Bundle, PolicySource
from remit.rehearse.replay import ReplayStage, cannot, replay_stage
from remit.services.inspection.decision_replay import WHY, ReplayedDecision, ReplayVerdict

#: Decisions that are shown of each verdict, of many.
SHOWN: Final = 5
#: The exit code where nothing could be replayed.
CANNOT: Final = 2
_KINDS: Final = tuple(f'\\"kind\\":\\"{kind}\\"'.encode() for kind in sorted(KINDS))
_STYLES: Final = {
    ReplayVerdict.AGREES: "bold green",
    ReplayVerdict.DISAGREES: "bold red",
    ReplayVerdict.CANNOT: "bold yellow",
}


class Wanted(NamedTuple):
    """The decisions to replay: one by `event`, those of a task, or all; the newest `limit` of them."""

    event: str = ""
    task: str = ""
    limit: int = 10_000

    def names(self, index: int, record: Mapping[str, Any]) -> bool:
        """Return whether a decision is wanted."""
        if self.event:
            return self.event in (record.get("call"), str(index))
        return not self.task or record.get("task") == self.task


class ReadDecisions(NamedTuple):
    """The wanted decisions of evidence that has verified; `older` of them are beyond the limit."""

    report: ExportReport
    key: str
    decisions: list[RecordedDecision]
    older: int


def read_decisions(place: Path | None, key: str, wanted: Wanted) -> ReadDecisions:
    """Verify evidence and gather the wanted decisions in the same pass.

    Raises `VerificationFailed` if it does not hold, and `NotVerifiable` if it holds only what an answer rests
    on: what is left out there could be what a decision rested on.
    """
    reading = _Reading(wanted)
    with evidence_file(place) as file:
        report, used = checked_export(file, key, reading.line)
    if report.question or report.closure is not None:
        raise NotVerifiable(
            "this evidence holds only what an answer rests on",
            remediation="export the evidence whole, with `remit audit export`",
        )
    if reading.broken:
        raise NotVerifiable(
            f"event {reading.broken[0]} is of another version of remit", remediation="use that version"
        )
    found = [
        msgspec.structs.replace(one, whole=report.complete and not report.absent) for one in reading.found
    ]
    if not found:
        raise NotFound("no such decision is in this evidence", remediation="see `remit audit log`")
    return ReadDecisions(report, used, found, reading.count - len(found))


class _Reading:
    """Takes the lines of an export while they are verified; nothing of it counts before that holds."""

    def __init__(self, wanted: Wanted) -> None:
        self._inputs = EvidenceInputs(wanted.names)
        self.found: deque[RecordedDecision] = deque(maxlen=wanted.limit)
        self.count = 0
        self.broken: list[int] = []

    def line(self, raw: bytes) -> None:
        if not any(kind in raw for kind in _KINDS):
            return
        index = -1
        try:
            written = orjson.loads(raw)
            index, record = written["index"], orjson.loads(written["leaf"])
            if record["kind"] not in KINDS:
                return
            values = {name: one[1] for name, one in (written.get("openings") or {}).items()}
            found = self._inputs.take(index, record, values)
        except (RemitError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
            self.broken.append(index)
            return
        if found is not None:
            self.count += 1
            self.found.append(found)


def replay_evidence(
    wanted: Wanted, *, under: Path | None, bundles: Sequence[str], place: Path | None, key: str
) -> int:
    """Replay decisions, show the result and return the exit code."""
    read = read_decisions(place, key, wanted)
    configs = _configs(bundles)
    made = asyncio.run(_replayed(read.decisions, configs, under))
    if terminal.is_json():
        terminal.answer(_wire(read, made))
    elif wanted.event:
        for one in made.replayed:
            _show(one, made.under.get(one.index))
    else:
        _show_many(read, made)
    if (note := pruned_note(read.report.absent, pruned_before(read.report))) and not terminal.is_json():
        terminal.remark(f"{note}: what rested on them cannot be replayed", style="yellow")
    verdicts = Counter(one.verdict for one in made.replayed)
    if verdicts[ReplayVerdict.DISAGREES]:
        return FAILED
    return 0 if verdicts[ReplayVerdict.AGREES] else CANNOT


class _Made(NamedTuple):
    replayed: list[ReplayedDecision]
    under: dict[int, ReplayedCall]
    changes: PolicyReplay | None


def _configs(folders: Sequence[str]) -> dict[str, tuple[Config, Bundle]]:
    """Return the bundles at hand by their digests; raise `ConfigInvalid` for a given folder without one."""
    from remit.cli.global_options import current

    if not folders:
        try:
            config = current().load_config()
            bundle = load_bundle(config)
        except (ConfigInvalid, OSError):
            return {}
        return {bundle.digest: (config, bundle)}
    found = {}
    for folder in folders:
        config = load_config(folder)
        bundle = load_bundle(config)
        found[bundle.digest] = (config, bundle)
    return found


async def _replayed(
    decisions: Sequence[RecordedDecision], configs: Mapping[str, tuple[Config, Bundle]], under: Path | None
) -> _Made:
    made = _Made([], {}, PolicyReplay(flips={}) if under is not None else None)
    async with AsyncExitStack() as stack:
        stages: dict[str, tuple[ReplayStage, ReplayStage | None]] = {}
        for one in decisions:
            digest = one.record["facts"]["bundle"]
            if digest not in configs:
                code = "bundle-unknown" if digest else "not-asked"
                made.replayed.append(cannot(one, code))
                if made.changes is not None:
                    made.changes.skipped[code] += 1
                continue
            if digest not in stages:
                config, bundle = configs[digest]
                stage = await stack.enter_async_context(replay_stage(config, bundle))
                other = None
                if under is not None:
                    wanted = candidate(under, config, bundle)
                    opened = replay_stage(*wanted, counted=bundle.history)
                    other = await stack.enter_async_context(opened)
                stages[digest] = stage, other
            stage, other = stages[digest]
            again = await stage.replayed(one)
            made.replayed.append(again)
            if other is not None and made.changes is not None:
                await _compare(one, again, other, made.under, made.changes)
    return made


async def _compare(
    decision: RecordedDecision,
    again: ReplayedDecision,
    other: ReplayStage,
    found: dict[int, ReplayedCall],
    changes: PolicyReplay,
) -> None:
    """Decide under the candidate what the bundle that decided reproduces; anything else tells nothing."""
    changes.read += 1
    if again.verdict is not ReplayVerdict.AGREES:
        changes.skipped["not-reproduced"] += 1
        return
    try:
        made = await other.decided(decision)
    except CannotReplay as why:
        changes.skipped[str(why)] += 1
        return
    call = _call(decision, made)
    found[decision.index] = call
    if call.before is call.after:
        changes.stays(call.before)
    else:
        changes.count(call)


def _call(decision: RecordedDecision, made: Decision) -> ReplayedCall:
    facts, task = decision.record["facts"], decision.task
    return ReplayedCall(
        decision=decision.record.get("call", ""),
        at=decision.record["at"],
        tool=facts["tool"],
        agent=decision.record.get("agent", ""),
        person=task.on_behalf_of if task else "",
        task=decision.record.get("task", ""),
        task_type=task.type if task else "",
        before=Outcome(facts["outcome"]),
        after=made.outcome,
        rules_before=tuple(rule for rule, _ in facts["rules"]),
        rules_after=tuple(rule.id for rule in made.rules)
        or tuple(dict.fromkeys(one.rule for one in made.reasons if one.rule)),
        why=tuple(one.text for one in made.reasons),
    )


def candidate(place: Path, config: Config, bundle: Bundle) -> tuple[Config, Bundle]:
    """Return a candidate: a bundle with its configuration, or a bundle's with the policies at a place."""
    if (place / CONFIG_NAME).is_file() or place.name == CONFIG_NAME:
        other = load_config(place)
        return other, load_bundle(other)
    if place.is_file():
        if not place.name.endswith(ENDINGS[:2]):
            raise UsageFault(f"{place}: is no policy file", remediation="give a `.cedar` or `.rego` file")
        read = [PolicySource(f"{POLICIES}/{place.name}", place.read_text("utf-8"))]
        return config, msgspec.structs.replace(bundle, policies=tuple(read), digest="candidate")
    policies = tuple(PolicySource(**one) for one in sources(place))
    below = place / POLICIES if (place / POLICIES).is_dir() else place
    history = counters_in(below) or bundle.history
    return config, msgspec.structs.replace(bundle, policies=policies, history=history, digest="candidate")


def _wire(read: ReadDecisions, made: _Made) -> Json:
    told: dict[str, Json] = {
        "origin": read.report.origin,
        "size": read.report.size,
        "key": read.key,
        "older": read.older,
        "pruned": read.report.absent,
        "pruned_before": pruned_before(read.report),
        "verdicts": dict(Counter(one.verdict.value for one in made.replayed)),
        "decisions": [
            {
                **msgspec.to_builtins(one),
                **({"under": msgspec.to_builtins(made.under[one.index])} if one.index in made.under else {}),
            }
            for one in made.replayed
        ],
    }
    if made.changes is not None:
        told["changes"] = _flips(made.changes)
        told["skipped"] = dict(made.changes.skipped)
    return told


def _flips(changes: PolicyReplay) -> list[Json]:
    """Return the changes as `remit policy simulate` has them."""
    counted = ("agents", "task_types", "people", "tools", "rules")
    return [
        {
            **msgspec.to_builtins(one),
            **{
                name: [{"name": each, "calls": calls} for each, calls in getattr(one, name).most_common()]
                for name in counted
            },
        }
        for one in changes.flips.values()
    ]


def _show(one: ReplayedDecision, under: ReplayedCall | None) -> None:
    terminal.say(
        terminal.text(one.verdict.value, _STYLES[one.verdict]),
        f": event {one.index}  {one.decision}  ",
        terminal.text(one.tool, "bold"),
        "  ",
        terminal.moment(one.at),
    )
    pairs: list[tuple[str, object]] = [("agent", one.agent), ("task", one.task)]
    pairs += [("recorded", _line(one.recorded))]
    if one.replayed is not None:
        pairs += [("again", _line(one.replayed))]
    pairs += [("bundle", str(one.recorded["bundle"]))]
    pairs += [("because", one.because), ("what to do", one.remedy)]
    pairs += [("differs", ", ".join(one.differs)), ("from the record", ", ".join(one.taken))]
    if under is not None:
        pairs += [
            ("candidate", _line({"outcome": under.after.value, "rules": [[r] for r in under.rules_after]}))
        ]
        pairs += [("", text) for text in under.why[:SHOWN]]
    terminal.picture(terminal.facts(pairs))


def _line(said: Mapping[str, Json]) -> str:
    rules = list(dict.fromkeys(rule[0] for rule in said["rules"]))
    rules = rules or list(dict.fromkeys(one.get("rule") or one["code"] for one in said.get("reasons", [])))
    more = f"; {', '.join(said['obligations'])}" if said.get("obligations") else ""
    return f"{said['outcome']}  [{', '.join(rules)}]{more}"


def _show_many(read: ReadDecisions, made: _Made) -> None:
    many = len(made.replayed)
    terminal.say(
        terminal.text(terminal.counted(many, "decision"), "bold"), f" of {read.report.origin} decided again"
    )
    verdicts = Counter(one.verdict for one in made.replayed)
    for verdict in ReplayVerdict:
        if verdicts[verdict]:
            label = {"agrees": "agree byte for byte", "disagrees": "DISAGREE"}.get(
                verdict.value, verdict.value
            )
            terminal.say(f"  {verdicts[verdict]:>6}  ", terminal.text(label, _STYLES[verdict]))
    reasons = Counter((one.because, one.remedy) for one in made.replayed if one.because)
    for (because, remedy), count in reasons.most_common():
        terminal.say(f"  {count:>6}  {because}; {remedy}", style="dim")
    for one in [one for one in made.replayed if one.verdict is ReplayVerdict.DISAGREES][:SHOWN]:
        terminal.say("")
        _show(one, None)
    if read.older:
        terminal.remark(f"{read.older} older decisions were not replayed; `--limit` replays more")
    if made.changes is not None:
        changed = sum(one.calls for one in made.changes.flips.values())
        terminal.say("")
        terminal.say(terminal.text(f"{changed} would change", "bold"), " under the candidate")
        for code, count in made.changes.skipped.most_common():
            because = WHY.get(code, ("the bundle that decided does not reproduce it", ""))[0]
            terminal.say(f"  {count:>6}  not compared: {because}", style="dim")
        show_flips(_flips(made.changes))
