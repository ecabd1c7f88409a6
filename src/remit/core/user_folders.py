# SPDX-License-Identifier: Apache-2.0
"""remit's folders of one user, by the XDG Base Directory Specification. The environment is an argument."""

from __future__ import annotations

import os.path
from collections.abc import Mapping

NAME = "remit"


def config_folder(environ: Mapping[str, str], home: str) -> str:
    """Return the folder of the user's configuration and sign-ins."""
    return _below(environ, "XDG_CONFIG_HOME", os.path.join(home, ".config"))


def state_folder(environ: Mapping[str, str], home: str) -> str:
    """Return the folder of the user's store, keys, secrets and logs."""
    return _below(environ, "XDG_STATE_HOME", os.path.join(home, ".local", "state"))


def _below(environ: Mapping[str, str], variable: str, default: str) -> str:
    given = environ.get(variable, "")
    # "If an implementation encounters a relative path [...] it should [...] ignore it."
    return os.path.join(given if os.path.isabs(given) else default, NAME)
