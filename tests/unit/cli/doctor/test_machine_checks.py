# SPDX-License-Identifier: Apache-2.0
"""`remit doctor` tells who else can change what is permitted, and which limits of the machine are low."""

import os
import resource
from pathlib import Path

import pytest

from remit.cli.doctor.machine import machine_looks
from remit.config import Config, load_config
from remit.config.scaffold import scaffold

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A folder as `remit init` makes it, whatever the umask of this process is."""
    scaffold(tmp_path)
    for one in (tmp_path, *tmp_path.rglob("*")):
        one.chmod(one.stat().st_mode & ~0o022)
    return load_config(tmp_path)


def told(config: Config) -> list[tuple[str, str]]:
    """Return subject and state of what is wrong with files."""
    return [(one.subject, one.says) for one in machine_looks(config) if one.state == "fail"]


def test_files_that_every_user_can_change_are_told(config: Config) -> None:
    """Of a policy, a folder or the configuration: each decides what is permitted."""
    assert told(config) == []
    policy = next(config.at(config.policy.path).glob("*.cedar"))
    policy.chmod(0o666)
    ((subject, says),) = told(config)
    assert (subject, f"`{policy}`" in says) == ("files", True)
    Path(config.file).chmod(0o602)
    config.at(config.tasks).chmod(0o777)
    assert len(told(config)) == 3


def test_a_low_limit_of_open_files_is_told(config: Config) -> None:
    """Before connections are lost by it."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, before[0]), before[1]))
        assert "LimitNOFILE" in next(one.remediation for one in machine_looks(config))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
