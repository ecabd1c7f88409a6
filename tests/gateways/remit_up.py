# SPDX-License-Identifier: Apache-2.0
"""A real `remit up` to type commands at: its own process, SQLite, and the example server over stdio."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import re
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import httpx2

import remit
from remit.cli.main import run
from remit_sdk.auth import TaskAuth
from remit_sdk.key import AgentKey
from remit_sdk.session import AgentSession
from tests.servers.ports import free_port

Json = Any
CODE = re.compile(r"\b[a-z2-7]{4}(?:-[a-z2-7]{4}){3}\b")
SOURCES = str(Path(remit.__file__).parents[1])
START_S = 120
#: It listens without TLS; loading the system's authorities would take longer than a call.
NO_AUTHORITY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def until(reached: Callable[[], object]) -> None:
    """Wait until something holds that no event reports."""
    limit_s = time.monotonic() + START_S
    while not reached():
        assert time.monotonic() < limit_s, "it never came to hold"
        time.sleep(0.05)


class Said(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Json:
        """Standard output, which must be JSON and nothing else."""
        return json.loads(self.out)


def run_here(words: Sequence[str], folder: Path, env: Mapping[str, str], given: str = "") -> Said:
    """Run one command in this process, which saves starting Python, as a shell in this folder would."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict(os.environ, env, clear=True),
        mock.patch("sys.stdin", io.StringIO(given)),
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = run(list(words))
    return Said(code, out.getvalue(), err.getvalue())


