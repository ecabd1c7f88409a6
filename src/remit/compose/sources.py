# SPDX-License-Identifier: Apache-2.0
"""What brokers share: the authorities that they trust for their source."""

from __future__ import annotations

import ssl

from remit.config import Config


def tls_of(ca: str, config: Config) -> ssl.SSLContext | None:
    """Return the TLS context for a source with the authorities of a file; `None` for those of the system."""
    return ssl.create_default_context(cafile=str(config.at(ca))) if ca else None
