# SPDX-License-Identifier: Apache-2.0
"""The record of a running remit: no other process is ever taken for it."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from remit.cli import instance
from remit.cli.instance import Instance, InstanceClaim, claimed, lives, log_of, record_of, running, send
from remit.core.errors import Forbidden
from tests.clients.other_user import NOBODY, needs_root


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The place of a configuration."""
    return tmp_path / "remit.yaml"


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with remit."""
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", "input()"], stdin=subprocess.PIPE) as made:
        yield made
        made.kill()


def write(config: Path, **changes: object) -> Instance:
    """Write a record without holding its lock."""
    known = {"id": "a", "pid": os.getpid(), "since": "", "version": "", "config": str(config)}
    record_of(config).parent.mkdir(exist_ok=True)
    record_of(config).write_bytes(msgspec.json.encode(known | changes))
    return msgspec.convert(known | changes, Instance)


def test_a_claim_is_found_while_it_is_held(config: Path) -> None:
    """It has no address until remit serves, and is gone when it is closed."""
    assert running(config) is None
    with claimed(config) as claim:
        assert isinstance(claim, InstanceClaim)
        found = running(config)
        assert found is not None
        assert (found.pid, found.url, found.background) == (os.getpid(), "", False)
        claim.serves("http://127.0.0.1:1")
        assert running(config) == claim.instance
        assert claim.instance.url == "http://127.0.0.1:1"
    assert running(config) is None


def test_a_second_claim_gets_the_first_one(config: Path) -> None:
    """Of two starts for one configuration, the second learns where the first one is."""
    with claimed(config) as claim, claimed(config) as other:
        assert isinstance(claim, InstanceClaim)
        assert other == claim.instance
        assert running(config) == claim.instance
    with claimed(config) as again:
        assert isinstance(again, InstanceClaim)
        assert again.instance.id != claim.instance.id


def test_configurations_of_one_folder_have_their_own_records(config: Path) -> None:
    """Another name of the file is another remit."""
    other = config.with_name("other.yaml")
    with claimed(config), claimed(other) as claim:
        assert isinstance(claim, InstanceClaim)
    assert record_of(config).name == "up.json"
    assert (record_of(other).name, log_of(other).name) == ("other.yaml.json", "other.yaml.log")


def test_a_record_that_a_crash_left_names_nothing(config: Path, bystander: subprocess.Popen[bytes]) -> None:
    """Its number may belong to another process by now; without the lock it is not even looked at."""
    left = write(config, pid=bystander.pid, started=instance._started(bystander.pid))
    assert running(config) is None
    assert not send(config, left, signal.SIGKILL)
    assert bystander.poll() is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells when a process was started")
def test_a_process_of_another_start_time_gets_no_signal(
    config: Path, bystander: subprocess.Popen[bytes]
) -> None:
    """Even under the lock: a record that names another process sends it nothing."""
    with claimed(config) as claim:
        assert isinstance(claim, InstanceClaim)
        written = msgspec.structs.replace(claim.instance, pid=bystander.pid)
        claim._write(msgspec.json.encode(written))
        found = running(config)
        assert found == written
        assert not send(config, found, signal.SIGKILL)
    assert bystander.poll() is None


@needs_root
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells whose a process is")
def test_another_users_record_names_no_process_of_ours(
    config: Path, bystander: subprocess.Popen[bytes]
) -> None:
    """In a folder of many, a stranger holds the lock of a record that is true of our process."""
    with claimed(config) as claim:
        assert isinstance(claim, InstanceClaim)
        began = instance._started(bystander.pid)
        written = msgspec.structs.replace(claim.instance, pid=bystander.pid, started=began)
        claim._write(msgspec.json.encode(written))
        os.chown(record_of(config), NOBODY, NOBODY)
        assert running(config) is None
        assert not send(config, written, signal.SIGKILL)
    assert bystander.poll() is None


def test_what_is_no_file_names_nothing(config: Path, tmp_path: Path) -> None:
    """A link, a pipe or a folder in the place of a record is neither followed nor waited for."""
    place = record_of(config)
    place.parent.mkdir()
    place.symlink_to(tmp_path / "elsewhere")
    assert running(config) is None
    place.unlink()
    os.mkfifo(place)
    assert running(config) is None
    place.unlink()
    place.mkdir()
    assert running(config) is None


def test_a_signal_reaches_the_process_that_holds_the_claim(config: Path) -> None:
    """It is sent for as long as that run goes on, and not to the one after it."""
    heard: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: heard.append(number))
    try:
        with claimed(config) as claim:
            assert isinstance(claim, InstanceClaim)
            assert send(config, claim.instance, signal.SIGUSR1)
        assert heard == [signal.SIGUSR1]
        assert not send(config, claim.instance, signal.SIGUSR1)
        assert heard == [signal.SIGUSR1]
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_process_lives_between_two_of_its_runs(config: Path) -> None:
    """A restart keeps the process; another one with its number has another start time."""
    with claimed(config) as claim:
        assert isinstance(claim, InstanceClaim)
    assert lives(claim.instance)
    assert not lives(msgspec.structs.replace(claim.instance, started="1"))


def test_a_damaged_record_names_nothing(config: Path) -> None:
    """It is neither believed nor a defect."""
    with claimed(config) as claim:
        assert isinstance(claim, InstanceClaim)
        claim._write(b'{"id": ')
        assert running(config) is None


def test_a_folder_that_cannot_be_written_has_no_record(tmp_path: Path) -> None:
    """remit serves nevertheless: its store may be elsewhere."""
    (tmp_path / ".remit").write_text("a file")
    with claimed(tmp_path / "remit.yaml") as claim:
        assert isinstance(claim, InstanceClaim)
        assert running(tmp_path / "remit.yaml") is None


@needs_root
def test_the_remit_of_another_user_is_named_as_such() -> None:
    """Its record is not readable, and its owner is said."""
    with tempfile.TemporaryDirectory() as folder, claimed(config := Path(folder) / "remit.yaml"):
        Path(folder).chmod(0o755)
        record_of(config).parent.chmod(0o755)
        child = os.fork()
        if not child:
            code = 1
            try:
                os.setgid(NOBODY)
                os.setuid(NOBODY)
                running(config)
            except Forbidden as fault:
                code = 0 if fault.code == "other-user" and "`root`" in fault.message else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
