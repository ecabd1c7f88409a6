# SPDX-License-Identifier: Apache-2.0
"""Where a configuration is found, and where its state is.

The configuration is, in this order: what `--config` names, the `remit.yaml` of the current folder, that of
the user's configuration folder (`$XDG_CONFIG_HOME/remit`). Beside the user's configuration no state is kept:
what the configuration calls `.remit/` is then the user's state folder (`$XDG_STATE_HOME/remit`).

A configuration names programs to start, so a file that a stranger has put into a shared folder (`/tmp`) is
not taken for the one of that folder.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from remit.core.errors import ConfigInvalid
from remit.core.user_folders import config_folder, state_folder

CONFIG_NAME: Final = "remit.yaml"
STATE: Final = ".remit"


def user_config() -> Path:
    """Return the path of the user's configuration; it need not exist."""
    return Path(config_folder(os.environ, os.path.expanduser("~"))) / CONFIG_NAME


def state_of(folder: Path) -> Path:
    """Return the folder of the state that belongs to a folder with a configuration."""
    if Path(os.path.abspath(folder)) == user_config().parent:
        return Path(state_folder(os.environ, os.path.expanduser("~")))
    return folder / STATE


def placed(folder: Path, path: str) -> Path:
    """Return a path of the configuration in `folder`, made absolute."""
    first, _, rest = path.partition("/")
    return state_of(folder) / rest if first == STATE else folder / path


def find_config(named: str = "") -> Path:
    """Return the absolute path of the configuration; it need not exist.

    Raises `ConfigInvalid` for one that was not named, and that a stranger has put here.
    """
    here = Path(os.path.abspath(os.path.expanduser(named) if named else "."))
    path = here / CONFIG_NAME if here.is_dir() else here
    if not named and not path.is_file() and (own := user_config()).is_file():
        return own
    if not named and _is_planted(path):
        raise ConfigInvalid(
            "belongs to another user than its folder",
            file=str(path),
            remediation="name it with `--config` if you trust it",
        )
    return path


def _is_planted(path: Path) -> bool:
    """Return whether a file is neither ours, nor root's, nor of the owner of its folder."""
    try:
        owner, place = path.lstat().st_uid, path.parent.stat().st_uid
    except OSError:
        return False
    return hasattr(os, "geteuid") and owner not in (os.geteuid(), 0, place)
