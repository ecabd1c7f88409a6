# SPDX-License-Identifier: Apache-2.0
"""What brokers share: whom they trust to be their source."""

from __future__ import annotations

import ssl

from remit.config import Config


def tls_of(ca: str, config: Config) -> ssl.SSLContext | None:
    """Return what verifies a source by the authorities of a file; `None` where those of the system do."""
    return ssl.create_default_context(cafile=str(config.at(ca))) if ca else None
