# SPDX-License-Identifier: Apache-2.0
"""Bytes that mean nothing, at the pages for people."""

from typing import Any

import pytest

from remit.api.oauth.browser.rate_limits import PER_ADDRESS
from tests.worlds.pages import Browsing, address, lena, made, world
from tests.worlds.services import ServiceWorld

__all__ = ["lena", "made", "world"]
Json = Any
SUMMARISE = address(task_type="summarise-contract")


@pytest.mark.parametrize(
    "path",
    [
        "/oauth/authorize?%00",
        "/oauth/authorize?client_id=%ff%fe",
        "/oauth/authorize?client_id=" + "a" * 9000,
        "/oauth/authorize?client_id=https%3A%2F%2F%5B",
        "/oauth/authorize?&&&=&=x",
        "/oauth/authorize?request_uri=x",
        "/oauth/authorize?max_age=%D9%A3",
        "/oauth/sign-in?then=%ff",
        "/oauth/sign-in/with/%2e%2e",
        "/oauth/sign-in/with/none",
        "/oauth/sign-in/arrive?state=%00&state=x",
        "/oauth/sign-in/arrive?error=access_denied",
        "/oauth/terminal?redirect_uri=https%3A%2F%2Fevil.example&code_challenge=x&state=y",
        "/oauth/terminal",
        "/oauth/account?x=y",
    ],
)
async def test_bad_input_is_answered_in_words(lena: Browsing, path: str) -> None:
    """Never a stack trace, never a 500."""
    told = await lena.get(path)
    assert told.status < 500
    assert "Traceback" not in told.text
    assert "File &#34;" not in told.text


async def test_bad_forms_are_answered_in_words(lena: Browsing) -> None:
    """Not UTF-8, twice the same field, too large, another media type, nothing at all."""
    for content, media in (
        (b"\xff\xfe", "application/x-www-form-urlencoded"),
        (b"csrf=a&csrf=b", "application/x-www-form-urlencoded"),
        (b"a=" + b"x" * 70_000, "application/x-www-form-urlencoded"),
        (b"{}", "application/json"),
        (b"", "application/x-www-form-urlencoded"),
    ):
        for path in (SUMMARISE, "/oauth/sign-in", "/oauth/account", "/oauth/sign-out"):
            told = await lena.send("POST", path, content, {"content-type": media})
            assert 400 <= told.status < 500, (path, content[:20])
            assert "Traceback" not in told.text


async def test_strangers_fill_nothing(world: ServiceWorld) -> None:
    """Who begins again and again and never finishes must wait, and others need not."""
    browser = Browsing(world)
    page = await browser.get("/oauth/sign-in")
    headers = {"x-remit-form": page.forms[0]["fields"]["csrf"]}
    statuses = [
        (await browser.ask("/oauth/passkey/challenge", {"for": "sign-in"}, **headers)).status
        for _ in range(PER_ADDRESS + 10)
    ]
    assert statuses == [200] * PER_ADDRESS + [429] * 10
    far = Browsing(world, client="203.0.113.7")
    page = await far.get("/oauth/sign-in")
    headers = {"x-remit-form": page.forms[0]["fields"]["csrf"]}
    assert (await far.ask("/oauth/passkey/challenge", {"for": "sign-in"}, **headers)).status == 200
    world.clock.advance(61)
    page = await browser.get("/oauth/sign-in")
    headers = {"x-remit-form": page.forms[0]["fields"]["csrf"]}
    assert (await browser.ask("/oauth/passkey/challenge", {"for": "sign-in"}, **headers)).status == 200
