# SPDX-License-Identifier: Apache-2.0
"""Write the generated pages of the documentation, or check that all of it is as it should be.

`python docs/build.py` writes what `GENERATED` lists. With `--check` it writes nothing, and exits 1 if

- a generated page differs from what would be written now,
- a relative link or its anchor leads nowhere,
- a decision record lacks one of its parts or stands in no index,
- a source file does not begin with its SPDX line,
- a word of the glossary is defined twice,
- a fact of flow that policies can read stands nowhere.

To add a generated page, add one line to `GENERATED`.
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from adoption import adoption_page
from adversary import adversary_page
from mutants import gone_modules, mutants_page

from remit.api.openapi import document_text, reference_page
from remit.cli.reference_pages import cli_page, controls_page, events_page, findings_page, ocsf_page
from remit.config.schema import REFERENCE, SCHEMAS, config_page
from remit.core.flow.facts import FlowFacts

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
SPDX = "SPDX-License-Identifier: Apache-2.0"
SOURCES = {".py", ".sh", ".cedar", ".cedarschema", ".rego", ".sql", ".yaml", ".yml", ".toml"}
ADR_PARTS = ("## Context", "## Decision", "## Consequences")


def performance_page() -> str:
    """The figures of the last published run, `docs/reference/bench.json`, as tables."""
    run = json.loads((DOCS / "reference" / "bench.json").read_text(encoding="utf-8"))
    machine = run["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    lines = [
        "# Figures",
        "",
        "Written by `make docs` from [bench.json](bench.json), which `python -m bench --publish` writes.",
        "What they mean, and what bounds them: [performance](../explanation/performance.md).",
        "",
        f"- date: {run['date']}",
        f"- machine: {machine['cpu']}, {machine['cpus']} CPUs, {machine['system']}",
        f"- load before it began: {machine['load_at_start']}",
        f"- Python {machine['python']}, {machine['python_build']}",
        f"- {packages}",
    ]
    sections: dict[str, list[str]] = {}
    for figure in run["figures"]:
        target, _, metric = figure["name"].partition(": ")
        ratio = "" if figure["ratio"] is None else f"{figure['ratio']:.3g} of "
        ratio += (figure["yardstick"] or "").partition(":")[0] if ratio else ""
        reached = {None: "", True: "yes", False: "no"}[figure["met"]]
        size = abs(figure["value"])
        value = f"{figure['value']:,.0f}" if size >= 100 or size == int(size) else f"{figure['value']:.3g}"
        cells = (metric, f"{value} {figure['unit']}", ratio, figure["target"] or "", reached)
        sections.setdefault(target, []).append(f"| {' | '.join(cells)} |")
    for target, rows in sections.items():
        lines += ["", f"## {target}", "", "| figure | value | ratio | to reach | reached |"]
        lines += ["| --- | ---: | ---: | --- | --- |", *rows]
    return "\n".join(lines) + "\n"


MODES = {
    "server": "Servers: the gateway and the relay, before a server that the official SDK runs",
    "client": "Clients: what the SDK and `remit connect` send, and how they come by tokens",
    "authorization": "Authorization servers: remit's own, with a person who consents",
}


def interop_page() -> str:
    """What others' suites and vectors said in the last published run, `docs/reference/interop.json`."""
    run = json.loads((DOCS / "reference" / "interop.json").read_text(encoding="utf-8"))
    suites = ", ".join(f"`{name}` {version}" for name, version in run["suites"].items())
    lines = [
        "# Tests that others wrote",
        "",
        "Written by `make docs` from [interop.json](interop.json), the last run of",
        "`python -m tests.interop --publish`.",
        "How they are run: [tests of others](../explanation/others-tests.md).",
        "",
        f"- date: {run['date']}",
        f"- suite: {suites}",
        "",
        "## MCP conformance",
        "",
        "| what | revision | required, passed | others, passed |",
        "| --- | --- | ---: | ---: |",
    ]
    found = run["scenarios"]
    groups = dict.fromkeys((one["mode"], one["revision"]) for one in found)
    for mode, revision in groups:
        counts = []
        for required in (True, False):
            these = [
                one
                for one in found
                if (one["mode"], one["revision"], one["required"]) == (mode, revision, required)
            ]
            counts.append(f"{sum(one['good'] for one in these)} of {len(these)}" if these else "")
        lines.append(f"| {MODES[mode]} | {revision} | {' | '.join(counts)} |")
    failing = [one for one in found if not one["good"]]
    lines += ["", "What does not pass; no standard requires it:", ""]
    reasons = dict.fromkeys(one["reason"] for one in failing)
    for reason in reasons:
        names = dict.fromkeys(f"`{one['scenario']}`" for one in failing if one["reason"] == reason)
        lines.append(f"- {', '.join(names)}: {reason}")
    lines += [
        "",
        "## Vectors and attacks",
        "",
        "| standard or collection | cases | failed |",
        "| --- | ---: | ---: |",
    ]
    lines += [
        f"| {one['name']} | {one['passed'] + one['failed']} | {one['failed']} |" for one in run["vectors"]
    ]
    return (
        "\n".join(
            [
                *lines,
                *_agentdojo(),
                *_worlds(),
                *_airline(),
                *_suggested(),
                *_policy_cases(),
                *[*_privilege_cases(), *_secret_cases()],
            ]
        )
        + "\n"
    )


