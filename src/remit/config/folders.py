# SPDX-License-Identifier: Apache-2.0
"""Where a configuration is found, and where its state is.

The configuration is, in this order: what `--config` names, the `remit.yaml` of the current folder, that of
the user's configuration folder (`$XDG_CONFIG_HOME/remit`). Beside the user's configuration no state is kept:
what the configuration calls `.remit/` is then the user's state folder (`$XDG_STATE_HOME/remit`).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

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
    """Return the absolute path of the configuration; it need not exist."""
    here = Path(os.path.abspath(os.path.expanduser(named) if named else "."))
    path = here / CONFIG_NAME if here.is_dir() else here
    if not named and not path.is_file() and (own := user_config()).is_file():
        return own
    return path
