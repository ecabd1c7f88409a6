# SPDX-License-Identifier: Apache-2.0
"""The stage of the story: a folder, a gateway process, people who are signed in, and agents with keys."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from remit.cli.demo.free_port import free_port
from remit.cli.demo.postgres_tool_server import ADMIN, SqlTools, register
from remit.core.errors import ConfigInvalid
from remit.core.json_value import Json
from remit_sdk.auth import TaskAuth
from remit_sdk.dpop import DpopProver
from remit_sdk.key import AgentKey
from remit_sdk.session import AgentSession

#: The servers of the story, with the folder of each.
SERVERS = {"contracts": "legal", "mail": "mail", "deploy": "deploy", "tickets": "tickets"}


def examples() -> Path:
    """Return the folder of the examples: beside the source, or packed into the installed package."""
    import remit

    package = Path(remit.__file__).parent
    for place in (package.parents[1] / "examples", package / "examples"):
        if (place / "story" / "bundle").is_dir():
            return place
    raise ConfigInvalid(
        "the demo's files are missing", remediation="run `make demo` in a clone of the repository"
    )


def git_server() -> list[str]:
    """Return the command of the third-party MCP server; raises `ConfigInvalid` if it is not installed."""
    beside = Path(sys.executable).with_name("mcp-server-git")
    found = str(beside) if beside.exists() else shutil.which("mcp-server-git")
    if not found:
        raise ConfigInvalid(
            "`mcp-server-git` is not installed", remediation="run `pip install 'remit[demo]'`"
        )
    return [found]


def set_up(folder: Path, port: int, register: SqlTools, *, day: bool = False) -> None:
    """Write the story's bundle and data into an empty folder; with `day` also what a working day
    needs.
    """
    source = examples()
    shutil.copytree(source / "story" / "bundle", folder, dirs_exist_ok=True)
    if day:
        shutil.copytree(source / "story" / "day", folder, dirs_exist_ok=True)
    shutil.copytree(
        Path(__file__).parents[2] / "templates" / "policies", folder / "policies", dirs_exist_ok=True
    )
    for place in SERVERS.values():
        data = source / "story" / place
        if data.is_dir():
            shutil.copytree(data, folder / place, dirs_exist_ok=True)
        (folder / place).mkdir(exist_ok=True)
    make_repository(folder / "repo")
    upstreams: dict[str, Json] = {
        name: {"command": [sys.executable, str(source / "servers" / f"{name}.py"), place]}
        for name, place in SERVERS.items()
    }
    upstreams["git"] = {"command": [*git_server(), "--repository", str(folder / "repo")]}
    upstreams["register"] = register.upstream
    config = {
        "listen": {"port": port, "public_url": f"http://127.0.0.1:{port}"},
        "upstreams": upstreams,
        "initiatives": {"legal-assist": {"sponsor": "lena", "agents": ["contract-bot", "ticket-bot"]}},
        "groups": {"legal": ["lena"]},
        # Lawyers mail contracts to the other party every day: the clearance of the audience does not protect
        # contracts.
        "classes": {
            "clearance": {"self": "restricted", "internal": "confidential", "external": "confidential"}
        },
        # A server is slow on a busy machine: a closure would stay open because of that, not because of a
        # secret.
        "limits": {"closure_wait_s": 20},
    }
    (folder / "remit.yaml").write_text(json.dumps(config, indent=2))


def make_repository(folder: Path) -> None:
    """Make a git repository with one commit."""
    folder.mkdir()
    (folder / "template.md").write_text("# Contract template\n")
    who = ["-c", "user.name=Lena Example", "-c", "user.email=lena@example.com"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "Add the template"]):
        subprocess.run(["git", "-C", str(folder), *command], check=True, env=_git_env())  # noqa: S603, S607


def _git_env() -> dict[str, str]:
    return {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}


@dataclass
class Stage:
    """What the steps of the story work with: folder, gateway, sessions and keys."""

    folder: Path
    url: str
    http: httpx2.AsyncClient
    register: SqlTools
    sessions: dict[str, str] = field(default_factory=dict)
    agents: dict[str, AgentSession] = field(default_factory=dict)
    bound: dict[str, DpopProver] = field(default_factory=dict)

    async def ask(self, method: str, path: str, body: Json = None, *, by: str = "", token: str = "") -> Json:
        """Send one request to the management interface; raises `RuntimeError` with the problem's text on a
        refusal.
        """
        bearer = token or self.sessions.get(by, "")
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        answer = await self.http.request(method, self.url + path, json=body, headers=headers)
        if answer.status_code >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json() if answer.content else None

    async def sign_in(self, name: str, code: str) -> None:
        """Sign a person in with a one-time code."""
        self.sessions[name] = (await self.ask("POST", "/api/v1/sign-in", {"code": code}))["session"]

    async def add_person(self, name: str, roles: list[str]) -> None:
        """Add a person and sign the person in."""
        await self.ask("POST", "/api/v1/people", {"name": name, "roles": roles}, by="admin")
        code = (await self.ask("POST", f"/api/v1/people/{name}/code", {}, by="admin"))["code"]
        await self.sign_in(name, code)

    async def enrol(self, name: str, purpose: str, *, owner: str = "lena") -> None:
        """Register an agent with its own key; only the public part leaves this process."""
        key = AgentKey.generate()
        self.agents[name] = AgentSession(self.url, name, key)
        agent = {
            "name": name,
            "owner": owner,
            "purpose": purpose,
            "environment": "production",
            "bindings": [{"type": "key", "jwk": key.public_jwk}],
        }
        await self.ask("POST", "/api/v1/agents", agent, by="admin")

    async def agent_token(self, name: str, task: str = "") -> str:
        """Prove an agent by its key (RFC 7523); return a token for one of its tasks, or for no task."""
        agent = self.agents[name]
        wanted = {"mission_id": task} if task else {"resource": f"{self.url}/mcp"}
        token = (await agent.grant(**wanted)).text
        self.bound[token] = agent.prover
        return token

    async def open_task(
        self, agent: str, task_type: str, goal: str, params: Json = None, *, by: str = "lena"
    ) -> tuple[str, str]:
        """Open a task that a person requests; return its id and its first access token."""
        opening = {"agent": agent, "task_type": task_type, "goal": goal, "params": params or {}}
        task: str = (await self.ask("POST", "/api/v1/tasks", opening, by=by))["id"]
        return task, await self.agent_token(agent, task)

    async def raw(
        self, method: str, params: Json, token: str = "", *, copied: bool = False
    ) -> httpx2.Response:
        """Send one MCP request of the newest version by hand; with `copied` without the token's key."""
        meta = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "story", "version": "1"},
        }
        headers = {
            "MCP-Protocol-Version": "2026-07-28",
            "Mcp-Method": method,
            "Accept": "application/json, text/event-stream",
        }
        if "name" in params:
            headers["Mcp-Name"] = params["name"]
        prover = None if copied else self.bound.get(token)
        if token and prover is None:
            headers["Authorization"] = f"Bearer {token}"
        auth: Any = httpx2.USE_CLIENT_DEFAULT
        if prover is not None:
            auth = TaskAuth(OneToken(token, self.url), prover)
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
        return await self.http.post(f"{self.url}/mcp", json=body, headers=headers, auth=auth)

    @asynccontextmanager
    async def client(self, token: str) -> AsyncIterator[Client]:
        """Provide the official MCP client, connected to remit with this token."""
        async with AsyncExitStack() as stack:
            auth = TaskAuth(OneToken(token, self.url), self.bound[token])
            http = httpx2.AsyncClient(auth=auth, timeout=30, trust_env=False)
            await stack.enter_async_context(http)
            transport = streamable_http_client(f"{self.url}/mcp", http_client=http)
            yield await stack.enter_async_context(Client(transport, mode="auto"))

    async def events(self, task: str = "", kinds: str = "") -> list[dict[str, Json]]:
        """Return events of the evidence."""
        query = "&".join(
            part for part in (f"task={task}" if task else "", f"kinds={kinds}" if kinds else "") if part
        )
        found: Json = await self.ask("GET", f"/api/v1/events?limit=1000&{query}", by="admin")
        return list(found["items"])


