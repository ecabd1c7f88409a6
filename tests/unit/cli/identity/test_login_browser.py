# SPDX-License-Identifier: Apache-2.0
"""The port on which `remit login --browser` waits: it takes the one answer that has its state."""

import contextlib
import threading
from typing import Any

import httpx2
import pytest

from remit.cli.global_options import CLOSING
from remit.cli.identity.login_browser import LoginListener, sign_in
from remit.cli.rest_client import Client
from remit.core.errors import Forbidden, Unauthenticated


def test_it_takes_its_own_answer_once() -> None:
    """Another state, another path and a second answer are not it; and the page tells nothing on."""
    with LoginListener("s" * 24) as waiting:
        told: list[dict[str, str]] = []
        thread = threading.Thread(target=lambda: told.append(waiting.wait(60)), daemon=True)
        thread.start()
        base = waiting.address
        with httpx2.Client(trust_env=False, timeout=120) as http:
            assert http.get(f"{base}?code=a&state=other").status_code == 404
            assert http.get(f"{base}?code=a").status_code == 404
            assert http.get(f"{base}?code=a&state={'s' * 24}&state=x").status_code == 404
            assert http.get(base.replace("/signed-in", f"/else?state={'s' * 24}")).status_code == 404
            done = http.get(f"{base}?code=the-code&state={'s' * 24}")
        thread.join(120)
        assert done.status_code == 200
        assert done.headers["referrer-policy"] == "no-referrer"
        assert "the-code" not in done.text
        assert told == [{"code": "the-code", "state": "s" * 24}]


def test_nobody_comes() -> None:
    """It does not wait for ever."""
    with LoginListener("s" * 24) as waiting, pytest.raises(Unauthenticated):
        waiting.wait(0.05)


def test_the_person_does_not_agree() -> None:
    """It is a refusal, and nothing is sent to remit."""

    def look(address: str) -> None:
        asked = httpx2.URL(address).params
        answer = f"{asked['redirect_uri']}?error=access_denied&state={asked['state']}"

        def come() -> None:
            with httpx2.Client(trust_env=False, timeout=120) as http:
                http.get(answer)

        threading.Thread(target=come, daemon=True).start()

    told: list[Any] = []
    with contextlib.ExitStack() as closing:
        CLOSING.set(closing)
        client = Client("http://127.0.0.1:1")
        with pytest.raises(Forbidden):
            sign_in(client, lambda *words: told.append(words), "x" * 43, look=look)
    assert told[0][0].startswith("http://127.0.0.1:1/oauth/terminal?")
    assert len(told[0][1]) == 6
