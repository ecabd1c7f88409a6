# SPDX-License-Identifier: Apache-2.0
"""The page of what the last published walk of a newcomer came to."""

import json
from pathlib import Path

WALK = Path(__file__).parent / "reference" / "adoption.json"


def adoption_page() -> str:
    """What the last published walk came to, `docs/reference/adoption.json`."""
    run = json.loads(WALK.read_text(encoding="utf-8"))
    machine = run["machine"]
    made_on = f"{machine['cpu']}, {machine['cpus']} CPUs, {machine['system']}, Python {machine['python']}"
    lines = [
        "# From nothing to enforced rules",
        "",
        "Written by `make docs` from [adoption.json](adoption.json), the last run of",
        "`python -m tests.adoption --publish`.",
        "What is done, and what it does not show: [adoption](../explanation/adoption.md).",
        "",
        f"- date: {run['date']}",
        f"- machine: {made_on}",
        f"- load when it began: {run['load_at_start']}",
        "",
        "| figure | value | goal | held | how |",
        "| --- | ---: | --- | --- | --- |",
    ]
    for one in run["figures"]:
        goal = "" if one["at_most"] is None else f"<= {one['at_most']:g}"
        held = {None: "", True: "yes", False: "no"}[one["held"]]
        value = f"{one['value']:.3g} {one['unit']}".strip()
        lines.append(f"| {one['what']} | {value} | {goal} | {held} | {one['how']} |")
    lines += [
        "",
        "## Planted attacks",
        "",
        "| what gives the order | what it is after | tried | asked about | went through |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {one['source']} | {one['aim']} | {one['tried']} | {one['asked']} | {one['went_through']} |"
        for one in run["attacks"]
    ]
    return "\n".join(lines) + "\n"
