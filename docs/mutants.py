# SPDX-License-Identifier: Apache-2.0
"""The page of how many mutants of the code that decides the tests notice."""

import json
from pathlib import Path

FIGURES = Path(__file__).parent / "reference" / "mutants.json"
SOURCE = Path(__file__).parents[1] / "src" / "remit"


def mutants_page() -> str:
    """What the last published run of the mutants came to, `docs/reference/mutants.json`."""
    run = json.loads(FIGURES.read_text(encoding="utf-8"))
    machine, some = run["machine"], run["sample"]
    made_on = f"{machine['cpu']}, {machine['cpus']} CPUs, {machine['system']}, Python {machine['python']}"
    which = f"at most {some} of each module, chosen by seed {run['seed']}" if some else "every one"
    lines = [
        "# Tests that notice when the code is wrong",
        "",
        "Written by `make docs` from [mutants.json](mutants.json), the last figures of",
        "`python -m tests.mutation`.",
        "A module that is mutated and not listed below was not tried then.",
        "",
        "A *mutant* is a copy of a module with one thing changed: a comparison, a constant, an argument,",
        "`and` for `or`, `any` for `all`. The nearest tests of the module run on it; where one fails, it",
        "is *caught*. [mutmut](https://github.com/boxed/mutmut) makes the mutants.",
        "`tests/mutation/table.py` names the modules, those that decide, fence, prove, verify and revoke,",
        "and the tests of each. Changes of texts for people (messages and remediations) do not count,",
        "nor do mutants that no test can notice: `tests/mutation/equivalents.json` lists each of these",
        "with its reason. Properties, and other functions with a decorator, are not changed. Tests that",
        "start several gateways are nearest to no module: they take too long to run on each mutant.",
        "`make mutants` tries every mutant, which takes hours; `make test-all` tries a few.",
        "",
        f"- date: {run['date']}",
        f"- machine: {made_on}",
        f"- mutants: {which}",
        f"- caught: {run['caught']:,} of {run['tried']:,} ({_percent(run)})",
        "",
        "| module | tried | caught | | equivalent |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| `{module}` | {row['tried']:,} | {row['caught']:,} | {_percent(row)} | {row['equivalent']:,} |"
        for module, row in run["modules"].items()
    ]
    return "\n".join(lines) + "\n"


def gone_modules() -> list[str]:
    """Return the modules of the last published run that are in no file any more."""
    named = json.loads(FIGURES.read_text(encoding="utf-8"))["modules"]
    return [
        module
        for module in named
        if not any((SOURCE / f"{module.replace('.', '/')}{end}").is_file() for end in (".py", "/__init__.py"))
    ]


def _percent(row: dict[str, int]) -> str:
    return f"{100 * row['caught'] / row['tried']:.1f} %"