class OneToken:
    """A source of one fixed token, valid or not: the story shows what happens to it."""

    id = ""

    def __init__(self, text: str, url: str) -> None:
        """Keep the token, and the address of the remit that it is for."""
        self._text = text
        self.addresses = (url,)

    async def token(self, *, upstream: str = "", endpoint: str = "mcp", not_this: str = "") -> str:
        """Return the token, whatever the arguments."""
        return self._text


def remit_command(*args: str) -> list[str]:
    """Return the command line that starts this installation of remit."""
    return [sys.executable, "-m", "remit", *args]


@asynccontextmanager
async def stage(folder: Path, *, day: bool = False) -> AsyncIterator[Stage]:
    """Start the register, and remit as a separate process; yield the stage once remit serves."""
    async with AsyncExitStack() as stack:
        the_register = await stack.enter_async_context(register(folder, examples(), free_port()))
        port = free_port()
        set_up(folder, port, the_register, day=day)
        log = await stack.enter_async_context(_remit(folder, {ADMIN: the_register.admin}))
        http = await stack.enter_async_context(httpx2.AsyncClient(timeout=30, trust_env=False))
        made = Stage(folder, f"http://127.0.0.1:{port}", http, the_register)
        await made.sign_in("admin", login_code(log))
        try:
            yield made
        finally:
            for agent in made.agents.values():
                await agent.close()


@asynccontextmanager
async def _remit(folder: Path, environment: dict[str, str]) -> AsyncIterator[Path]:
    """Run remit while the block runs, and yield its log."""
    ready, log = folder / "ready.json", folder / "up.log"
    command = remit_command("up", "--config", str(folder / "remit.yaml"), "--ready-file", str(ready))
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: ASYNC220, S603
            command, stdout=out, stderr=subprocess.STDOUT, cwd=folder, env={**os.environ, **environment}
        )
    try:
        await asyncio.to_thread(_wait, process, ready, log)
        yield log
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(process.wait, 15)
        if process.poll() is None:
            process.kill()


def _wait(process: subprocess.Popen[bytes], ready: Path, log: Path) -> None:
    for _ in range(2400):
        if ready.exists():
            return
        if process.poll() is not None:
            raise ConfigInvalid(f"remit did not start: {log.read_text()[-2000:]}")
        time.sleep(0.05)
    raise ConfigInvalid("remit was not ready within two minutes", remediation=f"check {log}")


def login_code(log: Path) -> str:
    """Read the first administrator's one-time code from the output of `remit up`."""
    for word in log.read_text().split():
        if word.count("-") == 3 and len(word) == 19 and word.replace("-", "").isalnum():
            return word
    raise ConfigInvalid("remit printed no sign-in code", remediation=f"check {log}")
