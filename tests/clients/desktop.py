# SPDX-License-Identifier: Apache-2.0
"""A client as a person starts it: a process with servers that it reaches through remit, and hooks."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from tests.gateways.live_gateway import LiveGateway

Json = Any

CLIENT = Path(__file__).with_name("desktop_client.py")
#: Long enough for any machine; nothing is concluded from how long it took.
PATIENCE_S = 120.0


class Desktop:
    """One client process, as a person starts it."""

    def __init__(self, gateway: LiveGateway, **env: str) -> None:
        self._gateway = gateway
        self._process = subprocess.Popen(
            [sys.executable, str(CLIENT)], env=gateway.environment() | env, cwd="/", text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        with self._process:  # closes its streams and waits
            pass

    @property
    def pid(self) -> int:
        """The client's process id."""
        return self._process.pid

    def ask(self, **order: Json) -> Json:
        """Give one order; return the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def entry(self, name: str, *more: str, upstream: str = "notes") -> list[str]:
        """Return the order to start a server through remit."""
        first = [name, sys.executable, "-P", "-m", "remit", "connect", "--config", str(self._gateway.folder)]
        return [*first, "--agent", "note-bot", "--task", "sweep", "--alone", "--upstream", upstream, *more]

    def open(self, name: str, *more: str) -> Json:
        """Start one server."""
        return self.ask(open=self.entry(name, *more))

    def close(self) -> None:
        """Close the client as a person does: it is gone at once."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE_S)
