# SPDX-License-Identifier: Apache-2.0
"""Threat: a program has that of another task leave its memory, and the credential in it, in a core file."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from remit.adapters.upstream.processes import guard
from remit.adapters.upstream.processes import separation as apart

Json = Any

CORE_PATTERN = Path("/proc/sys/kernel/core_pattern")

pytestmark = pytest.mark.skipif(not apart.version(), reason="this kernel has no Landlock")

#: Tries what would let a core file be written, and then makes one.
CRASH = """
import json, os, resource, signal
told = {"core": resource.getrlimit(resource.RLIMIT_CORE)}
try:
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    told["raised"] = True
except ValueError:
    told["raised"] = False
resource.setrlimit(resource.RLIMIT_NOFILE, (99, 99))
told["own"] = resource.getrlimit(resource.RLIMIT_NOFILE)
if os.fork() == 0:
    told["parent's"] = []
    for change in (resource.RLIMIT_CPU, resource.RLIMIT_NPROC):
        resource.prlimit(os.getppid(), change)
        try:
            resource.prlimit(os.getppid(), change, (999, 999))
            told["parent's"].append(change)
        except PermissionError:
            pass
    print(json.dumps(told), flush=True)
    os._exit(0)
os.wait()
os.kill(os.getpid(), signal.SIGSEGV)
"""


def crashed(folder: Path, how: str) -> Json:
    """Have a guarded program crash where it may write; gives what it told before."""
    life, death = os.pipe(), os.pipe()
    for one in (*life, death[1]):
        os.set_inheritable(one, True)
    try:
        made = subprocess.run(
            [
                *(sys.executable, "-I", "-S", str(guard.__file__), str(life[0]), str(death[1]), "1", "0"),
                *(how, "0", "", sys.executable, "-c", CRASH),
            ],
            cwd=folder,
            env={"TOKEN": "of-this-task"},
            capture_output=True,
            timeout=180,
            check=False,
            close_fds=False,
        )
    finally:
        for one in (*life, *death):
            os.close(one)
    return json.loads(made.stdout)


def test_a_program_that_crashes_leaves_no_core_file(tmp_path: Path) -> None:
    """Nor can it, or who sets its limits, ever have one written again."""
    told = crashed(tmp_path, "required")
    assert max(told["core"]) <= 1
    assert not told["raised"]
    assert not list(tmp_path.iterdir())


def test_a_program_sets_its_own_limits_and_those_of_no_other(tmp_path: Path) -> None:
    """With less time of the processor, or no files, another one would be ended; reading is free."""
    told = crashed(tmp_path, "required")
    assert told["own"] == [99, 99]
    assert told["parent's"] == []


@pytest.mark.skipif(
    CORE_PATTERN.read_text()[:1] in "|/" if CORE_PATTERN.exists() else True,
    reason="core files go elsewhere here",
)
@pytest.mark.skipif(os.geteuid() != 0, reason="limits are raised by root alone")
def test_without_that_its_memory_would_lie_in_a_file(tmp_path: Path) -> None:
    """What the tests above look for is there to be found."""
    told = crashed(tmp_path, "off")
    assert told["raised"]
    assert told["parent's"]
    assert any(b"of-this-task" in one.read_bytes() for one in tmp_path.iterdir())
