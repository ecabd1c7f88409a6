# SPDX-License-Identifier: Apache-2.0
"""Threat: the program of one task finds what that of another has left, for both had the same user id."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from tests.authorization_server import SECRET, Authorities, authorities
from tests.process_gateway import ProcessGateway, lease_at
from tests.scenarios.test_programs_apart import OPEN_PYTHON, needs_open_python, needs_root, of_user

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it is about Linux")

#: Few ids, so that each comes again soon; of this run alone, for all that runs under them is killed.
FIRST = 2_000_100_000 + os.getpid() % 100_000 * 4
LAST = FIRST + 3


@pytest.fixture
def server() -> Iterator[Authorities]:
    """The authorization server."""
    with authorities() as made, mock.patch.dict(os.environ, {"CRM_CLIENT_SECRET": SECRET}):
        yield made


@needs_root
@needs_open_python
def test_nothing_of_an_earlier_program_is_there_for_the_next_one_of_its_user(
    tmp_path: Path, server: Authorities
) -> None:
    """Neither files and folders where everybody may write, shut or deep ones too, nor shared memory."""
    settings = f"programs: {{users: [{FIRST}, {LAST}]}}\n"
    with ProcessGateway(tmp_path, lease_at(server), more=settings, python=OPEN_PYTHON) as gateway:
        task, token = gateway.open()
        left = gateway.do(token, "leave_files")
        assert left["memory"] >= 0
        gateway.closed_up(task)
        gateway.eventually(lambda: not of_user(left["uid"]))
        assert Path(left["place"]).exists()
        seen = {}
        while left["uid"] not in seen:
            task, token = gateway.open()
            found = gateway.do(token, "find_files")
            seen[found["uid"]] = found
            gateway.closed_up(task)
        assert seen[left["uid"]]["found"] == []
        assert seen[left["uid"]]["memory"] == -1
    assert not Path(left["place"]).exists()
