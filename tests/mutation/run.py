# SPDX-License-Identifier: Apache-2.0
"""Try mutants, on a copy: mutmut changes nothing in the working tree."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.mutation.mutants import Mutant, path_of

NEEDED = ("src", "tests", "docs", "examples", "pyproject.toml", "README.md")
CAUGHT = frozenset((1, 3, -24, 24, 36, 152, 255))
"""mutmut's own codes: a test failed, pytest itself did, or the tests never ended."""

# Each mutant begins in a process in which no test has run: a cache that the clean run had filled would answer
# in its place.
_SETTINGS = """\
[mutmut]
source_paths=src
only_mutate={path}
also_copy=
    docs
    examples
    README.md
pytest_add_cli_args_test_selection=
    {tests}
pytest_add_cli_args=
    -m
    not slow
timeout_constant=10
timeout_multiplier=5
process_isolation=forkserver
track_dependencies=false
use_git_change_detection=false
"""


def survivors(module: str, tests: Sequence[str], mutants: Iterable[Mutant]) -> list[Mutant]:
    """Run the nearest tests on each mutant of a module; give those that none of them noticed."""
    by_name = {mutant.name: mutant for mutant in mutants}
    if not by_name:
        return []
    try:
        codes = _codes(path_of(module), tests, list(by_name))
    except RuntimeError:
        # A test that a busy machine has held up stops the whole module: it is tried once more.
        codes = _codes(path_of(module), tests, list(by_name))
    return [mutant for name, mutant in by_name.items() if codes[name] not in CAUGHT]


def _codes(path: Path, tests: Sequence[str], names: list[str]) -> dict[str, int]:
    """Let mutmut try some mutants of a file, on a copy; give its code for each."""
    Path("build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir="build", prefix="mutants-") as folder:
        return _codes_at(Path(folder), path, tests, names)


def _codes_at(copy: Path, path: Path, tests: Sequence[str], names: list[str]) -> dict[str, int]:
    for needed in map(Path, NEEDED):
        if needed.is_dir():
            shutil.copytree(needed, copy / needed, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(needed, copy / needed)
    settings = _SETTINGS.format(path=path, tests="\n    ".join(tests))
    (copy / "setup.cfg").write_text(settings, encoding="utf-8")
    # What the interpreter finds by itself is the working tree; the tests must find the copy.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-m", "tests.mutation.operators", "run", "--max-children", "1", *names]
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, check=False)
    results = copy / "mutants" / f"{path}.meta"
    codes = json.loads(results.read_text(encoding="utf-8"))["exit_code_by_key"] if results.exists() else {}
    if any(codes.get(name) is None for name in names):
        told = (done.stdout + done.stderr).decode(errors="replace").splitlines()[-40:]
        raise RuntimeError("\n".join((f"not every mutant of {path} was tried", *told)))
    return codes
