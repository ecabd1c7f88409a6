# SPDX-License-Identifier: Apache-2.0
"""One thing that `remit doctor` looked at, and what its looks share."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

CONNECT_S = 3


class Check(NamedTuple):
    """One thing that was looked at; `state` is `ok`, `note` or `fail`."""

    subject: str
    state: str
    says: str
    remediation: str = ""


@contextlib.contextmanager
def unwarned() -> Iterator[None]:
    """Have adapters warn of nothing: what they would say is what a look is about to say."""
    warnings = logging.getLogger("remit")
    level = warnings.level
    warnings.setLevel(logging.ERROR)
    try:
        yield
    finally:
        warnings.setLevel(level)


def no_connection(url: str) -> str:
    """Connect to where a URL leads, and say why that cannot be done; empty where it can."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=CONNECT_S).close()
    except OSError as fault:
        return fault.strerror or str(fault)
    return ""
