# SPDX-License-Identifier: Apache-2.0
"""What serves people at their browsers, put together for the authorization server's pages."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from remit.core.client import LOOPBACK
from remit.services.browsers import Browsers
from remit.services.client_documents import ClientDocuments
from remit.services.connections import Connections
from remit.services.consents import Consents
from remit.services.passkeys import Passkeys


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Services for people; `origin` is where their pages are."""

    origin: str
    documents: ClientDocuments
    browsers: Browsers
    passkeys: Passkeys
    consents: Consents
    connections: Connections | None = None


def pages_of(public_url: str) -> str:
    """Give the origin of people's pages: that of remit, but `localhost` for this machine by its address.

    A passkey belongs to a host by name, and an address is no name.
    """
    parts = urlsplit(public_url)
    if parts.scheme == "http" and parts.hostname in LOOPBACK:
        return "http://localhost" + (f":{parts.port}" if parts.port else "")
    return f"{parts.scheme}://{parts.netloc}"
