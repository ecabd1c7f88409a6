# SPDX-License-Identifier: Apache-2.0
"""Environments of programs by others, each installed from PyPI apart from remit's packages."""

import subprocess
import venv
from pathlib import Path

from tests.interop.suite import HOME, NotInstalled


class Environment:
    """An environment below `build/interop` with exactly the packages that a requirements file pins."""

    def __init__(self, name: str, requirements: Path) -> None:
        """Keep where it is; `ready` makes it."""
        self._name = name
        self._requirements = requirements
        self._place = HOME / name
        # Written once everything that the requirements name is there.
        self._done = self._place / "installed.txt"
        self.python = self._place / "bin" / "python"

    @property
    def installed(self) -> bool:
        """Whether exactly what the requirements pin is installed."""
        return self._done.exists() and self._done.read_text("utf-8") == self._requirements.read_text("utf-8")

    def ready(self) -> None:
        """Install the packages where they are not yet; raises `NotInstalled`."""
        if self.installed:
            return
        venv.create(self._place, with_pip=True, clear=True)
        wanted = ["--quiet", "--no-deps", "-r", str(self._requirements)]
        command = [str(self.python), "-m", "pip", "install", *wanted]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
        except subprocess.TimeoutExpired:
            raise NotInstalled("pip did not end in half an hour") from None
        if done.returncode != 0:
            raise NotInstalled(f"pip could not install {self._name}: {done.stderr.strip()[-300:]}")
        self._done.write_text(self._requirements.read_text("utf-8"), "utf-8")
