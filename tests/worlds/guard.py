# SPDX-License-Identifier: Apache-2.0
"""A remit without upstreams that guards a coding assistant, whose hooks a test sends itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml

from remit.cli.guard.bundle import task_type, with_clearance, with_guard, write_bundle
from remit.cli.guard.registration import enrol
from remit.compose import application, open_services
from remit.config import load_config
from remit.config.scaffold import scaffold
from remit.core.identity.principals import Role
from remit.core.tasks.model_usage import ModelCall
from remit.gateway.asgi import Application
from remit.ports.runtime import ProcessLook, RunningProcess
from remit.services.assembly.services import Services
from remit.services.identity.authenticator import secret_digest
from remit.services.identity.directory import NewPerson

Json = Any

SECRET = "the-secret-of-these-hooks"
CLIENT = RunningProcess(1000, "1")
WORKSPACE = "/home/mia/project"


class SeenProcesses:
    """The processes that a test says there are: `sender` is at the other end, `parents` are above it."""

    def __init__(self) -> None:
        self.sender: RunningProcess | None = CLIENT
        self.parents: tuple[RunningProcess, ...] = ()
        self.gone: set[RunningProcess] = set()
        self.looks: dict[RunningProcess, ProcessLook] = {}

    def behind(
        self, client: tuple[str, int], server: tuple[str, int], likely: Collection[int] = ()
    ) -> RunningProcess | None:
        """Return the sender."""
        return self.sender

    def runs(self, process: RunningProcess) -> bool:
        """Return whether a process runs."""
        return process not in self.gone

    def above(self, process: RunningProcess) -> tuple[RunningProcess, ...]:
        """Return the parents: of a process among them, those above it."""
        if process in self.parents:
            return self.parents[self.parents.index(process) + 1 :]
        return self.parents

    def look(self, process: RunningProcess) -> ProcessLook | None:
        """Return what is seen of a process."""
        return self.looks.get(process, ProcessLook("codex", terminal=True, began_s=0.0))


class SeenMarks:
    """The marks that the transcript has for every prompt."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = [("human", "typed")]

    def marks(self, path: str, prompt: str, text: str) -> list[tuple[str, str]]:
        """Return the marks."""
        return self.found

    def usage(self, path: str) -> list[ModelCall]:
        """Return no model call."""
        return []


class GuardWorld:
    """The guarded client of one person, and its hooks."""

    def __init__(self, services: Services, asgi: Application) -> None:
        self.services = services
        self.asgi = asgi
        self.processes = SeenProcesses()
        self.marks = SeenMarks()
        self.hung_up = asyncio.Event()
        services.guard._processes = services.guard.sessions._running = self.processes
        services.guard._senders._processes = services.guard.relays._processes = self.processes
        services.guard._transcripts = self.marks
        self._calls = 0

    async def send(
        self,
        body: Json,
        *,
        secret: str = SECRET,
        peer: str = "127.0.0.1",
        headers: tuple[tuple[bytes, bytes], ...] = (),
        path: str = "/hooks/claude-code",
        method: str = "POST",
        query: str = "",
    ) -> tuple[int, Json]:
        """Send one hook, or another request; return status and body of the answer."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [
                (b"host", b"127.0.0.1:8700"),
                (b"x-remit-guard", secret.encode()),
                (b"content-type", b"application/json"),
                *headers,
            ],
            "client": (peer, 4321),
            "server": ("127.0.0.1", 8700),
        }
        out: list[Json] = []
        read: list[bool] = []

        async def receive() -> Json:
            if not read:
                read.append(True)
                return {"type": "http.request", "body": raw, "more_body": False}
            await self.hung_up.wait()
            return {"type": "http.disconnect"}

        async def send(message: Json) -> None:
            out.append(message)

        await self.asgi(scope, receive, send)
        text = b"".join(one.get("body", b"") for one in out)
        return out[0]["status"], json.loads(text)

    async def as_person(self, method: str, path: str, body: Json = b"") -> tuple[int, Json]:
        """Send a request with the session of the person, who has every role."""
        authenticator = self.services.identity.authenticator
        secret, _, _ = await authenticator.sign_in(await authenticator.make_code("admin", by="remit"))
        shown = (b"authorization", f"Bearer {secret}".encode())
        return await self.send(body, path=path, method=method, headers=(shown,))

    async def event(self, name: str, *, session: str = "s1", agent: str = "", **more: Json) -> Json:
        """Send an event of the client, and return the answer."""
        told = {"hook_event_name": name, "session_id": session, "cwd": WORKSPACE, **more}
        told |= {"agent_id": agent} if agent else {}
        status, answer = await self.send(told)
        assert status == 200, answer
        return answer

    async def say(self, text: str, **more: Json) -> None:
        """Let the client report a prompt."""
        await self.event("UserPromptSubmit", prompt=text, transcript_path="/t", prompt_id="p", **more)

    async def before(self, tool: str, given: Json, **more: Json) -> tuple[str, str, str]:
        """Ask before a call; return its id, the answer (empty: nothing was said) and the text."""
        self._calls += 1
        call = f"toolu_{self._calls}"
        answer = await self.event("PreToolUse", tool_name=tool, tool_input=given, tool_use_id=call, **more)
        told = answer.get("hookSpecificOutput", {})
        return call, told.get("permissionDecision", ""), told.get("permissionDecisionReason", "")

    async def run(self, tool: str, given: Json, result: Json, **more: Json) -> str:
        """Make a whole call; return the answer before it. A call that was denied is not made."""
        call, answer, text = await self.before(tool, given, **more)
        if answer != "deny":
            await self.event(
                "PostToolUse",
                tool_name=tool,
                tool_input=given,
                tool_use_id=call,
                tool_response=result,
                **more,
            )
        return answer or text

    async def bash(self, command: str, output: str = "", **more: Json) -> str:
        """Run a shell command."""
        return await self.run("Bash", {"command": command}, {"stdout": output, "stderr": ""}, **more)

    async def tasks(self) -> list[Json]:
        """Return all tasks, newest first."""
        return list(await self.services.tasks.tasks.newest())

    async def settle(self) -> None:
        """Let everything that waits go on."""
        for _ in range(20):
            await asyncio.sleep(0)


@asynccontextmanager
async def guard_world(
    folder: Path, mode: str = "enforce", *, client: str = "claude-code", policy: str = "", **more: Json
) -> AsyncIterator[GuardWorld]:
    """Yield a remit that was set up as `remit guard install` does it; `policy` is added to its rules."""
    scaffold(folder, sample=False)
    if policy:
        (folder / "policies" / "90-more.cedar").write_text(policy, encoding="utf-8")
    config = folder / "remit.yaml"
    section: dict[str, Json] = {
        "agent": client,
        "task": task_type(client),
        "person": "mia",
        "mode": mode,
        "secret_sha256": secret_digest(SECRET),
        **more,
    }
    text = with_clearance(config.read_text(encoding="utf-8"))
    config.write_text(with_guard(text, client, section), encoding="utf-8")
    assert yaml.safe_load(config.read_text(encoding="utf-8"))["guards"]
    read = load_config(config)
    await enrol(read, [client, f"{client}-subagent"], "mia")
    write_bundle(read, client, client, "mia")
    async with open_services(load_config(config)) as services:
        await services.identity.directory.add_person(NewPerson(name="admin", roles=tuple(Role)), by="remit")
        yield GuardWorld(services, application(services, read))
