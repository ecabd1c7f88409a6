# SPDX-License-Identifier: Apache-2.0
"""What the replay came to: figures as a table and as facts, and single cases for who tunes rules."""

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from tests.interop.agentdojo.replay import Approver, Order, Step, Told

Json = Any

SHOWN = 160
WORDS = {
    "utility": "utility of the user tasks, careful human, %",
    "utility_unasked": "utility of the user tasks, no approver, %",
    "quiet": "user tasks that complete with no approval, %",
    "per_100": "approvals per 100 user calls",
    "refused": "user tasks in which a call was refused, careful human, %",
    "careful": "attacks that succeed, careful human, %",
    "tired": "attacks that succeed, tired human, %",
    "utility_attacked": "utility under attack, careful human, %",
    "asked_attacks": "attacks in which a human was asked about an attacker's call, %",
    "extended_attacks": "attacks for which the plan was extended with no question, %",
    "partial_careful": "partial effects, careful human",
    "partial_tired": "partial effects, tired human",
    "top": "user tasks that end at the top label, %",
    "pairs": "pairs of user task and injection, each in two orders",
    "unsolvable": "user tasks whose own ground truth AgentDojo's judge rejects (left out of utility)",
}


def figures(told: Iterable[Told]) -> dict[str, float]:
    """Return the figures of all episodes with a plan, or of all without."""
    every = list(told)
    alone = [one for one in every if one.case.order is Order.ALONE]
    attacks = [one for one in every if one.case.order is not Order.ALONE]

    def of(some: list[Told], approver: Approver) -> list[Told]:
        return [one for one in some if one.case.approver is approver]

    careful, tired = of(attacks, Approver.CAREFUL), of(attacks, Approver.TIRED)
    grown = (any(step.attacker and step.extended for step in one.steps) for one in tired)
    nobody, benign = of(alone, Approver.NOBODY), of(alone, Approver.CAREFUL)
    calls = sum(len(one.steps) for one in benign)
    refused = (any(step.last.outcome != "permit" for step in one.steps) for one in benign)
    return {
        "utility": _share(one.utility for one in benign if one.solvable),
        "utility_unasked": _share(one.utility for one in nobody if one.solvable),
        "quiet": _share(_quiet(one) for one in benign),
        "per_100": round(100 * sum(one.asked for one in benign) / calls, 1) if calls else 0.0,
        "refused": _share(refused),
        "careful": _share(one.security for one in careful),
        "tired": _share(one.security for one in tired),
        "utility_attacked": _share(one.utility for one in careful if one.solvable),
        "asked_attacks": _share(any(step.attacker and step.asked for step in one.steps) for one in tired),
        "extended_attacks": _share(grown),
        "partial_careful": sum(one.partial for one in careful),
        "partial_tired": sum(one.partial for one in tired),
        "top": _share(one.top for one in benign),
        "pairs": len(careful) // 2,
        "unsolvable": sum(not one.solvable for one in benign),
    }


def table(planned: dict[str, float], unplanned: dict[str, float]) -> str:
    """Return the figures as text."""
    width = max(map(len, WORDS.values()))
    lines = [f"{'':{width}}  {'with plan':>10}  {'without':>10}"]
    lines += [
        f"{word:{width}}  {planned[key]:>10.4g}  {unplanned[key]:>10.4g}" for key, word in WORDS.items()
    ]
    return "\n".join(lines)


def shown(told: Iterable[Told]) -> Iterable[str]:
    """Yield the lines of every user task that a human was asked in or that was refused something, and of
    every attack of which a call with an effect was permitted, or any was asked about; then counts by rule.
    """
    rules: Counter[tuple[str, str]] = Counter()
    for one in told:
        if one.case.approver is not Approver.TIRED:
            continue
        alone = one.case.order is Order.ALONE
        lines = [line for step in one.steps if (line := _line(step, alone=alone))]
        for step in one.steps:
            # A user's call beside an attack is counted where the task is alone.
            if step.attacker != alone and step.first.outcome != "permit":
                kind = f"{'attack' if step.attacker else 'user'} {step.first.outcome.value}"
                for reason in step.first.reasons:
                    rules[kind, reason.rule or reason.code] += 1
        if lines:
            what = f"{one.case.suite.name} {one.case.user}"
            what += f" {one.case.injection} {one.case.order.value}" if one.case.injection else ""
            end = "SUCCEEDED" if one.security else "partial" if one.partial else "stopped"
            if alone:
                end = "useful" if one.utility else "NOT USEFUL" if one.solvable else "not judged"
            yield f"{what}: {end}"
            yield from lines
    yield "by kind and rule:"
    for (kind, rule), count in sorted(rules.items(), key=lambda item: (item[0][0], -item[1])):
        yield f"  {count:5d}  {kind:13}  {rule}"


def facts(version: str, date: str, planned: dict[str, float], unplanned: dict[str, float]) -> Json:
    """Return what is published."""
    return {
        "date": date,
        "agentdojo": version,
        "benchmark": "v1",
        "suites": ["workspace", "banking"],
        "figures": [
            {"name": key, "what": word, "with_plan": planned[key], "without_plan": unplanned[key]}
            for key, word in WORDS.items()
        ],
    }


def _line(step: Step, *, alone: bool) -> str:
    if step.attacker:
        telling = step.asked or (step.effect and step.last.permitted)
    else:
        telling = alone and step.first.outcome != "permit"
    if not telling:
        return ""
    args = json.dumps(step.args, ensure_ascii=False)
    flow = {name: one for name, one in _flow(step).items() if one not in ("none", False)}
    why = "; ".join(f"{reason.rule or reason.code}: {reason.text}" for reason in step.first.reasons)
    return (
        f"    {'attacker' if step.attacker else 'user'} {step.first.outcome.value}, "
        f"then {step.last.outcome.value}: {step.tool} {args[:SHOWN]}\n"
        f"        {why}\n        {flow}"
    )


def _flow(step: Step) -> dict[str, Json]:
    facts = step.first.flow.facts
    return {name: getattr(facts, name) for name in facts.__struct_fields__}


def _quiet(one: Told) -> bool:
    """Whether a user task was done with no approval: nothing asked, nothing refused, and useful."""
    done = all(step.last.permitted and not step.asked for step in one.steps)
    return done and (one.utility or not one.solvable)


def _share(some: Iterable[bool]) -> float:
    found = list(some)
    return round(100 * sum(found) / len(found), 1) if found else 0.0
