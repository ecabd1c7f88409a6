# SPDX-License-Identifier: Apache-2.0
"""A proof that a real browser verifies by itself, and a server that lies to it."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from remit.adapters.keys.file import FileCheckpointKeys
from remit.core.evidence.checkpoint import LogProof, VerifierKey
from tests.gateways.browser import browser, context, needs_browser, page, sign_in_by_code
from tests.gateways.console_gateway import ConsoleGateway, console_gateway
from tests.gateways.live_gateway import LiveGateway
from tests.worlds.values import WorldClock

__all__ = ["browser", "context", "page"]
INDEX = 2


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ConsoleGateway]:
    """A desk with a console."""
    async with console_gateway(tmp_path) as made:
        yield made


async def test_the_page_has_what_a_verifier_needs(world: ConsoleGateway) -> None:
    """The proof that the browser is given verifies with the key of the log, event by event."""
    _, token = await world.open()
    await world.call(token, "read", text="a")
    await world.settled()
    audra = await world.browse("audra")
    key = VerifierKey.parse(world.services.evidence.log.verifier)
    for index in range(0, await world.services.evidence.log.size(), 3):
        told = await audra.get(f"/console/evidence/{index}/proof")
        proof = LogProof.parse(told.text.encode())
        proof.verify(proof.extra, key)
        shown = await audra.get(f"/console/evidence/{index}")
        assert shown.status == 200
        assert "data-hash" in shown.text
    for name in ("999999", "-1", "%C2%B2", "x"):
        assert (await audra.get(f"/console/evidence/{name}")).status == 404
    for person in ("lena", "vera", "otto"):
        for part in ("", "/proof"):
            assert (await (await world.browse(person)).get(f"/console/evidence/1{part}")).status == 403


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGateway]:
    """A gateway with some events."""
    with LiveGateway(tmp_path_factory.mktemp("proofs")) as made:
        yield made


def opened(page: Page, gateway: LiveGateway) -> None:
    """Open the page of one event, signed in."""
    page.goto(f"http://localhost:{gateway.port}/console/evidence/{INDEX}")
    if "/oauth/sign-in" in page.url:
        sign_in_by_code(page, gateway)


@pytest.mark.slow
@needs_browser
def test_the_browser_verifies_an_event(page: Page, gateway: LiveGateway) -> None:
    """Leaf, path, checkpoint and signature, and says by which key."""
    opened(page, gateway)
    expect(page.locator("#verify [role=status]")).to_contain_text(
        f"Verified in this browser: event {INDEX} is in"
    )
    assert page.locator("#verify li.may").count() == 4
    key = VerifierKey.parse(gateway.services.evidence.log.verifier)
    expect(page.locator("#verify li").last).to_contain_text(key.public.hex())


@pytest.mark.slow
@needs_browser
def test_another_key_does_not_verify(page: Page, gateway: LiveGateway, tmp_path: Path) -> None:
    """Neither a key of another log of the same name, nor one that is misspelled."""
    other = FileCheckpointKeys(tmp_path, gateway.services.evidence.log.origin, WorldClock()).verifier
    opened(page, gateway)
    status = page.locator("#verify [role=status]")
    expect(status).to_contain_text("Verified in this browser")
    misspelled = other[:-9] + ("A" if other[-9] != "A" else "B") + other[-8:]
    for key, why in (
        (other, "The checkpoint is not signed by this key"),
        (misspelled, "the id of the key does not match the key"),
        ("", "this is no public key of a log"),
    ):
        page.get_by_label("Public key of the log").fill(key)
        page.get_by_role("button", name="Verify").click()
        expect(status).to_contain_text(f"Not verified: {why}")
        expect(status).to_have_class(re.compile("bad"))


def changed(proof: bytes, what: str) -> bytes:
    """Return a proof in which one byte differs."""
    read = LogProof.parse(proof)
    match what:
        case "leaf":
            leaf = bytearray(read.extra)
            leaf[20] ^= 1
            return LogProof(read.index, read.path, read.checkpoint, bytes(leaf)).encode()
        case "path":
            first = bytearray(read.path[0])
            first[0] ^= 1
            return LogProof(read.index, (bytes(first), *read.path[1:]), read.checkpoint, read.extra).encode()
        case "path-short":
            return LogProof(read.index, read.path[:-1], read.checkpoint, read.extra).encode()
        case "path-long":
            return LogProof(read.index, (*read.path, read.path[0]), read.checkpoint, read.extra).encode()
        case "index":
            return LogProof(read.index + 1, read.path, read.checkpoint, read.extra).encode()
    lines = read.checkpoint.split(b"\n")
    place = {"size": 1, "root": 2, "signature": 4}[what]
    if what == "size":
        lines[1] = str(int(lines[1]) + 1).encode()
    else:
        before, text = lines[place].rpartition(b" ")[::2] if what == "signature" else (b"", lines[place])
        raw = bytearray(base64.b64decode(text))
        raw[-1] ^= 1
        lines[place] = (before + b" " if before else b"") + base64.b64encode(raw)
    return LogProof(read.index, read.path, b"\n".join(lines), read.extra).encode()


@pytest.mark.slow
@needs_browser
@pytest.mark.parametrize(
    "what", ["leaf", "path", "path-short", "path-long", "index", "size", "root", "signature"]
)
def test_a_byte_that_differs_is_seen(page: Page, gateway: LiveGateway, what: str) -> None:
    """Wherever it is, the page says that nothing was verified."""

    def lie(route: Route) -> None:
        told = route.fetch()
        route.fulfill(response=told, body=changed(told.body(), what))

    page.route(f"**/console/evidence/{INDEX}/proof", lie)
    opened(page, gateway)
    status = page.locator("#verify [role=status]")
    expect(status).to_contain_text("Not verified")
    expect(status).to_have_class(re.compile("bad"))


@pytest.mark.slow
@needs_browser
def test_a_page_that_shows_another_event_is_seen(page: Page, gateway: LiveGateway) -> None:
    """The proof is of what the page shows, not of any event."""

    def lie(route: Route) -> None:
        told = route.fetch()
        body = re.sub(r'data-hash="[0-9a-f]{4}', 'data-hash="0000', told.text())
        route.fulfill(response=told, body=body)

    opened(page, gateway)
    expect(page.locator("#verify [role=status]")).to_contain_text("Verified")
    page.route(f"**/console/evidence/{INDEX}", lie)
    page.reload()
    expect(page.locator("#verify [role=status]")).to_contain_text(
        "Not verified: The event that this page shows"
    )
