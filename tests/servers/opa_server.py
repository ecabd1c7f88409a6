# SPDX-License-Identifier: Apache-2.0
"""The real program `opa`, for tests: as it is installed, or installed by Go for tests that say `slow`."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from remit.adapters.policy.rego.program import OpaProgram
from tests.architecture.tree import ROOT

VERSION = "v1.22.4"
MODULE = "github.com/open-policy-agent/opa"
#: Where the program is that was installed before; else the one on the path, or in `build/`.
PROGRAM = "REMIT_OPA"
#: Compiling it from nothing takes many minutes on a small machine.
BUILD_S = 3600


def installed(*, build: bool = False) -> Path:
    """Return the program; skips the test, with the reason, without it. `build` has Go install it."""
    found = os.environ.get(PROGRAM) or shutil.which("opa")
    if found:
        return Path(found)
    program = ROOT / "build" / "opa" / "bin" / "opa"
    if not program.exists():
        if not build:
            pytest.skip(f"`opa` is not installed; {PROGRAM} may name it, and the slow tests install it")
        _install(program)
    return program


def _install(program: Path) -> None:
    go = shutil.which("go")
    if go is None:
        pytest.skip(f"OPA is a Go module and there is no Go here; {PROGRAM} may name the program")
    program.parent.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(
            [go, "install", f"{MODULE}@{VERSION}"],
            env={**os.environ, "GOBIN": str(program.parent)},
            capture_output=True,
            text=True,
            timeout=BUILD_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"`go install` of OPA did not end within {BUILD_S} s")
    if done.returncode:
        pytest.skip(f"OPA cannot be had: `go install` said {done.stderr[-300:]}")


@functools.cache
def program() -> OpaProgram:
    """Return the installed program as remit runs it; skips the test without it or without `wasmtime`."""
    pytest.importorskip("wasmtime", reason="Rego in process needs the extra `rego`")
    return OpaProgram(str(installed()))
