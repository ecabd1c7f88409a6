# SPDX-License-Identifier: Apache-2.0
"""Threat: the program of one task looks into that of another, or into remit, which run as the same user."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from remit.adapters.upstream.processes import guard
from remit.adapters.upstream.processes import separation as apart
from remit.adapters.upstream.processes.user_ids import UserIds
from remit.compose.programs import users_of
from remit.config import load_config
from remit.config.scaffold import scaffold
from remit.core.errors import Busy, ConfigInvalid
from tests.clients.other_user import NOBODY, OPEN_PYTHON, needs_open_python, needs_root, of_user
from tests.gateways.task_program_gateway import ProcessGateway, lease_at
from tests.namespaces import guard_of, needs_namespaces
from tests.servers.authorization_server import Authorities, server

__all__ = ["server"]
Json = Any

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Landlock and /proc are of Linux")
needs_landlock = pytest.mark.skipif(not apart.version(), reason="this kernel has no Landlock")

#: All that runs under these ids is killed: who else runs these tests now has others.
FIRST = 2_000_000_000 + 4 * os.getpid()
LAST = FIRST + 3
APART = str(Path(apart.__file__))
GUARD = str(Path(guard.__file__))


@needs_landlock
def test_a_program_looks_into_no_other(tmp_path: Path, server: Authorities) -> None:
    """Neither into another one, nor into remit, nor into a guard: no environment, memory or signal, and no
    limits, with which another one would leave its memory in a file.
    """
    with (
        subprocess.Popen(["sleep", "600"], env={"SECRET": "of-another"}) as other,
        ProcessGateway(tmp_path, None) as gateway,
    ):
        _, token = gateway.open()
        told = gateway.do(token, "spy")
        other.kill()
        assert other.pid in told["seen"]
        assert os.getpid() in told["seen"]
        assert told["environments"] == told["memories"] == told["limited"] == []
        assert apart.version() < 6 or told["signalled"] == []
        # What it starts itself is its own.
        assert told["own_child"]


@needs_namespaces
def test_a_program_of_one_task_sees_no_other(tmp_path: Path, server: Authorities) -> None:
    """Its namespace has the program, what it starts, and the process that ends them."""
    with ProcessGateway(tmp_path, lease_at(server)) as gateway:
        _, token = gateway.open()
        _, other = gateway.open()
        gateway.do(other, "length")
        told = gateway.do(token, "spy")
        assert told["seen"] == [1]
        assert told["environments"] == told["memories"] == told["signalled"] == told["limited"] == []
        assert told["own_child"]


def test_without_that_it_would(tmp_path: Path, server: Authorities) -> None:
    """What the test above looks for is there to be found: the other task's credential, by its environment."""
    with ProcessGateway(tmp_path, lease_at(server), apart="off") as gateway:
        _, token = gateway.open()
        _, other = gateway.open()
        theirs = gateway.do(other, "length")["pid"]
        told = gateway.do(token, "spy")
        assert theirs in told["environments"]
        assert theirs in told["signalled"]
        assert theirs in told["limited"]


@needs_landlock
def test_a_program_that_must_be_apart_does_not_start_otherwise() -> None:
    """A domain within sixteen others cannot be made: the program is not started, or says so in its log."""
    for how, status in (("required", guard.CANNOT_START), ("where-possible", 0), ("off", 0)):
        code = (
            f"import os, sys; sys.path.insert(0, {str(Path(APART).parent)!r}); import separation\n"
            "while separation.keep_apart(): pass\n"
            "life, death = os.pipe(), os.pipe()\n"
            "for one in (*life, death[1]): os.set_inheritable(one, True)\n"
            f"os.execv(sys.executable, [sys.executable, '-I', '-S', {GUARD!r}, str(life[0]), str(death[1]),"
            f" '1', '0', {how!r}, '0', '', 'sh', '-c', 'sleep 0.01'])\n"
        )
        made = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=180, check=False)
        assert made.returncode == status, (how, made)
        assert (b"keeps programs of one user not apart" in made.stderr) is (how != "off")


