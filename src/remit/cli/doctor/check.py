# SPDX-License-Identifier: Apache-2.0
"""The result of one check of `remit doctor`, and helpers that the checks share."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

CONNECT_S = 3
#: A larger difference between clocks makes tokens invalid on one side.
MAX_SKEW_S = 5.0


class Check(NamedTuple):
    """The result of one check; `state` is `ok`, `note` or `fail`."""

    subject: str
    state: str
    says: str
    remediation: str = ""


@contextlib.contextmanager
def unwarned() -> Iterator[None]:
    """Silence the adapters' warnings: the check itself reports what they would warn of."""
    warnings = logging.getLogger("remit")
    level = warnings.level
    warnings.setLevel(logging.ERROR)
    try:
        yield
    finally:
        warnings.setLevel(level)


def no_connection(url: str) -> str:
    """Connect to a URL's host, and return why that fails; empty if it works."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=CONNECT_S).close()
    except OSError as fault:
        return fault.strerror or str(fault)
    return ""
