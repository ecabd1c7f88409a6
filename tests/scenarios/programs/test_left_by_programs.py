# SPDX-License-Identifier: Apache-2.0
"""Threat: the program of one task finds what that of another has left, for both had the same user id."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest

from remit.adapters.upstream.processes import separation as apart
from tests.clients.other_user import OPEN_PYTHON, needs_open_python, needs_root, of_user
from tests.gateways.task_program_gateway import ProcessGateway, lease_at
from tests.servers.authorization_server import Authorities, server

__all__ = ["server"]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it is about Linux")

#: Few ids, so that each comes again soon; of this run alone, for all that runs under them is killed.
FIRST = 2_000_100_000 + os.getpid() % 100_000 * 4
LAST = FIRST + 3


@needs_root
@needs_open_python
def test_nothing_of_an_earlier_program_is_there_for_the_next_one_of_its_user(
    tmp_path: Path, server: Authorities
) -> None:
    """Neither files and folders where every user may write, locked or deeply nested ones too, nor shared
    memory.
    """
    settings = f"programs: {{users: [{FIRST}, {LAST}]}}\n"
    with ProcessGateway(tmp_path, lease_at(server), more=settings, python=OPEN_PYTHON) as gateway:
        task, token = gateway.open()
        left = gateway.do(token, "leave_files")
        assert left["memory"] >= 0
        assert Path(left["place"]).exists()
        gateway.closed_up(task)
        gateway.eventually(lambda: not of_user(left["uid"]))
        seen = {}
        while left["uid"] not in seen:
            task, token = gateway.open()
            found = gateway.do(token, "find_files")
            seen[found["uid"]] = found
            gateway.closed_up(task)
        assert seen[left["uid"]]["found"] == []
        assert seen[left["uid"]]["memory"] == -1
    assert not Path(left["place"]).exists()


def test_what_others_remove_while_it_is_looked_through_hinders_nobody(tmp_path: Path) -> None:
    """In folders where every user may write, files come and go: a program that starts must not depend on
    them.
    """
    mine = tmp_path / "mine"
    (mine / "inside").mkdir(parents=True)
    for gone in (tmp_path / "gone", mine / "gone"):
        gone.touch()
    listed = os.scandir

    def slowly(place: str) -> Iterator[os.DirEntry[str]]:
        found = list(listed(place))
        Path(place, "gone").unlink(missing_ok=True)
        return iter(found)

    with mock.patch.object(os, "scandir", slowly):
        assert apart._clear(str(tmp_path), os.geteuid())
    assert list(tmp_path.iterdir()) == []


@needs_root
def test_no_program_can_kill_whoever_kills_all_of_its_user() -> None:
    """Else one that sends signals without an end would at times be the faster one, and outlive its task."""

    def child(act: Callable[[], None]) -> int:
        reading, writing = os.pipe()
        if pid := os.fork():
            os.close(writing)
            assert os.read(reading, 1) == b"x"
            os.close(reading)
            return pid
        try:
            act()
            os.write(writing, b"x")
            signal.pause()
        finally:
            os._exit(1)

    def told_of(pid: int) -> bytes:
        reading, writing = os.pipe()
        if (asking := os.fork()) == 0:
            try:
                apart.become(FIRST)
                os.kill(pid, 0)
                os.write(writing, b"sent")
            except PermissionError:
                os.write(writing, b"refused")
            finally:
                os._exit(0)
        os.waitpid(asking, 0)
        os.close(writing)
        return os.read(reading, 16)

    killer, program = child(lambda: apart._act_as(FIRST)), child(lambda: apart.become(FIRST))
    try:
        assert told_of(program) == b"sent"
        assert told_of(killer) == b"refused"
        apart.kill_user(FIRST)
        assert os.waitstatus_to_exitcode(os.waitpid(program, 0)[1]) == -signal.SIGKILL
    finally:
        os.kill(killer, signal.SIGKILL)
        os.waitpid(killer, 0)
    assert of_user(FIRST) == []
