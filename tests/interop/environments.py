# SPDX-License-Identifier: Apache-2.0
"""Environments of programs by others, each installed from PyPI or npm apart from remit's packages."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from tests.interop.suite import HOME, NODE, NPM, NotInstalled


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """Wait until no other worker makes the environment of this name."""
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Environment:
    """An environment below `build/interop` with exactly the packages that a requirements file pins."""

    def __init__(self, name: str, requirements: Path) -> None:
        """Keep where it is; `ready` makes it."""
        self._name = name
        self._requirements = requirements
        self._place = HOME / name
        # Written once everything that the requirements name is there.
        self._done = self._place / "installed.txt"
        self.python = self._place / "bin" / "python"

    @property
    def installed(self) -> bool:
        """Whether exactly what the requirements pin is installed."""
        return self._done.exists() and self._done.read_text("utf-8") == self._requirements.read_text("utf-8")

    def ready(self) -> None:
        """Install the packages where they are not yet; raises `NotInstalled`."""
        with _alone(self._name):
            if not self.installed:
                self._make()

    def _make(self) -> None:
        venv.create(self._place, with_pip=True, clear=True)
        wanted = ["--quiet", "--no-deps", "-r", str(self._requirements)]
        command = [str(self.python), "-m", "pip", "install", *wanted]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
        except subprocess.TimeoutExpired:
            raise NotInstalled("pip did not end in half an hour") from None
        if done.returncode != 0:
            raise NotInstalled(f"pip could not install {self._name}: {done.stderr.strip()[-300:]}")
        self._done.write_text(self._requirements.read_text("utf-8"), "utf-8")


class Child:
    """A program in such an environment that answers one JSON object a line with another, one at a time.

    Use it as a context manager; the caller has made sure that the environment is ready.
    """

    def __init__(self, python: Path, program: Path) -> None:
        """Start the program, with nothing of this process's environment but what a program needs."""
        self._program = program
        self._process = subprocess.Popen(
            [str(python), str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")},
        )

    def __enter__(self) -> Self:
        """Return the running program."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.wait(20)

    def ask(self, question: Any) -> Any:
        """Return what the program answers; raises `RuntimeError` if it ends instead."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            sys.stderr.flush()
            raise RuntimeError(f"{self._program} ended with {self._process.wait(20)} on {question}")
        return json.loads(line)


class NodeEnvironment:
    """A folder below `build/interop` with exactly the packages that a `package-lock.json` pins.

    No script of a package runs while it is installed.
    """

    def __init__(self, name: str, lock: Path) -> None:
        """Keep where it is, and the folder of its lock; `ready` makes it."""
        self._name = name
        self._lock = lock
        self._place = HOME / name
        self._done = self._place / "installed.json"
        self.modules = self._place / "node_modules"

    @property
    def installed(self) -> bool:
        """Whether exactly what the lock pins is installed."""
        return self._done.exists() and self._done.read_bytes() == self._pinned()

    def _pinned(self) -> bytes:
        return (self._lock / "package-lock.json").read_bytes()

    def ready(self) -> None:
        """Install the packages where they are not yet; raises `NotInstalled`."""
        with _alone(self._name):
            if not self.installed:
                self._make()

    def _make(self) -> None:
        shutil.rmtree(self._place, ignore_errors=True)
        self._place.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(self._lock / name, self._place / name)
        command = [str(NODE), str(NPM), "ci", "--prefix", str(self._place), "--cache", str(HOME / "npm")]
        command += ["--no-audit", "--no-fund", "--ignore-scripts", "--quiet"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
        except subprocess.TimeoutExpired:
            raise NotInstalled("npm did not end in half an hour") from None
        if done.returncode != 0:
            raise NotInstalled(f"npm could not install {self._name}: {done.stderr.strip()[-300:]}")
        self._done.write_bytes(self._pinned())
