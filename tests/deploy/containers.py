# SPDX-License-Identifier: Apache-2.0
"""Containers as a runtime starts them: the image read-only, a user without rights, and given volumes alone.

bubblewrap does it without privileges; each container of a cluster has its own network.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.deploy.image import Image

Json = Any


class Mount(NamedTuple):
    """A place in a container: a folder of this machine, or none for memory."""

    place: str
    source: Path | None = None
    writable: bool = False


class Container:
    """One container, whose programs share its files and network."""

    def __init__(
        self,
        image: Image,
        user: int,
        mounts: Sequence[Mount],
        *,
        env: Mapping[str, str] | None = None,
        network: str = "",
    ) -> None:
        if shutil.which("bwrap") is None or os.geteuid() != 0:
            pytest.skip("only root can start containers here, with `bwrap`")
        self.image, self._user, self._mounts, self._network = image, user, mounts, network
        own = dict(one.split("=", 1) for one in image.config["Env"])
        self.env = own | dict(env or {})
        for one in mounts:
            # As a runtime does, before the image becomes read-only.
            there = image.files / one.place.lstrip("/")
            if one.source is not None and one.source.is_file():
                there.parent.mkdir(parents=True, exist_ok=True)
                there.touch()
            else:
                there.mkdir(parents=True, exist_ok=True)

    def line(self, *words: str) -> list[str]:
        """Return the command line that runs a program in it."""
        kept = Path("/mnt")  # where the user may look: folders of tests are root's
        steps = [f"mount -t tmpfs tmpfs {kept}", f"mkdir {kept}/image"]
        steps.append(f"mount --rbind {shlex.quote(str(self.image.files))} {kept}/image")
        inside = ["--ro-bind", f"{kept}/image", "/", "--proc", "/proc", "--dev", "/dev"]
        for number, one in enumerate(self._mounts):
            if one.source is None:
                inside += ["--tmpfs", one.place]
                continue
            source = f"{kept}/{number}"
            steps.append(f"touch {source}" if one.source.is_file() else f"mkdir {source}")
            steps.append(f"mount --rbind {shlex.quote(str(one.source))} {source}")
            inside += ["--bind" if one.writable else "--ro-bind", source, one.place]
        user = str(self._user)
        for name, value in self.env.items():
            inside += ["--setenv", name, value]
        inside += [
            "--unshare-user",
            "--unshare-pid",
            "--unshare-ipc",
            "--cap-drop",
            "ALL",
            "--die-with-parent",
        ]
        drop = ("setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--no-new-privs")
        bwrap = [*drop, "bwrap", "--clearenv", *inside, "--chdir", self.image.config["WorkingDir"], "--"]
        script = "\n".join([*steps, 'exec "$@"'])
        begin = ["ip", "netns", "exec", self._network] if self._network else []
        return [
            *begin,
            "unshare",
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-ec",
            script,
            "sh",
            *bwrap,
            *words,
        ]

    def run(self, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run a program to its end."""
        line = self.line(*words)
        return subprocess.run(line, input=given, capture_output=True, text=True, check=False, timeout=300)

    def beside(self, lives: subprocess.Popen[bytes], *words: str, given: str = "") -> str:
        """Run a program that must succeed where another one of this container runs, as `exec` does."""
        user = str(self._user)
        enter = [
            "nsenter",
            "--target",
            str(_innermost(lives.pid)),
            "--user",
            "--mount",
            "--pid",
            "--ipc",
            "--net",
        ]
        enter += ["--root", "--wd", "--setuid", user, "--setgid", user, "env", "-i"]
        env = [f"{name}={value}" for name, value in self.env.items()]
        done = subprocess.run(
            [*enter, *env, *words], input=given, capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout + done.stderr

    def start(self, log: Path, *words: str) -> subprocess.Popen[bytes]:
        """Start a program, whose output goes to a file."""
        with log.open("wb") as out:
            return subprocess.Popen(self.line(*words), stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    @staticmethod
    def stop(lives: subprocess.Popen[bytes]) -> int:
        """Ask a program to end, as a runtime does, and give its exit code."""
        os.kill(_innermost(lives.pid), signal.SIGTERM)
        return lives.wait(90)


def _innermost(pid: int) -> int:
    """Return the process that a chain of starters ends in."""
    while children := Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        pid = int(children[0])
    return pid
