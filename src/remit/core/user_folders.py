# SPDX-License-Identifier: Apache-2.0
"""remit's folders of one user, by the XDG Base Directory Specification. The environment is an argument."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

NAME: Final = "remit"


def config_folder(environ: Mapping[str, str], home: str) -> str:
    """Return the folder of the user's configuration and sign-ins."""
    return _below(environ, "XDG_CONFIG_HOME", f"{home}/.config")


def state_folder(environ: Mapping[str, str], home: str) -> str:
    """Return the folder of the user's store, keys, secrets and logs."""
    return _below(environ, "XDG_STATE_HOME", f"{home}/.local/state")


def announcement_socket(environ: Mapping[str, str], home: str, port: int) -> str:
    """Return the socket at which a remit on a port hears of the relays of clients."""
    return f"{state_folder(environ, home)}/run/relays-{port}.sock"


def _below(environ: Mapping[str, str], variable: str, default: str) -> str:
    given = environ.get(variable, "")
    # "If an implementation encounters a relative path [...] it should [...] ignore it."
    absolute = given.startswith("/") or given[1:3] in (":/", ":\\")
    return f"{given.rstrip('/') if absolute else default}/{NAME}"
