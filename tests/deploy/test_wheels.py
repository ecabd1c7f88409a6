# SPDX-License-Identifier: Apache-2.0
"""Both wheels work in an empty environment, on each Python that `pyproject.toml` names."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
import tomllib
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT
from tests.deploy.debian_root import debian_root, inside
from tests.deploy.wheels import built

pytestmark = [pytest.mark.slow, pytest.mark.long]

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
VERSIONS = [
    one.rpartition(" ")[2]
    for one in PROJECT["classifiers"]
    if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", one)
]
CODE = re.compile(r"\b[a-z2-7]{4}(?:-[a-z2-7]{4}){3}\b")
START_S = 120
#: What a newcomer's agent does first.
AGENT = """
import asyncio, os
from mcp import Client

async def main():
    async with Client(os.environ["REMIT_MCP_URL"] + "/notes") as notes:
        print((await notes.call_tool("read_note", {"name": "shopping"})).content[0].text)
        print((await notes.call_tool("read_note", {"name": "diary"})).is_error)

asyncio.run(main())
"""


class Python:
    """An interpreter, and the empty environment that is made with it."""

    def __init__(self, version: str, folder: Path) -> None:
        self.folder = folder
        self.before, program = _found(version, folder)
        self.env = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(folder),
            "NO_COLOR": "1",
            "LANG": "C.UTF-8",
        }
        self.env |= {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_"))}
        self.run(program, "-m", "venv", str(folder / "env"))

    def words(self, program: str, *words: str) -> list[str]:
        """Return the command line of a program of the environment."""
        return [*self.before, str(self.folder / "env" / "bin" / program), *words]

    def run(self, program: str, *words: str, cwd: Path | None = None, given: str = "") -> str:
        """Run a program that must succeed; gives what it prints."""
        line = [*self.before, program, *words] if "/" in program else self.words(program, *words)
        if self.before and cwd is not None:
            line = [*self.before, "env", "-C", str(cwd), *line[len(self.before) :]]
        done = subprocess.run(
            line, env=self.env, cwd=cwd, input=given, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout + done.stderr


def _found(version: str, folder: Path) -> tuple[list[str], str]:
    """Return the words that lead to an interpreter, and its path there; skip the test if there is none.

    Places: the path, pyenv's versions, and Debian's `sid` in a separate root.
    """
    name = f"python{version}"
    places = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/{name}"))
    if found := shutil.which(
        name, path=os.pathsep.join([*(str(one.parent) for one in places), os.environ["PATH"]])
    ):
        return [], str(Path(found).resolve())
    root = debian_root()
    if not (root / "usr" / "bin" / name).exists():
        pytest.skip(f"there is no {name} on the path, in pyenv, or in Debian's sid")
    return inside(root, [folder]), f"/usr/bin/{name}"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Both wheels."""
    return built(tmp_path_factory.mktemp("wheels"))


@pytest.fixture(params=VERSIONS)
def python(request: pytest.FixtureRequest, tmp_path: Path) -> Python:
    """Each interpreter that the package promises to work with."""
    return Python(request.param, tmp_path)


def _copied(wheels: list[Path], folder: Path) -> list[str]:
    """Copy the wheels to where the interpreter sees them."""
    return [shutil.copy(str(one), str(folder)) for one in wheels]


def test_the_server_installs_and_governs_a_call(python: Python, wheels: list[Path]) -> None:
    """From an empty environment to one permitted and one refused call, and the evidence of both."""
    remit, sdk = _copied(wheels, python.folder)
    python.run("pip", "install", "--quiet", remit, sdk)
    python.run("pip", "check")
    # Warnings of the compiler are of newer versions, and errors of later ones.
    site = python.run("python", "-c", "import remit; print(remit.__path__[0])").strip()
    python.run("python", "-W", "error", "-m", "compileall", "-q", "-f", site)
    assert python.run("remit", "--version").strip() == f"remit {remit_version(wheels)}"
    house, ready, log = (python.folder / name for name in ("house", "ready.json", "log"))
    python.run("remit", "init", str(house))
    line = python.words("remit", "up", "--config", str(house), "--port", "0", "--ready-file", str(ready))
    with log.open("wb") as out:
        served = subprocess.Popen(line, env=python.env, stdout=out, stderr=out)
    try:
        until = time.monotonic() + START_S
        while not ready.exists():
            assert served.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.1)
        python.env["REMIT_URL"] = json.loads(ready.read_text())["url"]
        code = CODE.search(log.read_text())
        assert code, log.read_text()
        python.run("remit", "login", "--code-stdin", given=code[0], cwd=house)
        purpose = ("--owner", "admin", "--purpose", "keeps notes tidy")
        python.run("remit", "agent", "register", "note-bot", *purpose, cwd=house)
        (house / "agent.py").write_text(AGENT)
        program = (str(python.folder / "env/bin/python"), "agent.py")
        task = ("--agent", "note-bot", "--task", "tidy-note", "-p", "note=shopping")
        told = python.run("remit", "run", *task, "--", *program, cwd=house)
        assert "milk" in told
        assert "True" in told
        assert "read_note" in python.run("remit", "audit", "log", cwd=house)
    finally:
        served.terminate()
        served.wait(60)
    assert "Warning" not in log.read_text()


def remit_version(wheels: list[Path]) -> str:
    """Return the version in the name of a wheel."""
    return wheels[0].name.split("-")[1]


def test_the_sdk_installs_alone(python: Python, wheels: list[Path]) -> None:
    """It brings neither the server nor an MCP library."""
    _, sdk = _copied(wheels, python.folder)
    python.run("pip", "install", "--quiet", sdk)
    python.run("python", "-W", "error", "-c", "import remit_sdk; remit_sdk.task, remit_sdk.Refused")
    names = {one["name"].lower() for one in json.loads(python.run("pip", "list", "--format", "json"))}
    assert "remit-sdk" in names
    assert not names & {"remit", "mcp", "starlette", "cedarpy"}
