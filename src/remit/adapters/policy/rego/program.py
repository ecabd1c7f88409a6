# SPDX-License-Identifier: Apache-2.0
"""Runs the program `opa`: to parse, check and compile policies.

A text from outside can keep a compiler busy for as long as its author likes. So each run has limits of time
and memory, no environment with secrets, and a folder to itself. A failure is reported as a problem of the
policies.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from remit.core.errors import ConfigInvalid
from remit.core.json_value import Json
from remit.ports.policy import Problem

MAX_COMPUTING_S: Final = 30
MAX_WAITING_S: Final = 60
MAX_MEMORY: Final = "1GiB"
MAX_FILE_BYTES: Final = 64 << 20
#: Most characters of what OPA says about one problem.
MAX_TEXT: Final = 300
#: Address space. Go reserves far more of it than it uses.
MAX_SPACE_BYTES: Final = 8 << 30
_INSTALL: Final = (
    "install OPA 1.0 or later (https://www.openpolicyagent.org/docs#running-opa), or build the policies "
    "where it is installed: `remit policy build`"
)


UNREADABLE: Final = "the syntax tree that `opa parse` gives cannot be read"


class OpaFailed(Exception):
    """Raised for a run of `opa` that fails without naming a place in the policies."""


class OpaProgram:
    """The installed program `opa`."""

    def __init__(
        self,
        path: str = "",
        *,
        computing_s: int = MAX_COMPUTING_S,
        waiting_s: float = MAX_WAITING_S,
    ) -> None:
        """Take the program; by default the one that the system finds."""
        self._path = path
        self._computing_s = computing_s
        self._waiting_s = waiting_s

    @property
    def path(self) -> str:
        """Where the program is; empty where it is not installed."""
        return self._path or shutil.which("opa") or ""

    @contextmanager
    def folder(self, files: Mapping[str, str]) -> Iterator[OpaFolder]:
        """Make a folder with these files for as long as they are worked on."""
        path = self.path
        if not path:
            raise ConfigInvalid("`opa` is not installed, and Rego needs it", remediation=_INSTALL)
        with tempfile.TemporaryDirectory(prefix="remit-rego-") as place:
            folder = OpaFolder(Path(place), path, self._computing_s, self._waiting_s)
            for name, text in files.items():
                folder.write(name, text)
            yield folder


class OpaFolder:
    """A folder in which `opa` runs."""

    def __init__(self, place: Path, program: str, computing_s: int, waiting_s: float) -> None:
        """Take the folder."""
        self._place = place
        self._program = program
        self._computing_s = computing_s
        self._waiting_s = waiting_s

    def write(self, name: str, text: str) -> None:
        """Write one file."""
        path = self._place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def read(self, name: str) -> bytes:
        """Return the content of one file."""
        return (self._place / name).read_bytes()

    def parse(self, name: str) -> Json | list[Problem]:
        """Return the syntax tree of a file, or its problems."""
        status, out, err = self._run("parse", "--format", "json", "--json-include", "locations", name)
        if status != 0:
            return problems_in(err or out)
        try:
            return msgspec.json.decode(out)
        except msgspec.DecodeError:
            raise OpaFailed(UNREADABLE) from None

    def check(self, *arguments: str) -> list[Problem]:
        """Return what `opa check --strict` finds."""
        status, out, err = self._run("check", "--strict", "--format", "json", *arguments)
        return [] if status == 0 else problems_in(err or out)

    def build(self, *arguments: str) -> None:
        """Run `opa build`; raise `OpaFailed`."""
        status, out, err = self._run("build", *arguments)
        if status != 0:
            found = problems_in(err or out)
            raise OpaFailed(found[0].text if found else "`opa build` failed")

    def _run(self, *arguments: str) -> tuple[int, bytes, bytes]:
        child = subprocess.Popen(  # noqa: S603
            [self._program, *arguments],
            cwd=self._place,
            env={"GOMEMLIMIT": MAX_MEMORY, "HOME": str(self._place), "TMPDIR": str(self._place)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        if sys.platform == "linux":
            # The child may have ended already.
            with contextlib.suppress(OSError):
                resource.prlimit(child.pid, resource.RLIMIT_CPU, (self._computing_s, self._computing_s))
                resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (MAX_FILE_BYTES, MAX_FILE_BYTES))
                resource.prlimit(child.pid, resource.RLIMIT_AS, (MAX_SPACE_BYTES, MAX_SPACE_BYTES))
        try:
            out, err = child.communicate(timeout=self._waiting_s)
        except subprocess.TimeoutExpired:
            # Its own children would hold the pipes open.
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
            raise OpaFailed(f"`opa {arguments[0]}` takes longer than {self._waiting_s:g} seconds") from None
        if child.returncode < 0:
            raise OpaFailed(f"`opa {arguments[0]}` takes longer than {self._computing_s} seconds, or fails")
        return child.returncode, out, err


class _Place(msgspec.Struct):
    file: str = ""
    row: int = 0


class _Fault(msgspec.Struct):
    message: str
    code: str = ""
    location: _Place | None = None
    details: Any = None


class _Faults(msgspec.Struct):
    errors: list[_Fault]


def problems_in(text: bytes) -> list[Problem]:
    """Return the problems that OPA reports as JSON; whatever else it says is one problem."""
    try:
        faults = msgspec.json.decode(text, type=_Faults).errors
    except msgspec.DecodeError:
        said = text.decode(errors="replace").strip().splitlines()
        return [Problem("error", (said[0] if said else "OPA reports a failure")[:MAX_TEXT], remediation=_SEE)]
    return [
        Problem(
            "error",
            _said(one),
            one.location.file if one.location else "",
            (one.location.row or None) if one.location else None,
            remediation=_SEE,
        )
        for one in faults
    ]


_SEE: Final = "see docs/howto/write-policies-in-rego.md for the form of a rule"


def _said(fault: _Fault) -> str:
    details = fault.details if isinstance(fault.details, dict) else {}
    line = details.get("line")
    text = f"{fault.message}: `{line.strip()}`" if isinstance(line, str) and line.strip() else fault.message
    return text[:MAX_TEXT]
