# SPDX-License-Identifier: Apache-2.0
"""A gateway with an upstream that people connect at their browsers."""

from __future__ import annotations

import html
import re
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

import httpx2

from remit.services.people.connections import Connections
from tests.gateways.leasing_gateway import LeasingGateway
from tests.servers.authorization_server import CLIENT
from tests.servers.connecting_server import ConnectingAuthorities

Json = Any


def lease_at(server: ConnectingAuthorities) -> Json:
    """Return what `remit.yaml` says."""
    return {
        "oauth": {
            "grant": "refresh-token",
            "authorize_url": f"{server.url}/authorize",
            "token_url": f"{server.url}/token",
            "revoke_url": f"{server.url}/revoke",
            "probe_url": f"{server.url}/me",
            "client_id": CLIENT,
            "client_secret": "env:CRM_CLIENT_SECRET",
            "scopes": ["crm.read"],
            "tool_scopes": {"echo": ["crm.echo"], "error": ["crm.error"]},
        }
    }


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follow nothing."""

    def redirect_request(self, *_: Any) -> None:
        """Tell where it leads instead."""


class Browser:
    """A person's browser."""

    def __init__(self, gateway: LeasingGateway, person: str = "ana") -> None:
        self.gateway = gateway
        self.http = httpx2.Client(base_url=f"http://localhost:{gateway.port}", trust_env=False, timeout=120)
        page = self.http.get("/oauth/sign-in").text
        code = gateway.wait(gateway.services.identity.authenticator.make_code(person, by="remit"))
        answer = self.http.post(
            "/oauth/sign-in", data={"csrf": csrf(page), "code": code, "then": "/oauth/account"},
            headers=self.own,
        )  # fmt: skip
        assert answer.status_code == 303, answer.text

    @property
    def own(self) -> dict[str, str]:
        """What a browser says of a form of the page itself."""
        return {"Origin": f"http://localhost:{self.gateway.port}", "Sec-Fetch-Site": "same-origin"}

    def press(self, what: str) -> httpx2.Response:
        """Press a button of the account's page."""
        page = self.http.get("/oauth/account").text
        return self.http.post(
            "/oauth/account", data={"csrf": csrf(page), "end": what, "which": "crm"}, headers=self.own
        )

    def leave(self) -> str:
        """Go to the upstream's server and agree; gives where it sends the browser."""
        page = self.press("no-connection")
        assert page.status_code == 200, page.text
        found = re.search(r'id="go" href="([^"]+)"', page.text)
        assert found
        try:
            urllib.request.build_opener(NoRedirect).open(html.unescape(found[1]), timeout=120)
        except urllib.error.HTTPError as moved:
            return str(moved.headers["Location"])
        raise AssertionError("it sends nobody on")

    def arrive(self, address: str) -> httpx2.Response:
        """Come back."""
        parts = urlsplit(address)
        return self.http.get(f"{parts.path}?{parts.query}")

    def connect(self) -> None:
        """Do all of it."""
        answer = self.arrive(self.leave())
        assert answer.status_code == 303, answer.text
        assert "connected since" in self.http.get("/oauth/account").text


def csrf(page: str) -> str:
    """Return what a page's forms carry."""
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', page)
    assert found, page
    return found[1]


def connections(gateway: LeasingGateway) -> Connections:
    """Return what keeps the tokens."""
    found = gateway.services.people.connections
    assert found is not None
    return found
