# SPDX-License-Identifier: Apache-2.0
"""`remit connect --upstream NAME` as a client starts it: a shim to the session that its servers share.

A client starts one process for each server. All of one client's shims lead to one relay process
(`session_relay`), which holds the key and one task. A shim gives its standard streams to the relay over a
Unix socket and waits; it reads no message, holds no secret, and imports only the standard library.

    shim --bind, start, connect--> relay    the first one; a file lock decides which
    shim --connect---------------> relay    every other one
    1. the shim sends the upstream's name with its three standard streams
    2. the relay answers `+`: it serves them
    3. the shim closes its side on a signal; the relay sends the exit code when it has finished

The relay ends after its last shim. A shim that arrives at that moment reads an end instead of `+` and begins
again, so it never stays without a relay, nor do two relays hold one socket (`session_relay`).
"""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final, NamedTuple

from remit.cli.tasks.client_process import client_of
from remit.core.user_folders import NAME, state_folder

if TYPE_CHECKING:
    import subprocess

#: The option that tells the relay its listening socket.
SHIMS: Final = "--shims"
#: Option words that a shim cannot serve: `connect` itself handles them.
_NOT_HERE: Final = frozenset(("--", "--help", "-h", "--http", SHIMS))
_UPSTREAM: Final = "--upstream"
SERVED: Final = b"+"
_ATTEMPTS: Final = 5
_BACKLOG: Final = 128
_MAX_NAME_BYTES: Final = 256
#: Variables that change the address or the agent of a task, and therefore separate sessions.
_SETTINGS: Final = ("REMIT_", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "HOME")
#: The exit code when no gateway can be reached.
UNREACHABLE: Final = 3


class ShimFault(Exception):
    """The shim cannot lead anywhere; the message names the remediation."""


class Request(NamedTuple):
    """A command line: the upstream, and the words that all shims of one session have in common."""

    upstream: str
    words: list[str]


def requested(argv: Sequence[str]) -> Request | None:
    """Return the request for a shim that a command line makes; None if it asks for anything else."""
    if not hasattr(socket, "send_fds") or not argv or argv[0] != "connect" or _NOT_HERE.intersection(argv):
        return None
    upstream, rest, words = "", [], list(argv[1:])
    while words:
        word = words.pop(0)
        if word == _UPSTREAM and words:
            upstream = words.pop(0)
        elif word.startswith(f"{_UPSTREAM}="):
            upstream = word.partition("=")[2]
        else:
            rest.append(word)
    return Request(upstream, rest) if upstream and len(upstream.encode()) <= _MAX_NAME_BYTES else None


