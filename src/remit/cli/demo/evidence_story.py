# SPDX-License-Identifier: Apache-2.0
"""Step 7 of the story: the three questions, and the evidence."""

from __future__ import annotations

import json

from remit.cli.demo.commands import show
from remit.cli.demo.narrator import Narrator
from remit.cli.demo.stage import Stage
from remit.core.evidence.checkpoint import VerifierKey
from remit.core.evidence.verification import verify_export


async def step_7(stage: Stage, tell: Narrator, task: str) -> None:
    """Ask the three questions, verify the evidence offline, and attack the evidence."""
    tell.chapter(7, "Who is the agent, what may it do, and is all of this true?")
    await show(stage, tell, "who", "contract-bot")
    await show(stage, tell, "can", task)
    file = stage.folder / "evidence.jsonl"
    await show(stage, tell, "audit", "export", file.name)
    lines = file.read_bytes().splitlines(keepends=True)
    key = json.loads(lines[0])["verifier"]
    tell.say("Only the file and the public key: no server, no database.")
    await show(stage, tell, "audit", "verify", file.name, "--key", key)
    tell.say("The receipt of the end verifies alone, too:")
    await show(stage, tell, "audit", "verify", "receipt.jsonl", "--key", key)
    tell.say("Now copies of the evidence are tampered with:")
    for title, attacked in attacks(lines):
        report = verify_export(attacked, VerifierKey.parse(key))
        why = f"{report.faults[0].code}: {report.faults[0].text}" if report.faults else ""
        tell.claim(not report.holds, f"{title}: caught", why)


def attacks(lines: list[bytes]) -> list[tuple[str, list[bytes]]]:
    """Return attacked copies of an export: one byte changed, the last event removed, two events swapped."""
    middle = len(lines) // 2
    flipped = list(lines)
    flipped[middle] = flipped[middle].replace(b'\\"tenant\\":\\"default\\"', b'\\"tenant\\":\\"defau1t\\"', 1)
    dropped = [*lines[:-2], lines[-1]]
    swapped = list(lines)
    swapped[middle], swapped[middle + 1] = swapped[middle + 1], swapped[middle]
    return [
        ("one byte changed", flipped),
        ("the last event dropped", dropped),
        ("two events swapped", swapped),
    ]