class Remit:
    """A folder made by `remit init`, and the process that serves it."""

    def __init__(self, folder: Path) -> None:
        """Nothing runs yet."""
        self.folder = folder
        self.env = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("REMIT_", "COLUMNS", "LINES"))
            },
            "XDG_CONFIG_HOME": str(folder.parent / "home"),
            "PYTHONPATH": SOURCES,
            "NO_COLOR": "1",
        }
        self.url = ""
        self.log = folder.parent / "up.log"
        self.process: subprocess.Popen[bytes] | None = None

    def __call__(self, *words: str, by: str = "", given: str = "") -> Said:
        """Run one command as a shell would: in this folder, with this environment, without a terminal.

        A command that serves runs in its own process; other commands run in this process. `given` is the
        command's standard input.
        """
        line = [*words, *(("--as", by) if by else ())]
        said = self.apart(*line) if words[0] == "up" else run_here(line, self.folder, self.env, given)
        assert "Traceback" not in said.err, said.err
        return said

    def apart(self, *words: str) -> Said:
        """Run one command in its own process."""
        told = subprocess.run(
            self.command(*words),
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return Said(told.returncode, told.stdout, told.stderr)

    def command(self, *words: str) -> list[str]:
        """Return the command line that starts this installation of remit."""
        return [sys.executable, "-m", "remit", *words]

    def ask(self, *words: str, by: str = "") -> Json:
        """Run one command that must succeed, and give its JSON."""
        said = self(*words, "--json", by=by)
        assert said.code == 0, said.err
        return said.json

    def start(self, *words: str, port: int = 0, at: str = "") -> None:
        """Start `remit up` on a port, a free one unless given, and return once it serves.

        Commands find it `at` this address, its public one unless given.

        Another process could have taken a port chosen by the kernel before remit starts there again.
        """
        ready = self.folder.parent / "ready.json"
        ready.unlink(missing_ok=True)
        self.env.pop("REMIT_URL", None)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self.command("up", "--port", str(port or free_port()), "--ready-file", str(ready), *words),
                cwd=self.folder,
                env=self.env,
                stdout=log,
                stderr=log,
            )
        until = time.monotonic() + START_S
        while not ready.exists():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.02)
        told = json.loads(ready.read_text())
        assert told["pid"] == self.process.pid
        self.url = self.env["REMIT_URL"] = at or told["url"]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and give the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(180)

    @property
    def config(self) -> Path:
        """The configuration."""
        return self.folder / "remit.yaml"

    @property
    def port(self) -> int:
        """The port that it listens at; sessions are kept by address."""
        return int(self.url.rpartition(":")[2])

    def enter(self) -> None:
        """Sign the first administrator in, by the code that `up` has printed."""
        found = CODE.search(self.log.read_text())
        assert found, self.log.read_text()
        said = self("login", "--code-stdin", given=found[0])
        assert said.code == 0, said.err

    def sign_in(self, name: str) -> None:
        """Sign a person in by a code that the administrator makes."""
        code = self.ask("person", "code", name)["code"]
        assert self("login", "--code-stdin", by=name, given=code).code == 0

    def mode(self, word: str) -> None:
        """Write a mode into the configuration."""
        other = "enforce" if word == "observe" else "observe"
        self.config.write_text(self.config.read_text().replace(f"mode: {other}", f"mode: {word}"))

    def call(self, task: str, tool: str, arguments: Json) -> Json:
        """Call a tool as the agent whose task it is, over MCP."""
        return asyncio.run(self._send(task, "tools/call", {"name": tool, "arguments": arguments}))

    def listed(self, task: str) -> list[str]:
        """Return the names of the tools that an agent is shown in its task, as a client asks at its start."""
        answer = asyncio.run(self._send(task, "tools/list", {}))
        return [one["name"] for one in answer["result"]["tools"]]

    def discover(self, task: str) -> Json:
        """Ask what a server offers, as the agent whose task it is."""
        return asyncio.run(self._send(task, "server/discover", {}))["result"]

    async def _send(self, task: str, method: str, params: Json) -> Json:
        key = AgentKey.load(self.folder / ".remit" / "agents" / "note-bot.key.json")
        meta = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        }
        named = {"Mcp-Name": params["name"]} if "name" in params else {}
        async with AgentSession(self.url, "note-bot", key) as agent:
            auth = TaskAuth(agent.task({"id": task}), agent.prover, upstream="notes")
            async with httpx2.AsyncClient(
                auth=auth, trust_env=False, timeout=120, verify=NO_AUTHORITY
            ) as http:
                answer = await http.post(
                    f"{self.url}/mcp/notes",
                    json={"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}},
                    headers={
                        "MCP-Protocol-Version": "2026-07-28",
                        "Mcp-Method": method,
                        "Accept": "application/json, text/event-stream",
                        **named,
                    },
                )
        text = answer.text
        if answer.headers.get("content-type", "").startswith("text/event-stream"):
            text = [line for line in text.splitlines() if line.startswith("data: ")][-1][6:]
        return json.loads(text)


class ObservingRemit(Remit):
    """A remit that begins in observe mode, with note-bot and an administrator signed in."""

    def prepare(self, listing: str) -> None:
        """Make the folder; `listing` is what `list_notes` does first."""
        self.folder.mkdir()
        assert self("init", ".").code == 0
        server = self.folder / "servers" / "notes.py"
        doc = '    """List the names of all notes."""\n'
        server.write_text(server.read_text().replace(doc, doc + listing))
        self.mode("observe")

    def begin(self, *words: str) -> None:
        """Start it with these words, and register note-bot."""
        self.start(*words)
        self.enter()
        purpose = ("--owner", "admin", "--purpose", "keep notes tidy")
        assert self("agent", "register", "note-bot", *purpose).code == 0

    def open(self) -> str:
        """Open a task of note-bot, which may read the note `shopping`."""
        opened = self.ask("task", "open", "tidy-note", "--agent", "note-bot", "-p", "note=shopping")
        return str(opened["id"])


@contextlib.contextmanager
def furnished(
    folder: Path, *, port: int = 0, at: str = "", more: str = "", env: dict[str, str] | None = None
) -> Iterator[Remit]:
    """Provide a remit with an administrator, the writer ana and the approver omar signed in, and note-bot.

    `more` is put at the end of its configuration; `port` and `at` are those of `Remit.start`.
    """
    made = Remit(folder / "house")
    made.folder.mkdir(parents=True)
    made.env |= env or {}
    assert made("init", ".").code == 0
    with made.config.open("a") as config:
        config.write(more)
    # Writing moves money here, on nothing that the person has stated, so that it asks a human: that is what
    # `approve` is about.
    tools = made.folder / "tools" / "notes.yaml"
    before, mark, write_note = tools.read_text().partition("  write_note:\n")
    write_note = write_note.replace(
        "    effect: reversible\n", "    effect: reversible\n    financial: true\n"
    )
    for line in ("      name: {role: selector}\n", '    target: "notes/{name}"\n'):
        write_note = write_note.replace(line, "")
    tools.write_text(before + mark + write_note)
    try:
        made.start(port=port, at=at)
        made.enter()
        assert made("person", "add", "ana", "--group", "writers").code == 0
        assert made("person", "add", "omar", "--role", "approver").code == 0
        made.sign_in("ana")
        made.sign_in("omar")
        purpose = ("--owner", "ana", "--purpose", "keep notes tidy")
        assert made("agent", "register", "note-bot", *purpose).code == 0
        yield made
    finally:
        if made.process is not None and made.process.poll() is None:
            made.stop()