@needs_open_python
@pytest.mark.parametrize("hidden", [True, False])
def test_nobody_of_the_same_user_looks_into_remit(hidden: bool) -> None:
    """Its environment and memory hold what all upstreams open; that is so of guards, too."""
    user, groups = (None, None) if os.geteuid() else (NOBODY, list[int]())
    python = [OPEN_PYTHON if user else sys.executable, "-I", "-S", "-c"]
    begin = f"import sys; sys.path.append({str(Path(APART).parent)!r}); import separation; "
    begin += "separation.hide(); " if hidden else ""
    with subprocess.Popen(
        [*python, begin + "print('ready', flush=True); sys.stdin.read()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd="/",
        env={"SECRET": "of-remit"},
        user=user,
        group=user,
        extra_groups=groups,
    ) as watched:
        assert watched.stdout is not None
        assert watched.stdin is not None
        assert watched.stdout.readline() == b"ready\n"
        look = f"open('/proc/{watched.pid}/environ', 'rb').read().index(b'of-remit')"
        seen = subprocess.run(
            [*python, look],
            cwd="/",
            capture_output=True,
            check=False,
            user=user,
            group=user,
            extra_groups=groups,
        )
        assert (seen.returncode == 0) is not hidden, seen.stderr
        assert (b"PermissionError" in seen.stderr) is hidden
        watched.stdin.close()


# A user id for each.


def test_no_user_id_is_used_twice_at_once_nor_again_soon() -> None:
    """The one that was free for longest comes next; where none is free, one more program is refused."""
    users = UserIds(10, 12)
    assert [users.take() for _ in range(3)] == [10, 11, 12]
    with pytest.raises(Busy, match="all 3 user ids"):
        users.take()
    users.free(11)
    assert users.take() == 11
    users.free(10)
    users.free(12)
    assert users.take() == 12


@needs_root
@needs_open_python
def test_each_program_has_a_user_id_of_its_own(tmp_path: Path, server: Authorities) -> None:
    """Each program also has its own home directory, which is removed with it; whatever it left behind of that
    user is dead.
    """
    settings = f"programs: {{users: [{FIRST}, {LAST}]}}\n"
    with ProcessGateway(tmp_path, lease_at(server), more=settings, python=OPEN_PYTHON) as gateway:
        task, token = gateway.open()
        _, other = gateway.open()
        mine, theirs = gateway.do(token, "who"), gateway.do(other, "who")
        assert mine["uid"] != theirs["uid"]
        for told in (mine, theirs):
            assert FIRST <= told["uid"] <= LAST
            assert told["uid"] == told["gid"]
            assert told["groups"] in ([], [told["uid"]])
            assert told["home"].startswith("/")
            assert Path(told["home"]).stat().st_uid == told["uid"]
            assert Path(told["home"]).stat().st_mode & 0o077 == 0
        left = gateway.do(token, "leave_a_stranger")["stranger"]
        assert left in of_user(mine["uid"])
        gateway.closed_up(task)
        assert of_user(mine["uid"]) == []
        assert not Path(mine["home"]).exists()
        assert of_user(theirs["uid"])
    end_s = time.monotonic() + 60
    while any(of_user(user) for user in range(FIRST, LAST + 1)):
        assert time.monotonic() < end_s
        time.sleep(0.02)


@needs_root
def test_user_ids_of_others_are_nobodys_to_give(tmp_path: Path) -> None:
    """All that runs under these ids is killed: a range with an account in it is refused at the start."""
    scaffold(tmp_path)
    config = tmp_path / "remit.yaml"
    config.write_text(f"{config.read_text()}\nprograms: {{users: [{NOBODY - 9}, {NOBODY + 9}]}}\n")
    with pytest.raises(ConfigInvalid, match="`nobody` has 65534"):
        users_of(load_config(tmp_path))


@needs_root
@needs_open_python
def test_what_outlived_its_guard_is_killed_by_its_user(tmp_path: Path, server: Authorities) -> None:
    """The survivor carries no mark, and has lost its parent: its user id is what it cannot change."""
    settings = f"programs: {{users: [{FIRST}, {LAST}]}}\n"
    with ProcessGateway(tmp_path, lease_at(server), more=settings, python=OPEN_PYTHON) as gateway:
        task, token = gateway.open()
        told = gateway.do(token, "leave_a_stranger")
        os.kill(guard_of(told["pid"]), signal.SIGKILL)
        gateway.closed_up(task)
        gateway.eventually(lambda: told["stranger"] not in of_user(told["uid"]))
