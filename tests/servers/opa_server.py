# SPDX-License-Identifier: Apache-2.0
"""The real program `opa`, for tests: as it is installed, or installed by Go for tests that say `slow`."""

from __future__ import annotations

import base64
import functools
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from remit.adapters.policy.rego.program import OpaProgram
from remit.ports.policy import PolicySource
from tests.architecture.tree import ROOT
from tests.servers.ports import free_port

VERSION = "v1.22.4"
MODULE = "github.com/open-policy-agent/opa"
#: Where the program is that was installed before; else the one on the path, or in `build/`.
PROGRAM = "REMIT_OPA"
#: Compiling it from nothing takes many minutes on a small machine.
BUILD_S = 3600
#: Longest wait for a process to do what it does within a second.
PATIENCE_S = 60


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


class RunningOpa:
    """A real OPA server with one bundle, or with none."""

    def __init__(self, path: Path, folder: Path) -> None:
        """Take the program and a folder; nothing runs yet."""
        self._path = path
        self._folder = folder
        self._child: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{free_port()}"

    def start(self, bundle: PolicySource | None, *options: str) -> None:
        """Run the server and wait until it answers."""
        command = [str(self._path), "run", "--server", "--addr", self.url.removeprefix("http://"), *options]
        if bundle is not None:
            place = self._folder / "bundle.tar.gz"
            place.write_bytes(base64.b64decode(bundle.text))
            command += ["--bundle", str(place)]
        self._child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/health", timeout=PATIENCE_S).close()
                return
            except urllib.error.HTTPError:
                return  # it answers
            except urllib.error.URLError:
                assert self._child.poll() is None, "the OPA server ended"
                assert time.monotonic() < until, "the OPA server does not answer"
                time.sleep(0.05)

    def stop(self) -> None:
        """End the server."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._child = None


@contextmanager
def running(folder: Path, bundle: PolicySource | None = None, *options: str) -> Iterator[RunningOpa]:
    """Run a server for as long as a test needs it."""
    server = RunningOpa(installed(), folder)
    try:
        server.start(bundle, *options)
        yield server
    finally:
        server.stop()
