# SPDX-License-Identifier: Apache-2.0
"""The programs that remit starts, and how far this machine keeps them and remit itself apart."""

from __future__ import annotations

import os

from remit.adapters.upstream import apart
from remit.adapters.upstream.users import Users
from remit.config import Config
from remit.core.errors import ConfigInvalid


def users_of(config: Config) -> Users | None:
    """Give the user ids that programs run as; raises `ConfigInvalid` where they cannot."""
    if not config.programs.users:
        return None
    if os.geteuid() != 0:
        raise ConfigInvalid(
            "programs cannot be given user ids of their own by a user that is not root",
            key="programs.users",
            way_out="run remit as root, or leave it out",
        )
    return Users(*config.programs.users)


def keeps_apart() -> bool:
    """Whether this machine keeps programs of one user from looking into each other."""
    return apart.version() > 0


def hide_this_process() -> None:
    """Let nobody of the same user look into this process: its memory holds what every upstream opens."""
    apart.hide()
