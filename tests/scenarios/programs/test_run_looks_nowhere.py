# SPDX-License-Identifier: Apache-2.0
"""Threat: the program of `remit run` reads the relay that holds its key, or an upstream's environment."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from remit.compose.programs import keeps_apart
from tests.gateways.live_gateway import LiveGateway

Json = Any

SWEEP = ("--agent", "note-bot", "--task", "sweep", "--alone")
needs_landlock = pytest.mark.skipif(not keeps_apart(), reason="this kernel has no Landlock")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="/proc and Landlock are of Linux"),
]

#: Tries each way by which a process of the same user gets at another's memory. The relay is the parent.
LOOK = """
import ctypes, json, os, pathlib, signal
libc = ctypes.CDLL(None, use_errno=True)
class Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("len", ctypes.c_size_t))

def environment(pid):
    return bool(pathlib.Path(f"/proc/{pid}/environ").read_bytes())

def memory(pid):
    maps = pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines()
    start = int(maps[0].partition("-")[0], 16)
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as opened:
        opened.seek(start)
        return bool(opened.read(1))

def traced(pid):
    libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
    if libc.ptrace(0x4206, pid, None, None) == 0:  # PTRACE_SEIZE
        libc.ptrace(17, pid, None, None)
        return True
    return False

def copied(pid):
    room = ctypes.create_string_buffer(8)
    here = Vector(ctypes.cast(room, ctypes.c_void_p), 8)
    there = Vector(ctypes.cast(libc.getpid, ctypes.c_void_p), 8)
    return libc.process_vm_readv(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0) > 0

def descriptors(pid):
    # That there are some root may see; which ones, and what is behind them, is the secret.
    return any(os.readlink(f"/proc/{pid}/fd/{one}") for one in os.listdir(f"/proc/{pid}/fd"))

def taken(pid):
    held = os.pidfd_open(pid)
    return libc.syscall(438, held, 0, 0) >= 0  # pidfd_getfd

def ended(pid):
    os.kill(pid, 0)
    return True

told = {}
others = {"relay": os.getppid()} | {one.lower(): int(os.environ[one]) for one in ("GATEWAY", "UPSTREAM")}
for name, pid in others.items():
    for way in (environment, memory, traced, copied, descriptors, taken, ended):
        try:
            got = way(pid)
        except OSError:
            got = False
        if got:
            told.setdefault(name, []).append(way.__name__)
try:
    told["key"] = "d" in json.loads(pathlib.Path(os.environ["KEY"]).read_text())
except OSError:
    told["key"] = False
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGateway]:
    """One gateway for all."""
    with LiveGateway(tmp_path_factory.mktemp("gateway")) as one:
        yield one


def an_upstream() -> int:
    """Return a process of an upstream's program."""
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = place.read_bytes().split(b"\0")
        except OSError:
            continue
        if any(word.endswith(b"servers/notes.py") for word in words[:2]):
            return int(place.parent.name)
    raise AssertionError("no upstream runs")


def looked(gateway: LiveGateway, *more: str) -> Json:
    """Run the program; gives what it could look into, and how."""
    place = gateway.folder / "look.py"
    place.write_text(LOOK)
    env = {
        "GATEWAY": str(os.getpid()),
        "UPSTREAM": str(an_upstream()),
        "KEY": str(gateway.folder / ".remit" / "agents" / "note-bot.key.json"),
    }
    done = gateway.remit("run", *SWEEP, *more, "--", sys.executable, str(place), env=env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@needs_landlock
def test_the_program_of_an_agent_looks_into_no_process(gateway: LiveGateway) -> None:
    """Neither into the relay, nor into the gateway, nor into an upstream: it stays in its own domain."""
    told = looked(gateway, "--apart", "required")
    # Signals are shut from Linux 6.12 on.
    assert {name: ways for name, ways in told.items() if name != "key" and ways != ["ended"]} == {}


@needs_landlock
def test_that_is_so_without_being_asked_for(gateway: LiveGateway) -> None:
    """`--apart` has to be said for the other ways alone."""
    told = looked(gateway)
    assert {name: ways for name, ways in told.items() if name != "key" and ways != ["ended"]} == {}


def test_without_that_it_looks_into_an_upstream(gateway: LiveGateway) -> None:
    """What the tests above look for is there to be found; of another user of the machine it would not be."""
    told = looked(gateway, "--apart", "off")
    assert {"environment", "memory", "descriptors"} <= set(told["upstream"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root looks into every process")
def test_nobody_of_the_same_user_looks_into_the_relay(gateway: LiveGateway) -> None:
    """This also holds for a program outside every domain: no process of the relay's user can look into the
    relay.
    """
    assert set(looked(gateway, "--apart", "off").get("relay", [])) <= {"ended"}


@needs_landlock
def test_files_of_the_same_user_are_open_to_the_program(gateway: LiveGateway) -> None:
    """What SECURITY.md says does not hold: the agent's key file is for another user to hide."""
    assert looked(gateway, "--apart", "required")["key"]
