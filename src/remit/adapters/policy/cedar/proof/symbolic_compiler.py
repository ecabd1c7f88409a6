# SPDX-License-Identifier: Apache-2.0
"""Cedar's symbolic compiler, run as its command line program (`cedar symcc`), one question a process.

A question has limits of time and memory, and its files are in a separate folder. Any answer but the two
known ones is a failure, which proves nothing.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from remit.adapters.policy.cedar.policy_text import quoted
from remit.core.errors import NotFound
from remit.core.json_value import Json
from remit.core.policy.proof import ProofPrograms

#: Names the program `cedar`; without it, the one beside the Python interpreter or on the search path counts.
PROGRAM: Final = "REMIT_CEDAR"
#: Seconds for one question.
MAX_SECONDS: Final = 60.0
#: Address space of the compiler; the solver has its own limit.
MAX_MEMORY_KIB: Final = 4 << 20
_VERIFIED: Final = ": VERIFIED"
_REFUTED: Final = ": DOES NOT HOLD"
_INSTALL: Final = (
    "run `make proof`, or `cargo install cedar-policy-cli --version ^4.14 --locked --features analyze` and "
    "`pip install 'remit[proof]'`"
)
#: `exec` keeps the process that is waited for; a system without such a limit runs without it.
_LIMITED: Final = f'ulimit -v {MAX_MEMORY_KIB} 2>/dev/null; exec "$@"'


class Compiled(msgspec.Struct, frozen=True):
    """The answer to one question: it holds for every call, or a call for which it does not, or the fault.

    `example` is in the form in which the program prints it.
    """

    holds: bool = False
    example: str = ""
    fault: str = ""


class SymbolicCompiler:
    """Asks `cedar symcc` about policy sets in Cedar's JSON form, for as long as one proof may take."""

    def __init__(self, seconds: float = MAX_SECONDS) -> None:
        """Find the programs; raise `NotFound` where one is not installed.

        All questions together take up to `seconds`.
        """
        beside = Path(sys.executable).parent / "cedar"
        found = shutil.which(os.environ.get(PROGRAM) or (str(beside) if beside.exists() else "cedar"))
        if found is None:
            raise NotFound("the program `cedar` is not installed", remediation=_INSTALL)
        if importlib.util.find_spec("cvc5") is None:
            raise NotFound("the solver `cvc5` is not installed", remediation=_INSTALL)
        self._program = found
        self._until = time.monotonic() + seconds

    def programs(self) -> ProofPrograms:
        """Return the versions of the programs; raise `NotFound` for a `cedar` without the analysis."""
        with tempfile.TemporaryDirectory(prefix="remit-proof-") as folder:
            if self._run([self._program, "symcc", "--help"], Path(folder))[0] != 0:
                raise NotFound("the program `cedar` here cannot analyze policies", remediation=_INSTALL)
            _, out, _ = self._run([self._program, "--version"], Path(folder))
        return ProofPrograms(out.split()[-1] if out.split() else "", importlib.metadata.version("cvc5"))

    def never_errs(self, schema: str, tool: str, policies: Mapping[str, Json]) -> Compiled:
        """Ask whether a policy never fails, for any call of `tool`."""
        return self._asked(schema, tool, "never-errors", {"policies": policies}, "--policy-format")

    def implies(
        self, schema: str, tool: str, first: Mapping[str, Json], second: Mapping[str, Json]
    ) -> Compiled:
        """Ask whether the second set permits every call that the first one permits."""
        sets = {"policies1": first, "policies2": second}
        return self._asked(schema, tool, "implies", sets, "--policies1-format", "--policies2-format")

    def _asked(
        self, schema: str, tool: str, question: str, sets: Mapping[str, Mapping[str, Json]], *formats: str
    ) -> Compiled:
        with tempfile.TemporaryDirectory(prefix="remit-proof-") as folder:
            place = Path(folder)
            (place / "schema").write_text(schema, encoding="utf-8")
            solver = place / "solver"
            # As a file and not as a module: the rest of remit need not be loaded for each question.
            run = shlex.join([sys.executable, "-P", str(Path(__file__).with_name("solver.py"))])
            solver.write_text(f'#!/bin/sh\nexec {run} "$@"\n')
            solver.chmod(0o700)
            command = [self._program, "symcc", "--cvc5-path", str(solver), "--counterexample"]
            command += ["--principal-type", "Agent", "--resource-type", "Tool"]
            command += ["--action", f"Action::{quoted(tool)}", "--schema", str(place / "schema"), question]
            for name, policies in sets.items():
                whole = {"templates": {}, "staticPolicies": dict(policies), "templateLinks": []}
                (place / name).write_text(json.dumps(whole), encoding="utf-8")
                command += [f"--{name}", str(place / name)]
            for one in formats:
                command += [one, "json"]
            status, said, fault = self._run(command, place)
        head, _, rest = said.partition("\n")
        if status == 0 and head.endswith(_VERIFIED):
            return Compiled(holds=True)
        if status == 0 and head.endswith(_REFUTED):
            return Compiled(example=rest.partition("\n")[2])
        return Compiled(fault=fault)

    def _run(self, command: list[str], place: Path) -> tuple[int, str, str]:
        """Run a program; return its status, its output, and what went wrong in words."""
        seconds = min(MAX_SECONDS, self._until - time.monotonic())
        if seconds <= 0:
            return -1, "", "the time for this proof is up; limit it with `--tool`"
        child = subprocess.Popen(  # noqa: S603
            ["/bin/sh", "-c", _LIMITED, "sh", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=place,
            # The child gets only the module path of the environment, and none of the secrets.
            env={"PYTHONPATH": os.pathsep.join(one for one in sys.path if one)},
            start_new_session=True,
        )
        try:
            out, err = child.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            return -1, "", f"the question takes longer than {seconds:.0f} seconds"
        finally:
            # The solver is a child of the compiler: the whole group ends.
            with contextlib.suppress(OSError):
                os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
        words = " ".join(err.decode("utf-8", "replace").replace("│", " ").split())
        fault = f"Cedar's compiler cannot decide it: {words[:400] or 'it gives no answer'}"
        return child.returncode, out.decode("utf-8", "replace"), fault
