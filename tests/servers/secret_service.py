# SPDX-License-Identifier: Apache-2.0
"""A real Secret Service for tests: GNOME Keyring on its own bus, for as long as a test needs it.

It uses nothing of the person who runs the tests: no session, no keyring, no home.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import time
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from unittest import mock

import pytest
import secretstorage
from keyring.backends import SecretService
from secretstorage.exceptions import SecretStorageException

PASSWORD = b"of-whoever-sits-there"
MISSING = (
    "no Secret Service here: it takes `gnome-keyring-daemon` and `dbus-daemon` (Debian: gnome-keyring, dbus)"
)
BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={path}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


class SecretServiceServer:
    """The bus and the keyring on it, and what tests do to them."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700)
        self._folder = folder
        bus = folder / "bus"
        self.env = {
            "HOME": str(folder),
            "XDG_DATA_HOME": str(folder / "data"),
            "XDG_RUNTIME_DIR": str(folder),
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={bus}",
        }
        (folder / "bus.conf").write_text(BUS.format(path=bus))
        self._bus: subprocess.Popen[bytes] | None = None
        self._keyring: subprocess.Popen[bytes] | None = None

    @property
    def backend(self) -> SecretService.Keyring:
        """What `keyring` speaks to it with."""
        return SecretService.Keyring()  # type: ignore[no-untyped-call]

    def start(self) -> None:
        """Start both, with the user's keyring unlocked."""
        with (self._folder / "bus.log").open("ab") as log:
            command = ["dbus-daemon", f"--config-file={self._folder / 'bus.conf'}", "--nofork"]
            self._bus = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)
        self.start_keyring()

    def start_keyring(self) -> None:
        """Start the keyring, with what it had."""
        command = ["gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets"]
        with (self._folder / "keyring.log").open("ab") as log:
            self._keyring = subprocess.Popen(
                command, env=self._environment, stdin=subprocess.PIPE, stdout=log, stderr=log
            )
        assert self._keyring.stdin is not None
        self._keyring.stdin.write(PASSWORD)
        self._keyring.stdin.close()
        deadline = time.monotonic() + 60
        while not self._answers():
            assert self._keyring.poll() is None, (self._folder / "keyring.log").read_text()
            assert time.monotonic() < deadline, "it does not start"
            time.sleep(0.02)

    def stop_keyring(self) -> None:
        """Stop the keyring; the bus stays."""
        self._end(self._keyring)

    def stop(self) -> None:
        """Stop both."""
        self._end(self._keyring)
        self._end(self._bus)

    def pause(self, paused: bool) -> None:
        """Stop the keyring from answering, or let it go on."""
        assert self._keyring is not None
        self._keyring.send_signal(signal.SIGSTOP if paused else signal.SIGCONT)
        if paused:
            os.waitpid(self._keyring.pid, os.WUNTRACED)

    def lock(self) -> None:
        """Lock the user's keyring. No person sits there to be asked."""
        with closing(secretstorage.dbus_init()) as bus:
            secretstorage.get_default_collection(bus).lock()

    @property
    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], **self.env}

    def _answers(self) -> bool:
        try:
            with closing(secretstorage.dbus_init()) as bus:
                return not secretstorage.get_default_collection(bus).is_locked()
        except (SecretStorageException, OSError):
            return False

    def _end(self, process: subprocess.Popen[bytes] | None) -> None:
        if process is not None and process.poll() is None:
            process.kill()
            process.wait()


@contextmanager
def secret_service(folder: Path) -> Iterator[SecretServiceServer]:
    """Provide one that this process speaks to; skips where the programs are not installed."""
    if not all(shutil.which(one) for one in ("gnome-keyring-daemon", "dbus-daemon")):
        pytest.skip(MISSING)
    server = SecretServiceServer(folder / "secret-service")
    with mock.patch.dict(os.environ, server.env):
        try:
            server.start()
            yield server
        finally:
            server.stop()
            # Where a keyring cannot be read, its library leaves the connection to the collector of garbage.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ResourceWarning)
                gc.collect()
