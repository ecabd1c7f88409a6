# SPDX-License-Identifier: Apache-2.0
"""A person with an empty home who types commands of remit, and an assistant that works through a client."""

import contextlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from tests.adoption.project import Project
from tests.adoption.work import Call

Json = Any
ROOT = Path(__file__).resolve().parents[2]
_CLIENT = ROOT / "tests" / "clients" / "desktop_client.py"
_CODE = re.compile(r"\b[a-z2-7]{4}(?:-[a-z2-7]{4}){3}\b")
_COMMAND_S = 300


class CommandFailed(Exception):
    """A command of the walk that did not end as it should."""


class Newcomer:
    """Types commands in the project's folder. What is typed is counted; what only measures is not."""

    def __init__(self, project: Project) -> None:
        """Begin with nothing typed, and with no variable that tells remit anything."""
        self.project = project
        self.typed: list[str] = []
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("REMIT_", "XDG_"))}
        self.env = {
            **kept,
            "HOME": str(project.home),
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)]),
            "NO_COLOR": "1",
            "COLUMNS": "120",
        }

    def types(self, *words: str, given: str = "") -> str:
        """Run a command that the person types; return what it says, or raise `CommandFailed`."""
        self.typed.append(" ".join(("remit", *words)))
        return self.run(*words, given=given)

    def run(self, *words: str, given: str = "") -> str:
        """Run a command and count nothing."""
        done = subprocess.run(
            [sys.executable, "-m", "remit", *words],
            cwd=self.project.folder, env=self.env, input=given, capture_output=True, text=True,
            timeout=_COMMAND_S, check=False,
        )  # fmt: skip
        if done.returncode:
            raise CommandFailed(f"remit {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def json(self, *words: str) -> Json:
        """Return the answer of a command as JSON, and count nothing."""
        return json.loads(self.run(*words, "--json"))

    def stop(self) -> None:
        """Stop remit, if it runs."""
        with contextlib.suppress(CommandFailed):
            self.run("stop")

    def approve_all(self) -> int:
        """Say yes to every question that is open, none of it counted; return how many there were."""
        found = self.json("approvals")["items"]
        for one in found:
            self.run("approve", one["id"], "--confirm", one["call"])
        return len(found)

    def sign_in(self) -> None:
        """Read the code of the first start in the log, and sign in with it."""
        found = _CODE.search(self.types("logs"))
        if found is None:
            raise CommandFailed("the log has no code to sign in with")
        self.types("login", "--code-stdin", given=found[0])


class Session:
    """One client process with the servers of the project's file, as its person starts it."""

    def __init__(self, newcomer: Newcomer, *only: str) -> None:
        """Begin with no process; `only` are the servers that the client starts, without names all of them."""
        self.pid = 0
        self.tools: dict[str, list[str]] = {}
        self._newcomer = newcomer
        self._only = only

    def __enter__(self) -> Self:
        project = self._newcomer.project
        env = {**self._newcomer.env, "MEMORY_FILE_PATH": str(project.memory)}
        self._process = subprocess.Popen(
            [sys.executable, str(_CLIENT)], env=env, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.pid = self._process.pid
        entries: Json = json.loads(project.file.read_text())["mcpServers"]
        entries = {name: one for name, one in entries.items() if not self._only or name in self._only}
        orders = [{"open": [name, one["command"], *one.get("args", ())]} for name, one in entries.items()]
        told = self._ask(all=orders)
        self.tools = dict(zip(entries, told, strict=True))
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(_COMMAND_S)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _ask(self, **order: Json) -> Json:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "fault" in answer:
            raise CommandFailed(f"{order}: {answer['fault']}")
        return answer["ok"]

    def insist(self, call: Call) -> tuple[str, str, bool]:
        """Make a call; where a person is asked, have it approved and make it again.

        Returns status and text of the last answer, and whether a person was asked.
        """
        status, text = self.call(call)
        if status != "waiting":
            return status, text, False
        self._newcomer.approve_all()
        return *self.call(call), True

    def call(self, call: Call) -> tuple[str, str]:
        """Make a call; return its status (`ok`, `failed`, or what remit says) and its text."""
        failed, text, status = self._ask(call=list(call))
        return status or ("failed" if failed else "ok"), text
