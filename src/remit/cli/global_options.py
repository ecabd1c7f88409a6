# SPDX-License-Identifier: Apache-2.0
"""The options of every command: the form of the answer, the person to act as, and the configuration."""

from __future__ import annotations

import os
from contextlib import ExitStack
from contextvars import ContextVar
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

    from remit.config import Config


class Invocation(NamedTuple):
    """One call of `remit`. `profile` is the person to act as; `config` the file or folder that was named."""

    json: bool = False
    config: str = ""
    profile: str = ""

    @property
    def config_file(self) -> Path:
        """The configuration's path, absolute; it need not exist.

        What `--config` names, else the `remit.yaml` of this folder, else that of the user's folder.
        """
        from remit.config import find_config

        return find_config(self.config)

    def load_config(self) -> Config:
        """Read the configuration; raises `ConfigInvalid`."""
        from remit.config import load_config
        from remit.core.errors import ConfigInvalid

        path = self.config_file
        if not path.is_file():
            raise ConfigInvalid(
                "does not exist",
                file=str(path) if self.config else path.name,
                remediation="run `remit init`, or give `--config`",
            )
        return load_config(path)

    def base_url(self) -> str:
        """Return the address of remit, without a slash at its end."""
        given = os.environ.get("REMIT_URL", "")
        if given and not given.startswith(("http://", "https://")):
            from remit.core.errors import ConfigInvalid

            raise ConfigInvalid(
                f"`{given[:80]}` is not an address of remit",
                remediation="set REMIT_URL to one that begins with `https://`",
            )
        if given:
            return given.rstrip("/")
        from remit.cli.instance import as_served

        return as_served(self.load_config()).listen.url.rstrip("/")

    def authorities(self) -> ssl.SSLContext | bool:
        """Return the certificate authorities to trust at that address: those of `REMIT_CA_FILE`, else the
        default ones.

        Raises `ConfigInvalid`.
        """
        import ssl

        from remit.core.errors import ConfigInvalid

        given = os.environ.get("REMIT_CA_FILE", "")
        if not given:
            return True
        try:
            return ssl.create_default_context(cafile=given)
        except (OSError, ssl.SSLError):
            raise ConfigInvalid(
                f"`{given[:200]}` contains no certificate authorities",
                remediation="name a PEM file in REMIT_CA_FILE",
            ) from None


#: Closed when the command has ended.
CLOSING: ContextVar[ExitStack] = ContextVar("remit_closing")
CURRENT: ContextVar[Invocation] = ContextVar("remit_invocation")


def current() -> Invocation:
    """Return the invocation of the running command."""
    return CURRENT.get(Invocation())