#: Whose labels the tools of AgentDojo have, and the file with the figures.
LABELS = {
    "Labels that an administrator wrote from the schemas alone": ("agentdojo.json", ""),
    "For comparison: labels of authors who knew the tasks": ("agentdojo-own.json", " --labels own"),
}


def _agentdojo() -> list[str]:
    """What the replays of AgentDojo came to, by the labels of others and by our own."""
    lines = ["", "## AgentDojo"]
    for title, (name, words) in LABELS.items():
        path = DOCS / "reference" / name
        if not path.exists():
            continue
        run = json.loads(path.read_text(encoding="utf-8"))
        suites = " and ".join(f"`{name}`" for name in run["suites"])
        lines += [
            "",
            f"### {title}",
            "",
            f"`agentdojo` {run['agentdojo']}, benchmark {run['benchmark']}, suites {suites},",
            f"on {run['date']}, by `python -m tests.interop agentdojo{words} --publish` ([{name}]({name})).",
            "",
            "| figure | with plan | without plan |",
            "| --- | ---: | ---: |",
        ]
        lines += [
            f"| {one['what']} | {one['with_plan']:g} | {one['without_plan']:g} |" for one in run["figures"]
        ]
    return lines


def _worlds() -> list[str]:
    """What the replays of the five tool worlds came to, `docs/reference/worlds.json`."""
    path = DOCS / "reference" / "worlds.json"
    if not path.exists():
        return []
    run = json.loads(path.read_text(encoding="utf-8"))
    found = {(one["name"], one["planned"]): one["figures"] for one in run["worlds"]}
    names = sorted({name for name, _ in found}, key=lambda name: (name == run["held_out"], name))
    shown = [f"{name} (held out)" if name == run["held_out"] else name for name in names]
    lines = [
        "",
        "## Tool worlds",
        "",
        f"On {run['date']}, by `python -m tests.interop worlds --publish` ([worlds.json](worlds.json)).",
        "Each cell: with a plan, without a plan.",
        "",
        f"| figure | {' | '.join(shown)} |",
        f"| --- |{' ---: |' * len(names)}",
    ]
    for key, what in run["words"].items():
        cells = (f"{found[name, True][key]:g}, {found[name, False][key]:g}" for name in names)
        lines.append(f"| {what} | {' | '.join(cells)} |")
    return lines


def _airline() -> list[str]:
    """What the replay of tau2-bench's airline domain came to, `docs/reference/airline.json`."""
    path = DOCS / "reference" / "airline.json"
    if not path.exists():
        return []
    run = json.loads(path.read_text(encoding="utf-8"))
    return [
        "",
        "## One customer's records",
        "",
        f"tau2-bench's airline domain, from `{run['package']}` {run['version']}, on {run['date']}, by",
        "`python -m tests.interop airline --publish` ([airline.json](airline.json)).",
        "",
        "| figure | |",
        "| --- | ---: |",
        *(f"| {one['what']} | {one['value']:,g} |" for one in run["figures"]),
    ]


