# SPDX-License-Identifier: Apache-2.0
"""What the race asks of an adapter, and what adapters have in common."""

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
import venv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

PLACE = Path("build/race")
"""Environments and state of the gateways, below the current folder."""


class Access(msgspec.Struct, frozen=True):
    """How an agent calls: the MCP endpoint, the headers of each request, and the name of the `echo` tool."""

    url: str
    headers: dict[str, str]
    tool: str = "echo"


class Gateway(Protocol):
    """One gateway: the race calls `start` once, `admit` and `end` for each round, then `stop`."""

    name: str
    """As in the table and for `--only`."""

    distribution: str
    """What is installed and whose version is reported; empty if it runs in the kit's own environment."""

    means: str
    """How access is ended, as the gateway's documentation names it; a few words."""

    settings: str
    """What differs from the defaults, and why; a few words."""

    ends_all: bool
    """Whether the gateway can end only all agents at once: then no bystander is expected to go on."""

    def start(self, upstream: str, folder: Path) -> None:
        """Start before this upstream, with its state in this empty folder, and return when it is ready.

        Raises:
            RuntimeError: if it does not get ready.
        """
        ...

    def admit(self) -> Access:
        """Give one more agent access."""
        ...

    def end(self, access: Access) -> None:
        """End this agent's access, and return as soon as the gateway acknowledges the end.

        Raises:
            RuntimeError: if it does not.
        """
        ...

    def stop(self) -> None:
        """Stop it; nothing if it was not started."""
        ...

    def version(self) -> str:
        """Return the version that runs."""
        ...


class Environment:
    """A virtual environment with one distribution, made when it is first used and kept."""

    def __init__(self, requirement: str) -> None:
        """Take what is installed, such as `fastmcp==4.1.6`."""
        self.requirement = requirement
        self.folder = (PLACE / "venvs" / requirement.replace("==", "-")).absolute()

    def program(self, name: str) -> str:
        """Return the path of a program of the environment, after making it if needed.

        Raises:
            RuntimeError: if the installation fails.
        """
        done = self.folder / ".done"
        if not done.exists():
            venv.create(self.folder, with_pip=True, clear=True)
            pip = [str(self.folder / "bin" / "pip"), "install", "--quiet", self.requirement]
            found = subprocess.run(pip, capture_output=True, text=True, check=False)
            if found.returncode:
                raise RuntimeError(f"`{self.requirement}` cannot be installed: {found.stderr[-400:]}")
            done.touch()
        return str(self.folder / "bin" / name)

    def version(self) -> str:
        """Return the installed version."""
        name = self.requirement.partition("==")[0]
        code = f"from importlib.metadata import version; print(version({name!r}))"
        run = [self.program("python"), "-c", code]
        return subprocess.run(run, capture_output=True, text=True, check=True).stdout.strip()


def ask(
    method: str, url: str, body: object = None, headers: Mapping[str, str] | None = None, form: str = ""
) -> Any:
    """Make one management request; return the JSON of the answer, or None if it has no body.

    Raises:
        RuntimeError: for any answer but 2xx.
        OSError: if the connection cannot be made.
    """
    data = form.encode() if form else None if body is None else json.dumps(body).encode()
    kind = "application/x-www-form-urlencoded" if form else "application/json"
    request = urllib.request.Request(  # noqa: S310 - adapters name loopback addresses
        url, data, {"content-type": kind, **(headers or {})}, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            told = answer.read()
    except urllib.error.HTTPError as e:
        raise RuntimeError(f"{method} {url}: {e.code} {e.read()[:300]!r}") from e
    return json.loads(told) if told else None


def reachable(url: str) -> bool:
    """Whether anything answers HTTP there."""
    try:
        ask("GET", url)
    except RuntimeError:
        return True
    except OSError:
        return False
    return True


def clean(extra: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment without what would lead another Python astray, and with `extra`."""
    misleading = ("PYTHON", "VIRTUAL_ENV")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(misleading)}
    return {**kept, **extra}


class Program:
    """A process of a gateway, with its output in a file of its folder."""

    def __init__(self, argv: Sequence[str], folder: Path, env: Mapping[str, str] | None = None) -> None:
        """Start it in this folder."""
        self.log = folder / f"{Path(argv[0]).name}.log"
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                list(argv),
                cwd=folder,
                env=clean(env or {}),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )

    def alive(self) -> None:
        """Raise `RuntimeError` with the last of its output if it has ended."""
        if self.process.poll() is not None:
            told = self.log.read_text("utf-8", errors="replace")[-1500:]
            raise RuntimeError(f"`{self.log.stem}` ended with {self.process.returncode}: {told}")

    def stop(self) -> None:
        """End it, kindly first."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def wait(program: Program, ready: Callable[[], bool], limit_s: float = 120.0) -> None:
    """Wait until a program says that it is ready.

    Raises:
        RuntimeError: if it ends or the time passes first.
    """
    until = time.monotonic() + limit_s
    while not ready():
        program.alive()
        if time.monotonic() > until:
            raise RuntimeError(f"`{program.log.stem}` is not ready after {limit_s:g} s")
        time.sleep(0.05)