def run(request: Request) -> int:
    """Serve this process's standard streams through the session of its client; return the exit code."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        there = os.getcwd()
        folder = runtime_folder()
        name = session_name(request, there)
        # The address of a Unix socket holds about 100 bytes: a name inside the folder always fits.
        os.chdir(folder)
        for _ in range(_ATTEMPTS):
            code = _once(request, name, there)
            if code is not None:
                return code
        fault = "the relay of this client's session ends before it serves: run `remit doctor`"
    except ShimFault as found:
        fault = str(found)
    except OSError as found:
        fault = f"the relay of this client's session cannot be reached ({found.strerror}): run `remit doctor`"
    sys.stderr.write(f"remit: {fault}\n")
    return UNREACHABLE


def runtime_folder() -> str:
    """Return the folder of the sockets, which only this user can enter; make it if necessary."""
    given = os.environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(given) and _is_private(given):
        folder = os.path.join(given, NAME)
    else:
        folder = os.path.join(state_folder(os.environ, os.path.expanduser("~")), "run")
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    except OSError as fault:
        raise ShimFault(f"`{folder}` cannot be made ({fault.strerror}): set XDG_STATE_HOME") from None
    if not _is_private(folder):
        raise ShimFault(f"`{folder}` must be a folder that only you can open: run `chmod 700 {folder}`")
    return folder


def session_name(request: Request, folder: str) -> str:
    """Return the name of the session: one for each client process, and each way to open its task."""
    client = client_of(os.getpid(), ("connect", _UPSTREAM, request.upstream))
    # A shim whose client is unknown has a session to itself.
    pid, started = (client.pid, client.started) if client is not None else (os.getpid(), "shim")
    settings = sorted(f"{name}={value}" for name, value in os.environ.items() if name.startswith(_SETTINGS))
    facts = "\0".join((_boot(), str(pid), started, folder, *request.words, "", *settings))
    return f"{pid}-{hashlib.sha256(facts.encode('utf-8', 'surrogateescape')).hexdigest()[:24]}"


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii")
    except OSError:
        return ""


def _is_private(folder: str) -> bool:
    try:
        status = os.lstat(folder)
    except OSError:
        return False
    return (
        stat.S_ISDIR(status.st_mode)
        and status.st_uid == os.geteuid()
        and not status.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    )


def _once(request: Request, name: str, there: str) -> int | None:
    """Return the exit code; None if the relay ended before it served this shim."""
    relay = None
    shim = _connected(f"{name}.sock")
    if shim is None:
        lock = os.open("shims.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            _hold(lock)
            shim = _connected(f"{name}.sock")
            if shim is None:
                shim, relay = _started(request, name, there)
        finally:
            os.close(lock)
    with shim:
        if _is_served(shim, request.upstream):
            return _last_word(shim)
    if relay is not None and (code := relay.wait()):
        # The relay could not open the session: its words are this command's.
        log = Path(f"{name}.log")
        sys.stderr.write(log.read_text("utf-8", "replace"))
        log.unlink()
        return code if code > 0 else UNREACHABLE
    return None


def _hold(lock: int) -> None:
    import fcntl

    fcntl.flock(lock, fcntl.LOCK_EX)


def _connected(address: str) -> socket.socket | None:
    shim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        shim.connect(address)
    except (ConnectionRefusedError, FileNotFoundError):
        shim.close()
        return None
    return shim


def _started(request: Request, name: str, there: str) -> tuple[socket.socket, subprocess.Popen[bytes]]:
    """Start the relay of a session; the caller holds the lock. Return the first shim to it.

    This process listens until the relay has inherited the socket, so no shim ever finds the address closed.
    """
    import subprocess

    draft = f"{name}.{os.getpid()}"
    log = os.open(f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(draft)
        listener.listen(_BACKLOG)
        shim = _connected(draft)
        assert shim is not None
        os.replace(draft, f"{name}.sock")
        facts = f"{listener.fileno()},{name.partition('-')[0]},{os.path.abspath(name)}"
        # -P: the client's folder must not be searched for modules.
        words = [sys.executable, "-P", "-m", "remit", "connect", *request.words, f"{SHIMS}={facts}"]
        try:
            relay = subprocess.Popen(  # noqa: S603 - our own program
                words, cwd=there, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log,
                pass_fds=[listener.fileno()], start_new_session=True,
            )  # fmt: skip
        finally:
            os.close(log)
    return shim, relay


def _is_served(shim: socket.socket, upstream: str) -> bool:
    try:
        socket.send_fds(shim, [upstream.encode() + b"\n"], [0, 1, 2])
        return shim.recv(1) == SERVED
    except (BrokenPipeError, ConnectionResetError):
        return False


def _last_word(shim: socket.socket) -> int:
    """Wait until the relay has finished with this shim; a signal asks it to finish now."""
    pending: list[int] = []

    def hang_up(number: int, _: FrameType | None) -> None:
        if pending:
            os._exit(128 + number)
        pending.append(number)
        shim.shutdown(socket.SHUT_WR)

    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, hang_up)
    said = b""
    try:
        while part := shim.recv(16):
            said += part
    except ConnectionResetError:
        said = b""
    if pending:
        return 128 + pending[0]
    if said.isdigit():
        return int(said)
    sys.stderr.write("remit: the relay of this client's session has ended: start the server again\n")
    return UNREACHABLE