def _suggested() -> list[str]:
    """What rules that were learnt from one half of a history came to on the other half."""
    path = DOCS / "reference" / "suggested.json"
    if not path.exists():
        return []
    run = json.loads(path.read_text(encoding="utf-8"))
    found = {(one["name"], one["attacked"]): one["figures"] for one in run["histories"]}
    names = list(dict.fromkeys(name for name, _ in found))
    lines = [
        "",
        "## Rules learnt from history",
        "",
        f"On {run['date']}, by `python -m tests.interop suggest --publish`",
        "([suggested.json](suggested.json)).",
        "Each cell: learnt in calm, learnt while the attacker was present.",
        "",
        f"| figure | {' | '.join(names)} |",
        f"| --- |{' ---: |' * len(names)}",
    ]
    for key, what in run["words"].items():
        cells = (f"{found[name, False][key]:g}, {found[name, True][key]:g}" for name in names)
        lines.append(f"| {what} | {' | '.join(cells)} |")
    return lines


def _policy_cases() -> list[str]:
    """What others' cases about policy languages came to, `docs/reference/policy-cases.json`."""
    path = DOCS / "reference" / "policy-cases.json"
    if not path.exists():
        return []
    run = json.loads(path.read_text(encoding="utf-8"))
    lines = [
        "",
        "## Policy languages",
        "",
        f"On {run['date']}, by `python -m tests.interop policies --publish`",
        "([policy-cases.json](policy-cases.json)). None fails.",
        "",
        "| cases | passed | left out, with the reason |",
        "| --- | ---: | --- |",
    ]
    for one in run["cases"]:
        left = (f"{number}: {why}" for why, number in one["counts"].items() if why != "passed")
        lines.append(f"| {one['name']} | {one['counts']['passed']:,} | {'; '.join(left)} |")
    return lines


