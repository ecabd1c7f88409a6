# SPDX-License-Identifier: Apache-2.0
"""A gateway as operators run it: a scaffolded folder, real adapters, real MCP servers, on a real socket.

It runs on its own event loop in a thread, so that tests can start real processes against it and wait.
"""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Coroutine, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

import uvicorn

from remit.compose import application, open_services
from remit.config import load_config
from remit.config.scaffold import scaffold
from remit.core.identity.principals import Role
from remit.core.identity.workload import KeyBinding
from remit.core.tasks.task import Task, TaskState
from remit.services.assembly.services import Services
from remit.services.identity.directory import NewAgent, NewPerson
from remit_sdk.key import AgentKey
from tests.gateways.remit_up import run_here

Json = Any
T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
SWEEP = """
task: sweep
purpose: Look through the notes at night
run_by: [note-bot]
requested_by: ["agent:note-bot"]
requires_person: false
grants:
  - tool: notes/list_notes
"""


class LiveGateway:
    """The gateway of `folder`, with agent `note-bot` (its key where `remit run` looks) and person `ana`.

    `settings` are further lines of `remit.yaml`, `tasks` further task types by name. Its ends wait long for
    credentials to be dead: on a busy machine a source is late.
    """

    #: Whether it has the sample: the server `notes`, its tools and its task.
    sample = True

    def __init__(self, folder: Path, settings: str = "", tasks: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.settings = settings
        self.further_tasks = dict(tasks or {})
        self.key = AgentKey.generate()
        self.key_file = folder / ".remit" / "agents" / "note-bot.key.json"
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._stack = contextlib.AsyncExitStack()
        self.services: Services

    def __enter__(self) -> Self:
        if not (self.folder / "remit.yaml").exists():
            scaffold(self.folder, sample=self.sample)
            for name in ("tasks", "tools"):
                (self.folder / name).mkdir(exist_ok=True)
            for name, written in {**({"sweep": SWEEP} if self.sample else {}), **self.further_tasks}.items():
                (self.folder / "tasks" / f"{name}.yaml").write_text(written)
            text = (self.folder / "remit.yaml").read_text()
            (self.folder / "remit.yaml").write_text(
                f"{text}\nlisten: {{port: {self.port}}}\nlimits: {{closure_wait_s: 20}}\n"
                f"groups:\n  writers: [ana]\n{self.settings}"
            )
        self.key.save(self.key_file)
        self._thread.start()
        self.wait(self._begin())
        return self

    def __exit__(self, *_: object) -> None:
        self.wait(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._listening.close()

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something on the gateway's own loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(180)

    async def _begin(self) -> None:
        config = load_config(self.folder)
        self.services = await self._stack.enter_async_context(open_services(config, self.url))
        await self._stack.enter_async_context(self._serving(config))
        await self.services.identity.directory.add_person(
            NewPerson(name="ana", roles=(Role.ADMINISTRATOR,)), by="remit"
        )
        await self.services.identity.directory.register(
            NewAgent(
                name="note-bot",
                owner="ana",
                purpose="keeps notes",
                bindings=(KeyBinding(self.key.public_jwk),),
            ),
            by="ana",
        )

    @contextlib.asynccontextmanager
    async def _serving(self, config: Json) -> AsyncIterator[None]:
        served = application(self.services, config)
        server = uvicorn.Server(uvicorn.Config(served, log_level="error", lifespan="off"))
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined, unused-ignore]
        serving = asyncio.create_task(server.serve(sockets=[self._listening]))
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        try:
            yield
        finally:
            server.should_exit = True
            server.force_exit = True
            await serving

    def session(self, person: str = "ana") -> str:
        """Sign a person in."""

        async def signed_in() -> str:
            code = await self.services.identity.authenticator.make_code(person, by="ana")
            return (await self.services.identity.authenticator.sign_in(code))[0]

        return self.wait(signed_in())

    def tasks(self) -> list[Task]:
        """Return every task, newest first."""
        return self.wait(self.services.store.tasks(self.services.tenant, limit=100))

    def end(self, task: str, state: TaskState = TaskState.REVOKED) -> None:
        """End a task as an operator does, or as time does."""
        self.wait(self.services.endings.revocations.end_task(task, reason="enough", by="ana", state=state))

    def environment(self, *, session: str = "") -> dict[str, str]:
        """Return the environment of a command line beside this gateway."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        path = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        env = {**os.environ, "PYTHONPATH": path, "HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config")}
        env.pop("REMIT_URL", None)
        return env | ({"REMIT_SESSION": session} if session else {})

    def closed_up(self, task: str) -> Json:
        """End a task by command; gives the closure."""
        said = self.remit("end", task, "--prove", "--json", session=self.session())
        assert said.returncode == 0, said.stderr
        return json.loads(said.stdout)

    def left_open(self, task: str, wait_s: float = 2.0) -> Json:
        """End a task whose credentials cannot be taken back now, and wait no longer than it must, then and at
        the stop; gives the closure, which says so.
        """
        self.services.credentials.leases._back._settle_s = wait_s
        closure = self.closed_up(task)
        assert not closure["closed"]
        return closure

    def until(self, reached: Any) -> None:
        """Wait until something holds."""

        async def wait() -> None:
            async with asyncio.timeout(120):
                while not reached():  # noqa: ASYNC110 - no event exists for it
                    await asyncio.sleep(0.01)

        self.wait(wait())

    def remit(self, *words: str, session: str = "", **options: Json) -> subprocess.CompletedProcess[str]:
        """Run a command line to its end: in its own process where it starts a program, or reads what it is
        given.
        """
        if words[0] not in ("run", "connect") and not options.keys() - {"env"}:
            env = self.environment(session=session) | options.get("env", {})
            return subprocess.CompletedProcess(words, *run_here(words, self.folder, env))
        return subprocess.run(
            [sys.executable, "-m", "remit", *words],
            cwd=self.folder,
            env=self.environment(session=session) | options.pop("env", {}),
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
            **options,
        )

    def start(self, *words: str, session: str = "", **options: Json) -> subprocess.Popen[str]:
        """Start a command line; the test ends it."""
        return subprocess.Popen(
            [sys.executable, "-m", "remit", *words],
            cwd=self.folder,
            env=self.environment(session=session) | options.pop("env", {}),
            text=True,
            **options,
        )
