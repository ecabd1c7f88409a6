# SPDX-License-Identifier: Apache-2.0
"""The page of what the last published night of the adversary came to."""

import json
from pathlib import Path

FIGURES = Path(__file__).parent / "reference" / "adversary.json"


def adversary_page() -> str:
    """What the last published night of the adversary came to, `docs/reference/adversary.json`."""
    run = json.loads(FIGURES.read_text(encoding="utf-8"))
    attacks, ordinary, machine = run["attacks"], run["ordinary"], run["machine"]
    known = attacks.get("open", [])
    made_on = f"{machine['cpu']}, {machine['cpus']} CPUs, {machine['system']}, Python {machine['python']}"
    lines = [
        "# The search for attacks",
        "",
        "Written by `make docs` from [adversary.json](adversary.json), the last run of",
        "`python -m tests.adversary --publish`.",
        "What is tried, and what counts: [an attacker who searches](../explanation/adversary.md).",
        "",
        f"- date: {run['date']}",
        f"- machine: {made_on}",
        f"- seed: {run['seed']}",
        "",
        "| figure | tried | not as it should be |",
        "| --- | ---: | ---: |",
        f"| attacks, passed | {attacks['tried']:,} | {attacks['passed']:,} |",
        *(
            f"| of these known, and still open | | {sum(one['passed'] for one in known):,} |"
            for _ in known[:1]
        ),
        f"| ways in which one of them made remit fail | {attacks['tried']:,} | {attacks['raised']:,} |",
        f"| ordinary forms, stopped or asked about | {ordinary['tried']:,} | {ordinary['stopped']:,} |",
        "",
        "## Attacks",
        "",
        "| what is attacked | tried | passed |",
        "| --- | ---: | ---: |",
    ]
    lines += [f"| {one['family']} | {one['tried']:,} | {one['passed']:,} |" for one in attacks["families"]]
    if known:
        lines += ["", "## Known, and still open", "", "| sentences | why | passed |", "| --- | --- | ---: |"]
        lines += [f"| `{one['scenes']}` | {one['why']} | {one['passed']:,} |" for one in known]
    lines += ["", "## Ordinary forms", "", "| what is asked for | tried | stopped |", "| --- | ---: | ---: |"]
    lines += [f"| {one['family']} | {one['tried']:,} | {one['stopped']:,} |" for one in ordinary["families"]]
    return "\n".join(lines) + "\n"