def _privilege_cases() -> list[str]:
    """What others' catalogues about privileges came to, `docs/reference/privilege-cases.json`."""
    run = json.loads((DOCS / "reference" / "privilege-cases.json").read_text(encoding="utf-8"))
    lines = [
        "",
        "## Escalation of privileges",
        "",
        f"On {run['date']}, by `python -m tests.interop privileges --publish`",
        "([privilege-cases.json](privilege-cases.json)).",
        "",
        "| catalogue | cases | found as paths | without a path | of these reported | left, with the reason |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for one in run["collections"]:
        left = "; ".join(f"{number}: {why}" for why, number in one["left"].items())
        counts = (one["cases"], one["found"], one["prevented"], one["reported"])
        lines.append(f"| {one['name']} | {' | '.join(f'{each:,}' for each in counts)} | {left} |")
    return lines


def _secret_cases() -> list[str]:
    """What the examples of gitleaks' rules came to, `docs/reference/secret-cases.json`."""
    run = json.loads((DOCS / "reference" / "secret-cases.json").read_text(encoding="utf-8"))
    return [
        "",
        "## Secrets",
        "",
        f"On {run['date']}, by `python -m tests.interop secrets --publish`",
        f"([secret-cases.json](secret-cases.json)), with the examples of gitleaks {run['version']}.",
        "Values are drawn again in each run, so counts differ a little from run to run.",
        "",
        "| | texts |",
        "| --- | ---: |",
        f"| secrets, of {run['rules']} rules | {run['secrets']:,} |",
        f"| found, of {run['rules found']} rules | {run['found']:,} ({run['found'] / run['secrets']:.0%}) |",
        *(f"| not found: {why} | {number:,} |" for why, number in run["missed"].items()),
        f"| not a secret of the rule | {run['others']:,} |",
        f"| of these reported | {run['reported']:,} ({run['reported'] / run['others']:.0%}) |",
    ]


FIGURES = re.compile(r"(<!-- figures: written by `make docs` -->\n).*?(<!-- /figures -->)", re.DOTALL)
ENDS = re.compile(r"(<!-- ends: written by `make docs` -->\n).*?(<!-- /ends -->)", re.DOTALL)


def front_page() -> str:
    """The README, with the figures of the last published runs in their places."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for place, table in ((FIGURES, replayed()), (ENDS, ended())):
        text = place.sub(lambda found, table=table: f"{found[1]}{table}\n{found[2]}", text)  # type: ignore[misc]
    return text


def ended() -> str:
    """How fast authority was gone in the last published run of the bench, as a table."""
    run = json.loads((DOCS / "reference" / "bench.json").read_text(encoding="utf-8"))
    values = {one["name"]: one["value"] for one in run["figures"]}
    rows = (
        ("an end of a task returns, sixteen connections calling all the while", "end: one node under load"),
        ("an end returns at one of three replicas, of a task that another one serves", "replicas: end on 3"),
        ("a leased PostgreSQL login is refused", "dead: PostgreSQL role"),
        ("a database login that OpenBao leased is refused", "dead: OpenBao database credential"),
        ("an OAuth token is refused", "dead: OAuth token"),
    )
    lines = ["| from `remit end` until | p50 | p99 |", "| --- | ---: | ---: |"]
    lines += [
        f"| {what} | {values[f'{name}, p50']:.0f} ms | {values[f'{name}, p99']:.0f} ms |"
        for what, name in rows
    ]
    passed, tried = values["end: calls permitted after the commit"], values["end: attempts after the commit"]
    lines += [
        "",
        f"Of {tried:,.0f} calls that were tried after the commits of such ends, {passed:.0f} were permitted.",
    ]
    return "\n".join(lines)


def replayed() -> str:
    """What the last published replay of AgentDojo found, as a table."""
    run = json.loads((DOCS / "reference" / "agentdojo.json").read_text(encoding="utf-8"))
    values = {one["name"]: (one["with_plan"], one["without_plan"]) for one in run["figures"]}
    rows = (
        ("work of the user that gets done", "utility", " %"),
        ("work that gets done with no approval at all", "quiet", " %"),
        ("approvals for each 100 of the user's calls", "per_100", ""),
        ("attacks that succeed, with a human who refuses them", "careful", " %"),
        ("attacks that succeed, with a human who approves whatever is asked", "tired", " %"),
    )
    suites = f"AgentDojo {run['benchmark']}, suites {' and '.join(run['suites'])}"
    lines = [
        f"| {suites}, {values['pairs'][0]} pairs of task and attack | with plan | without |",
        "| --- | ---: | ---: |",
    ]
    lines += [
        f"| {what} | {' | '.join(f'{value:g}{unit}' for value in values[name])} |"
        for what, name, unit in rows
    ]
    return "\n".join(lines)


# Page below docs/ -> what writes its text.
GENERATED: dict[str, Callable[[], str]] = {
    "../README.md": front_page,
    **{page: partial(config_page, page) for page in (*SCHEMAS, REFERENCE)},
    "reference/adoption.md": adoption_page,
    "reference/adversary.md": adversary_page,
    "reference/api.md": reference_page,
    "reference/cli.md": cli_page,
    "reference/controls.md": controls_page,
    "reference/events.md": events_page,
    "reference/findings.md": findings_page,
    "reference/mutants.md": mutants_page,
    "reference/ocsf.md": ocsf_page,
    "reference/openapi.json": document_text,
    "reference/others-tests.md": interop_page,
    "reference/performance.md": performance_page,
}

FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"!?\[[^\]]*\]\(([^()\s]+(?:\([^()\s]*\)[^()\s]*)*)(?:\s+\"[^\"]*\")?\)")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$", re.MULTILINE)
ANCHOR = re.compile(r"<a\s+(?:id|name)=\"([^\"]+)\"")


def repository_files() -> list[Path]:
    """The files of the repository, without what git ignores."""
    listed = subprocess.run(  # noqa: S603 - a constant command
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - git is what the reader has
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [path for name in sorted(listed.split("\0")) if name and (path := ROOT / name).is_file()]


def shown(path: Path) -> str:
    """A path as messages write it: from the root."""
    return path.relative_to(ROOT).as_posix()


def slugs(text: str) -> set[str]:
    """The anchors that a Markdown page offers, as the common renderers name its headings."""
    seen: dict[str, int] = {}
    found = set(ANCHOR.findall(text))
    for heading in HEADING.findall(FENCE.sub("", text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        count = seen.get(slug, 0)
        seen[slug] = count + 1
        found.add(f"{slug}-{count}" if count else slug)
    return found


def dead_links(files: list[Path]) -> Iterator[str]:
    """Each relative link of a Markdown page that leads to no file or to no heading."""
    for page in files:
        if page.suffix != ".md":
            continue
        text = page.read_text(encoding="utf-8")
        for target in LINK.findall(CODE.sub("", FENCE.sub("", text))):
            if re.match(r"[a-z][a-z0-9+.-]*:", target, re.IGNORECASE):
                continue
            name, _, anchor = target.partition("#")
            there = (page.parent / name).resolve() if name else page
            if not there.exists():
                yield f"{shown(page)}: link `{target}` leads to no file"
            elif not there.is_relative_to(ROOT):
                yield f"{shown(page)}: link `{target}` leads out of the repository"
            elif anchor and there.suffix == ".md" and anchor not in slugs(there.read_text(encoding="utf-8")):
                yield f"{shown(page)}: link `{target}` leads to no heading of {shown(there)}"


def broken_decisions(files: list[Path]) -> Iterator[str]:
    """Each decision record that lacks a part, shares its number, or is missing from the index."""
    records = [path for path in files if path.parent == DOCS / "adr" and re.match(r"\d{4}-", path.name)]
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    numbers: dict[str, Path] = {}
    for record in records:
        text = record.read_text(encoding="utf-8")
        parts = [text.find(f"\n{part}\n") for part in ADR_PARTS]
        if -1 in parts or parts != sorted(parts):
            yield f"{shown(record)}: needs {', '.join(ADR_PARTS)}, in this order"
        first = numbers.setdefault(record.name[:4], record)
        if first != record:
            yield f"{shown(record)}: number already taken by {shown(first)}"
        if f"(adr/{record.name})" not in index:
            yield f"{shown(record)}: not listed in docs/index.md"


def bare_sources(files: list[Path]) -> Iterator[str]:
    """Each source file whose first line, or second below a shebang, is not its SPDX line."""
    for path in files:
        with path.open("rb") as opened:
            head = [opened.readline(), opened.readline()]
        has_shebang = head[0].startswith(b"#!")
        if path.suffix not in SOURCES and path.name != "Makefile" and not has_shebang:
            continue
        if SPDX.encode() not in head[1 if has_shebang else 0]:
            yield f"{shown(path)}: begins without `{SPDX}`"


def twice_defined(_files: list[Path]) -> Iterator[str]:
    """Each word that the glossary defines twice."""
    seen: set[str] = set()
    for row in re.findall(
        r"^\| ([^|]+) \|", (DOCS / "glossary.md").read_text(encoding="utf-8"), re.MULTILINE
    ):
        for word in (part.strip() for part in row.split(",")):
            if word in seen and not set(word) <= set("- "):
                yield f"docs/glossary.md: `{word}` is defined twice"
            seen.add(word)


def unexplained_facts(_files: list[Path]) -> Iterator[str]:
    """Each fact of flow that policies can read and the page on policy does not name."""
    page = (DOCS / "explanation" / "policy.md").read_text(encoding="utf-8")
    for fact in FlowFacts.__struct_fields__:
        if f"`{fact}`" not in page:
            yield f"docs/explanation/policy.md: does not name the fact `{fact}` of `context.flow`"


def stale_pages(_files: list[Path]) -> Iterator[str]:
    """Each generated page that differs from what would be written now."""
    for name, write in GENERATED.items():
        page = DOCS / name
        if not page.is_file() or page.read_text(encoding="utf-8") != write():
            yield f"docs/{name}: not what the code says now; run `make docs`"


def modules_gone(_files: list[Path]) -> Iterator[str]:
    """Each module that has published figures of its mutants and is none any more."""
    for module in gone_modules():
        yield f"docs/reference/mutants.json: `{module}` is no module of remit; give its row the new name"


CHECKS: tuple[Callable[[list[Path]], Iterator[str]], ...] = (
    stale_pages,
    dead_links,
    broken_decisions,
    bare_sources,
    twice_defined,
    unexplained_facts,
    modules_gone,
)


def check() -> int:
    """Print each fault, one a line; return the exit code."""
    files = repository_files()
    faults = [fault for look in CHECKS for fault in look(files)]
    for fault in faults:
        print(fault, file=sys.stderr)
    if not faults:
        pages = sum(path.suffix == ".md" for path in files)
        print(f"docs: {pages} pages and {len(files)} files are as they should be")
    return 1 if faults else 0


def write_pages() -> int:
    """Write each generated page that has changed; return the exit code."""
    for name, write in GENERATED.items():
        page = DOCS / name
        text = write()
        if not page.is_file() or page.read_text(encoding="utf-8") != text:
            page.parent.mkdir(parents=True, exist_ok=True)
            page.write_text(text, encoding="utf-8")
            print(f"wrote docs/{name}")
    return 0


def main() -> int:
    """Read the command line and do what it says."""
    parser = argparse.ArgumentParser(description="write or check the documentation")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if anything is amiss")
    return check() if parser.parse_args().check else write_pages()


if __name__ == "__main__":
    sys.exit(main())
