# SPDX-License-Identifier: Apache-2.0
"""The witness of others: `omniwitness` (Go, transparency-dev/witness), its own process on SQLite.

It is built from the Go module proxy once, and kept in the user's cache. Its modules are verified by the
`go.sum` of the module itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from remit.core.evidence.checkpoint import VerifierKey
from tests.servers.ports import free_port

MODULE: Final = "github.com/transparency-dev/witness"
VERSION: Final = "v0.0.0-20260720115447-2e1c6971d19e"
BUILD_S: Final = 600
START_S: Final = 30


class NoWitness(Exception):
    """The reason why the program cannot be had."""


def programs() -> Path:
    """Return the folder with `omniwitness` and `generate_keys`; raise `NoWitness`."""
    cache = (
        Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        / "remit-tests"
        / f"witness-{VERSION}"
    )
    if (cache / "omniwitness").is_file() and (cache / "generate_keys").is_file():
        return cache
    go = shutil.which("go")
    if go is None:
        raise NoWitness("Go is not installed, which builds `omniwitness`")
    work = cache / "work"
    work.mkdir(parents=True, exist_ok=True)
    env = {**os.environ, "GOPATH": str(work / "go"), "GOBIN": str(cache), "GOFLAGS": "-modcacherw"}
    try:
        found = _run([go, "mod", "download", "-json", f"{MODULE}@{VERSION}"], work, env)
        source = work / "source"
        shutil.rmtree(source, ignore_errors=True)
        shutil.copytree(json.loads(found)["Dir"], source)
        _run([go, "install", "-mod=readonly", "./cmd/omniwitness", "./cmd/generate_keys"], source, env)
    except (subprocess.SubprocessError, OSError, ValueError, KeyError) as fault:
        raise NoWitness(f"`omniwitness` cannot be built: {fault}") from None
    shutil.rmtree(work, ignore_errors=True)
    return cache


def _run(words: list[str], folder: Path, env: dict[str, str]) -> str:
    done = subprocess.run(
        words, cwd=folder, env=env, capture_output=True, text=True, timeout=BUILD_S, check=True
    )
    return done.stdout


class OmniWitness:
    """One witness, with its own key, for the logs that it is told of."""

    def __init__(self, folder: Path, name: str) -> None:
        """Make the key; nothing runs yet."""
        self._programs = programs()
        self._folder = folder
        folder.mkdir(parents=True)
        words: list[str | Path] = [
            self._programs / "generate_keys",
            "-origin",
            name,
            "-out_priv",
            "key",
            "-out_pub",
            "key.pub",
        ]
        subprocess.run(words, cwd=folder, check=True, capture_output=True)
        self.key = VerifierKey.parse((folder / "key.pub").read_text().strip())
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    @contextlib.contextmanager
    def serving(self, *logs: VerifierKey) -> Iterator[None]:
        """Serve; what it cosigned before is in its database."""
        known = [{"Origin": log.name, "URL": "https://log.example", "PublicKey": str(log)} for log in logs]
        (self._folder / "logs.yaml").write_text(json.dumps({"Logs": known}))
        with (self._folder / "log").open("ab") as output:
            process = subprocess.Popen(
                [
                    self._programs / "omniwitness",
                    f"-listen=127.0.0.1:{self.port}",
                    "-metrics_listen=",
                    "-private_key_path=key",
                    "-db_file=witness.db",
                    "-additional_logs=logs.yaml",
                ],
                cwd=self._folder,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            try:
                self._wait(process)
                yield
            finally:
                process.kill()
                process.wait()

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + START_S
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError((self._folder / "log").read_text()[-2000:])
            time.sleep(0.05)
