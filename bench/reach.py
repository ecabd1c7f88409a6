# SPDX-License-Identifier: Apache-2.0
"""What `remit paths` takes on bundles of 100, 1,000 and 10,000 tools.

The bundles are made up, and shaped like real ones: upstreams of 8 to 40 tools, most of which read; one
upstream in twenty without descriptions; task types of 5 to 50 grants, of a few upstreams, some of them with
kept destinations, some handed down; tickets, files and channels that many task types share; one credential
opens all upstreams of a kind.
"""

import json
import random
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.figure import Figure
from remit.cli.serve.gc import settle_memory
from remit.compose import policy_engine
from remit.config import load_bundle, load_config
from remit.config.credential_sources import credentials_of_upstreams
from remit.core.policy.reach import Openness
from remit.core.policy.reach.remediation import remedies
from remit.services.policy.reach import survey

Json = Any

SIZES = (100, 1_000, 10_000)
ROUNDS = 5
KINDS = ("tickets", "files", "mail", "chat", "crm", "wiki", "calendar", "deploy", "billing", "search")
READS = ("list", "get", "search", "read", "export_rows", "history")
WRITES = ("create", "update", "comment", "send", "delete", "share")
SHARED = ("tickets", "files", "chat", "wiki")
TEMPLATES = Path(__file__).parents[1] / "src/remit/templates/policies"


def name_of(tool: int) -> str:
    """Name the reach figure of a size."""
    return f"paths: {tool} tools"


def tool_form(kind: str, number: int, luck: random.Random) -> tuple[str, Json, bool]:
    """Return a tool's name, its description, and whether it changes something."""
    writes = luck.random() < 0.3
    word = luck.choice(WRITES if writes else READS)
    outside = kind in ("mail", "search", "chat", "crm") and luck.random() < 0.4
    form: Json = {
        "effect": luck.choice(("reversible", "reversible", "irreversible")) if writes else "none",
        "audience": "external" if outside else "internal" if writes else "self",
        "labels": {
            "class": luck.choices(("public", "internal", "confidential", "restricted"), (2, 5, 2, 1))[0],
            "trust": "untrusted" if not writes and luck.random() < 0.3 else "trusted",
        },
        "arguments": {"id": {"role": "selector"}},
    }
    if kind in SHARED:
        form["resource"] = f"{kind}/{{id}}"
    if writes:
        form["arguments"]["text"] = {"role": "content"}
    if outside:
        form["arguments"]["to"] = {"role": "destination"}
    return f"{word}_{number}", form, writes


def grant_form(tool_id: str, form: Json, luck: random.Random) -> Json:
    """Return a grant of a tool, in one of three without a choice of destination."""
    ways = ('{"anything": {}}', '{"one_of": ["A-1", "A-2"]}', '{"pattern": "A-[0-9]+"}')
    arguments: Json = {"id": json.loads(luck.choice(ways))}
    if "to" in form["arguments"]:
        to = '{"email_domain": ["example.com"]}' if luck.random() < 0.35 else ways[0]
        arguments["to"] = json.loads(to)
    if "text" in form["arguments"]:
        arguments["text"] = {"length": {"max": 2000}}
    return {"tool": tool_id, "arguments": arguments}


def write_reach_bundle(folder: Path, tools: int, seed: int = 4) -> Path:
    """Write a bundle with so many tools; gives the path of its configuration."""
    luck = random.Random(seed)
    for name in ("tools", "tasks"):
        (folder / name).mkdir(parents=True)
    shutil.copytree(TEMPLATES, folder / "policies")
    upstreams: dict[str, dict[str, Json]] = {}
    left = tools
    while left:
        kind = luck.choice(KINDS)
        size = min(left, luck.randint(8, 40))
        made = (tool_form(kind, number, luck) for number in range(size))
        upstreams[f"{kind}-{len(upstreams)}"] = {name: form for name, form, _ in made}
        left -= size
    for upstream, forms in upstreams.items():
        if luck.random() < 0.05:
            continue
        text = json.dumps({"upstream": upstream, "tools": forms}, indent=1)
        (folder / "tools" / f"{upstream}.yaml").write_text(text)
    names = list(upstreams)
    for number in range(max(3, tools // 20)):
        near = luck.sample(names, min(len(names), luck.randint(2, 4)))
        known = [(f"{one}/{tool}", form) for one in near for tool, form in upstreams[one].items()]
        chosen = luck.sample(known, min(len(known), luck.randint(5, 50)))
        task: Json = {
            "task": f"task-{number}",
            "purpose": "Work with what it is given",
            "run_by": [f"agent-{number % max(1, tools // 50)}"],
            "requested_by": ["group:staff"],
            "grants": [grant_form(tool, form, luck) for tool, form in chosen],
        }
        if luck.random() < 0.1:
            task["delegates"] = {"to": [f"helper-{number % 7}"]}
        (folder / "tasks" / f"task-{number}.yaml").write_text(json.dumps(task, indent=1))
    config = {
        # A company that lets people outside know what is internal: otherwise nothing here would be open.
        "classes": {
            "order": ["public", "internal", "confidential", "restricted"],
            "clearance": {"self": "restricted", "internal": "confidential", "external": "internal"},
        },
        "upstreams": {
            # Of each kind, one credential opens all.
            name: {
                "url": f"https://{name}.example.com/mcp",
                "headers": {"authorization": f"env:TOKEN_OF_{name.partition('-')[0].upper()}"},
            }
            for name in upstreams
        },
        "groups": {"staff": ["ana"]},
    }
    path = folder / "remit.yaml"
    path.write_text(json.dumps(config, indent=1))
    return path


def reach(quick: bool) -> list[Figure]:
    """Time from a read bundle to every path and every remedy."""
    build = Path("build")
    build.mkdir(exist_ok=True)
    found: list[Figure] = []
    for tools in SIZES[: 2 if quick else 3]:
        folder = Path(tempfile.mkdtemp(prefix="bench-reach-", dir=build))
        try:
            path = write_reach_bundle(folder / "bundle", tools)
            start = time.perf_counter()
            config = load_config(path)
            bundle = load_bundle(config)
            settle_memory()
            loading = time.perf_counter() - start
        finally:
            shutil.rmtree(folder)
        took: list[float] = []
        opens = credentials_of_upstreams(config.upstreams)
        made, paths, cuts = survey(bundle, policy_engine(config), config.groups, (), opens), 0, 0
        for _ in range(2 if quick else ROUNDS):
            start = time.perf_counter()
            made = survey(bundle, policy_engine(config), config.groups, (), opens)
            paths = sum(len(one.sources) for one in made.paths)
            cuts = sum(bool(remedies(made, one)) for one in made.toxic)
            took.append(time.perf_counter() - start)
        unrefused = sum(one.openness is not Openness.REFUSED for one in made.toxic)
        how = (
            f"median; policies loaded, {len(bundle.task_types)} task types, {paths} paths, {len(made.toxic)} "
            f"toxic combinations, of which {unrefused} are not refused, and what breaks {cuts} of them"
        )
        yardstick = f"paths: {tools} tools, reading the bundle"
        found.append(Figure(name=yardstick, value=loading, unit="s", how="configuration and bundle, once"))
        found.append(
            Figure(
                name=name_of(tools),
                value=statistics.median(took),
                unit="s",
                yardstick=yardstick,
                ratio=statistics.median(took) / loading,
                how=how,
            )
        )
    return found
