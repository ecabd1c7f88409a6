# SPDX-License-Identifier: Apache-2.0
"""Which configuration a command finds, and which one it never takes by itself.

The threat: a stranger puts a `remit.yaml` into a shared folder, and a command there starts its programs.
"""

import os
from pathlib import Path

import pytest

from remit.config import find_config
from remit.core.errors import ConfigInvalid
from tests.clients.other_user import NOBODY, needs_root


def test_the_folders_configuration_comes_before_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is named, then the current folder, then the user's folder."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    usual, here = tmp_path / "config" / "remit" / "remit.yaml", tmp_path / "here" / "remit.yaml"
    for path in (usual, here):
        path.parent.mkdir(parents=True)
    usual.touch()
    monkeypatch.chdir(here.parent)
    assert find_config() == usual
    here.touch()
    assert find_config() == here
    assert find_config("..") == tmp_path / "remit.yaml"


@needs_root
def test_a_strangers_file_in_a_shared_folder_must_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the stranger's own folder it is that folder's; elsewhere only its name makes it ours."""
    monkeypatch.chdir(tmp_path)
    planted = tmp_path / "remit.yaml"
    planted.touch()
    assert find_config() == planted
    os.chown(planted, NOBODY, NOBODY)
    with pytest.raises(ConfigInvalid, match="another user"):
        find_config()
    assert find_config(".") == planted
    os.chown(tmp_path, NOBODY, NOBODY)
    assert find_config() == planted
