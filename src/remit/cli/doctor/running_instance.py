# SPDX-License-Identifier: Apache-2.0
"""Checks whether the remit that answers on this machine is the one of this folder."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from remit.cli.doctor.check import Check
from remit.config import Config

_HERE = ("127.0.0.1", "localhost", "::1")


def whose_looks(config: Config, base_url: str, *, answers: bool) -> list[Check]:
    """Report if another remit answers at the address that this folder's commands use.

    The process that serves a store file writes its process id beside the file. A store that is not a file is
    not checked.
    """
    if not answers or config.store.kind != "sqlite" or urlsplit(base_url).hostname not in _HERE:
        return []
    if _is_served(config):
        return []
    return [
        Check(
            "remit",
            "note",
            f"the remit at {base_url} is not the one of this folder; no remit serves this folder's store",
            "start it, with another `listen.port` if the other one keeps running",
        )
    ]


def _is_served(config: Config) -> bool:
    """Return whether the process that last took the store is still running; true if that is unknown."""
    path = config.at(config.store.path)
    try:
        number = int(path.with_name(path.name + ".lock").read_text(encoding="ascii"))
        os.kill(number, 0)
    except (FileNotFoundError, ProcessLookupError):
        return False
    except (OSError, ValueError):
        return True
    return True
