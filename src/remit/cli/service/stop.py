# SPDX-License-Identifier: Apache-2.0
"""`remit stop` and `remit restart`."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from remit.cli.global_options import current
from remit.cli.instance import PAUSE_S, RESTART, Instance, lives, running, send
from remit.cli.output import terminal
from remit.cli.parser import verb
from remit.cli.rest_client import Unreachable
from remit.cli.serve.background import START_S

#: Seconds for an ordinary stop: calls in progress, then credentials and the last signed head.
STOP_S = 60.0

T = TypeVar("T")

app = verb("stop")
restart_app = verb("restart")


@app.default
def stop(*, wait: float = STOP_S) -> None:
    """Stop the remit of this configuration: new calls are refused, and those in progress are recorded.

    It ends by a signal to its process, which only the process's owner (or root) can send. The signal goes to
    the process that holds remit's lock, never to another one with its number. A second `remit stop` no longer
    waits for calls in progress; their outcome is then recorded as unknown. A client that `remit wrap` has
    put behind remit starts it again when it needs it. For example, stop remit before you move its folder.

    Parameters
    ----------
    wait
        Wait at most this many seconds until the process has ended.
    """
    config = current().config_file
    found = found_running(config)
    began = time.monotonic()
    send(config, found, signal.SIGTERM)
    _await(wait, lambda: _gone(config, found), _still(found, wait))
    took_s = time.monotonic() - began
    if terminal.is_json():
        terminal.answer(
            {"stopped": True, "pid": found.pid, "url": found.url, "took_ms": round(took_s * 1000)}
        )
        return
    terminal.say(terminal.text("stopped", "green"), f": process {found.pid}, after {took_s:.1f} s")


@restart_app.default
def restart(*, wait: float = START_S) -> None:
    """Start the remit of this configuration again, in its process, with the files as they are now.

    The port stays open: new calls wait until it serves again. Calls in progress have five seconds to finish,
    as with `remit stop`. The terminal, service manager or container that started remit keeps it, and so does
    its address. The files are checked first: while they are wrong, the running remit stays. A change of the
    bundle or of a mode needs no restart: see `remit reload`. For example, restart after you have added an
    upstream.

    Parameters
    ----------
    wait
        Wait at most this many seconds until it serves again.
    """
    config = current().config_file
    found = found_running(config)
    _check_files(config)
    _await(wait, lambda: _serves(config, found), _not_back(found))
    began = time.monotonic()
    send(config, found, RESTART)
    _await(wait, lambda: _gone(config, found) or None, _still(found, wait))
    after = _await(wait, lambda: _serving(config, found), _not_back(found))
    took_s = time.monotonic() - began
    if terminal.is_json():
        terminal.answer(after.facts | {"restarted": True, "took_ms": round(took_s * 1000)})
        return
    terminal.say(terminal.text("restarted", "green"), f": {after.url}, after {took_s:.1f} s")


def found_running(config: Path) -> Instance:
    """Return the running remit of a configuration; raises `Unreachable` if there is none."""
    found = running(config)
    if found is None:
        raise Unreachable(f"no remit runs for `{config}`", remediation="start it with `remit up`")
    return found


def _check_files(config: Path) -> None:
    """Raise `ConfigInvalid` with the first error of the files, with its place."""
    from remit.cli.doctor.files import examine
    from remit.core.errors import ConfigInvalid

    for one in examine(config):
        if one["severity"] == "error":
            raise ConfigInvalid(
                f"{one['text']} (the running remit was left as it is)",
                file=one["file"],
                line=one["line"],
                remediation=one["remediation"],
            )


def _gone(config: Path, wanted: Instance) -> bool:
    found = running(config)
    return found is None or found.id != wanted.id


def _serves(config: Path, wanted: Instance) -> bool:
    """Return whether an instance serves; raises `Unreachable` if it has ended."""
    found = found_running(config)
    return found.id != wanted.id or bool(found.url)


def _serving(config: Path, before: Instance) -> Instance | None:
    found = running(config)
    if found is None and not lives(before):
        raise _not_back(before)
    return found if found is not None and found.id != before.id and found.url else None


def _await(wait: float, look: Callable[[], T | None], late: Unreachable) -> T:
    until = time.monotonic() + wait
    while not (found := look()):
        if time.monotonic() > until:
            raise late
        time.sleep(PAUSE_S)
    return found


def _still(found: Instance, wait: float) -> Unreachable:
    return Unreachable(
        f"process {found.pid} still runs after {wait:g} s",
        remediation="run `remit stop` again: it then waits for no call in progress",
    )


def _not_back(found: Instance) -> Unreachable:
    return Unreachable(
        "remit has stopped and does not serve again", remediation=f"see `remit logs` ({found.log})"
    )
