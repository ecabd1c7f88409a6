# SPDX-License-Identifier: Apache-2.0
"""Networks of containers: each has its own address on a bridge of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Self

import pytest


class Network:
    """A bridge whose containers reach each other and this machine, and nothing else."""

    def __init__(self) -> None:
        """Name it after this process, so that two never share one."""
        if os.geteuid() != 0 or shutil.which("ip") is None:
            pytest.skip("only root can make networks here, with `ip`")
        self._name = f"remit{os.getpid()}"[:13]
        self._subnet = f"10.213.{os.getpid() % 250}"
        self.address = f"{self._subnet}.1"
        self._made: list[str] = []

    def __enter__(self) -> Self:
        _ip("link", "add", self._name, "type", "bridge")
        _ip("address", "add", f"{self.address}/24", "dev", self._name)
        _ip("link", "set", self._name, "up")
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._made:
            _ip("netns", "delete", one)
        _ip("link", "delete", self._name)

    def place(self) -> tuple[str, str]:
        """Make a place for one container; gives its name, and its address."""
        number = len(self._made) + 2
        name, address, outer = (
            f"{self._name}-{number}",
            f"{self._subnet}.{number}",
            f"{self._name[5:]}v{number}",
        )
        _ip("netns", "add", name)
        self._made.append(name)
        _ip("link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("link", "set", outer, "master", self._name, "up")
        for words in (
            ("link", "set", "lo", "up"),
            ("address", "add", f"{address}/24", "dev", "eth0"),
            ("link", "set", "eth0", "up"),
        ):
            _ip("-netns", name, *words)
        return name, address


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
