# SPDX-License-Identifier: Apache-2.0
"""Starts `remit up` in the background for wrapped clients: once, and only on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

from remit.cli.instance import log_of, running, send
from remit.cli.private_files import hold
from remit.cli.rest_client import Unreachable
from remit.config import state_of
from remit.core.errors import ConfigInvalid

#: The longest start: upstreams that are downloaded first (`npx`, `uvx`) take time.
START_S = 60.0
# Without its working folder: a module that lies there would be imported.
_UP = (sys.executable, "-P", "-m", "remit", "up")
#: A link in the place of a file of remit is not followed.
_OWN = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def ensure_running(config: Path, base_url: str) -> None:
    """Return once the gateway of `config` answers; start it if necessary.

    Of several clients that ask at once, one starts it and the others wait at a lock. Its output goes to
    `.remit/up.log`.
    """
    if answers(base_url):
        return
    if urlsplit(base_url).hostname not in LOOPBACK:
        raise ConfigInvalid(
            f"`--start` is for a gateway on this machine, not {base_url}", remediation="start remit there"
        )
    folder = state_of(config.parent)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(folder / "up.lock", os.O_RDWR | os.O_CREAT | _OWN, 0o600)
    try:
        hold(lock)
        if not answers(base_url):
            _refuse_elsewhere(config, base_url)
            _start(config, base_url, log_of(config))
    finally:
        os.close(lock)


def answers(base_url: str) -> bool:
    """Return whether a healthy server answers there."""
    opener = build_opener(ProxyHandler({}))
    try:
        with opener.open(f"{base_url}/health/live", timeout=2) as answer:
            return bool(answer.status == 200)
    except (HTTPError, URLError, OSError, ValueError):
        return False


def stop(config: Path) -> bool:
    """End the process that `ensure_running` started for `config`; return whether there was one."""
    found = running(config)
    return found is not None and found.background and send(config, found, signal.SIGTERM)


def _refuse_elsewhere(config: Path, base_url: str) -> None:
    """Raise `Unreachable` if remit runs for this configuration, but at another address."""
    found = running(config)
    if found is not None and found.url not in ("", base_url):
        raise Unreachable(
            f"remit runs at {found.url}, and not at {base_url}",
            remediation="run `remit stop` and start it without `--port`, or set `listen.port`",
        )


def _start(config: Path, base_url: str, log: Path) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | _OWN, 0o600)
    env = {name: value for name, value in os.environ.items() if not name.startswith("REMIT_")}
    try:
        process = subprocess.Popen(  # noqa: S603 - our own program
            [*_UP, "--config", str(config)],
            cwd=config.parent,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            # In a separate session: it keeps running when the client that started it exits.
            start_new_session=True,
        )
    finally:
        os.close(descriptor)
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        if answers(base_url):
            return
        # It ends at once if a person has started remit in the meantime, which may take as long.
        if process.poll() is not None and running(config) is None:
            break
        time.sleep(0.1)
    raise Unreachable(
        f"remit did not start (its last output is in `{log}`)", remediation="run `remit up` to see why"
    )
