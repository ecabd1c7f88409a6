# SPDX-License-Identifier: Apache-2.0
"""A real SPIRE server and agent, installed by Go where there is one, for tests that say `slow`."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT
from tests.servers.ports import free_port

VERSION = "v1.13.3"
MODULE = "github.com/spiffe/spire"
TRUST_DOMAIN = "example.org"
WORKER = f"spiffe://{TRUST_DOMAIN}/worker"
SERVER_ID = f"spiffe://{TRUST_DOMAIN}/spire/server"
#: Where programs are that were installed before; else they are built once into `build/`.
PROGRAMS = "REMIT_SPIRE_BIN"
#: Compiling it from nothing takes many minutes on a small machine; another time it takes seconds.
BUILD_S = 3600
#: Longest wait for a process to do what it does within seconds.
PATIENCE_S = 120


def programs() -> Path:
    """Return the folder of `spire-server` and `spire-agent`; skips the test, with the reason, without
    them.
    """
    if named := os.environ.get(PROGRAMS):
        return Path(named)
    folder = ROOT / "build" / "spire"
    if all((folder / "bin" / name).exists() for name in ("spire-server", "spire-agent")):
        return folder / "bin"
    go = shutil.which("go")
    if go is None:
        pytest.skip(f"SPIRE is a Go module and there is no Go here; {PROGRAMS} may name its programs")
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{MODULE}/cmd/spire-server", f"{MODULE}/cmd/spire-agent"]
    steps = [
        *([] if (folder / "go.mod").exists() else [[go, "mod", "init", "example.org/spire"]]),
        [go, "get", "-tool", *(f"{name}@{VERSION}" for name in names)],
        [go, "install", *names],
    ]
    for step in steps:
        try:
            done = subprocess.run(
                step,
                cwd=folder,
                env={**os.environ, "GOBIN": str(folder / "bin")},
                capture_output=True,
                text=True,
                timeout=BUILD_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            pytest.skip(f"`{' '.join(step[:3])}` did not end within {BUILD_S} s")
        if done.returncode:
            pytest.skip(f"SPIRE cannot be had: `{' '.join(step[:3])}` said {done.stderr[-300:]}")
    return folder / "bin"


class Spire:
    """A server, and an agent that knows this user's processes as one workload."""

    def __init__(self, bin: Path, folder: Path) -> None:
        """Write the configurations; nothing runs yet."""
        self._bin = bin
        self._folder = folder
        self._port = free_port()
        self.bundle_port = free_port()
        self.server_socket = folder / "server.sock"
        self.agent_socket = folder / "agent.sock"
        (folder / "server.conf").write_text(f"""
server {{
  bind_address = "127.0.0.1"
  bind_port = "{self._port}"
  socket_path = "{self.server_socket}"
  trust_domain = "{TRUST_DOMAIN}"
  data_dir = "{folder}/server"
  log_level = "WARN"
  ca_ttl = "2h"
  default_x509_svid_ttl = "10m"
  default_jwt_svid_ttl = "5m"
  federation {{
    bundle_endpoint {{
      address = "127.0.0.1"
      port = {self.bundle_port}
      profile "https_spiffe" {{}}
    }}
  }}
}}
plugins {{
  DataStore "sql" {{
    plugin_data {{
      database_type = "sqlite3"
      connection_string = "{folder}/server.db"
    }}
  }}
  KeyManager "memory" {{ plugin_data {{}} }}
  NodeAttestor "join_token" {{ plugin_data {{}} }}
}}
""")
        (folder / "agent.conf").write_text(f"""
agent {{
  data_dir = "{folder}/agent"
  log_level = "WARN"
  server_address = "127.0.0.1"
  server_port = "{self._port}"
  socket_path = "{self.agent_socket}"
  trust_domain = "{TRUST_DOMAIN}"
  insecure_bootstrap = true
}}
plugins {{
  KeyManager "memory" {{ plugin_data {{}} }}
  NodeAttestor "join_token" {{ plugin_data {{}} }}
  WorkloadAttestor "unix" {{ plugin_data {{}} }}
}}
""")

    @property
    def workload_api(self) -> str:
        """The address of the agent's Workload API."""
        return f"unix://{self.agent_socket}"

    def server(self, *words: str) -> str:
        """Return what a command of the server says; raises where it fails."""
        command = [str(self._bin / "spire-server"), *words, "-socketPath", str(self.server_socket)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout

    @contextmanager
    def running(self) -> Iterator[Spire]:
        """Start both, and register the worker."""
        with self._started("spire-server", "-config", str(self._folder / "server.conf")):
            self._wait(lambda: self.server("healthcheck"))
            node = f"spiffe://{TRUST_DOMAIN}/node"
            token = self.server("token", "generate", "-spiffeID", node).split()[-1]
            worker = ("-parentID", node, "-spiffeID", WORKER, "-selector", f"unix:uid:{os.getuid()}")
            self.server("entry", "create", *worker)
            config = str(self._folder / "agent.conf")
            with self._started("spire-agent", "-config", config, "-joinToken", token):
                self._wait(self.agent_socket.stat)
                yield self

    @contextmanager
    def _started(self, name: str, *words: str) -> Iterator[None]:
        log = self._folder / f"{name}.log"
        with (
            log.open("wb") as opened,
            subprocess.Popen([str(self._bin / name), "run", *words], stdout=opened, stderr=opened) as process,
        ):
            try:
                yield
            except BaseException as fault:
                fault.add_note(log.read_text()[-2000:])
                raise
            finally:
                process.terminate()

    def _wait(self, what: object) -> None:
        assert callable(what)
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                what()
            except (OSError, subprocess.CalledProcessError):
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)
            else:
                return
