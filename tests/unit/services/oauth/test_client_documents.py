# SPDX-License-Identifier: Apache-2.0
"""Fetching and keeping the metadata documents of clients."""

import asyncio
import json
from collections.abc import Callable

import pytest

from remit.core.errors import Busy, Malformed, SourceUnavailable
from remit.ports.fetch import Fetched
from remit.services.oauth import client_metadata as client_documents
from remit.services.oauth.client_metadata import ClientDocuments
from tests.worlds.values import WorldClock

ADDRESS = "https://app.example/client.json"


def document(address: str = ADDRESS, name: str = "Notebook") -> bytes:
    """Return a good document."""
    callback = "https://app.example/cb"
    return json.dumps({"client_id": address, "client_name": name, "redirect_uris": [callback]}).encode()


class HeldFetch:
    """Answers as it is told, counts what it was asked for, and may hold an answer back."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, Fetched | Exception | Callable[[], Fetched]] = {}
        self.gate = asyncio.Event()
        self.gate.set()

    def serve(self, address: str, body: bytes, status: int = 200, **headers: str) -> None:
        """Let an address answer."""
        told = {"content-type": "application/json"} | {
            name.replace("_", "-"): v for name, v in headers.items()
        }
        self.answers[address] = Fetched(url=address, status=status, headers=told, body=body)

    async def get(
        self, url: str, *, accept: str = "application/json", max_bytes: int = 0, timeout_s: float = 5.0
    ) -> Fetched:
        """Answer."""
        self.asked.append(url)
        await self.gate.wait()
        found = self.answers.get(url, SourceUnavailable("not there"))
        if isinstance(found, Exception):
            raise found
        return found() if callable(found) else found


@pytest.fixture
def fetch() -> HeldFetch:
    """A fetcher."""
    return HeldFetch()


@pytest.fixture
def clock() -> WorldClock:
    """A clock."""
    return WorldClock()


@pytest.fixture
def documents(fetch: HeldFetch, clock: WorldClock) -> ClientDocuments:
    """Documents."""
    return ClientDocuments(fetch, clock)


async def test_a_good_document_is_kept_as_long_as_it_says(
    documents: ClientDocuments, fetch: HeldFetch, clock: WorldClock
) -> None:
    """Within bounds of our own: at least half a minute, at most an hour."""
    for address, header, held, gone in (
        ("https://a.example/c", "max-age=600", 599, 2),
        ("https://b.example/c", "no-store", 29, 2),
        ("https://c.example/c", "max-age=999999", 3599, 2),
        ("https://d.example/c", "", 299, 2),
    ):
        fetch.serve(address, document(address), cache_control=header)
        await documents.get(address)
        clock.advance(held)
        await documents.get(address)
        assert fetch.asked.count(address) == 1
        clock.advance(gone)
        await documents.get(address)
        assert fetch.asked.count(address) == 2


async def test_a_failure_is_not_kept(documents: ClientDocuments, fetch: HeldFetch) -> None:
    """Neither a status, nor a redirect, nor a document that does not hold; the next try fetches again."""
    for status, body in ((404, b"{}"), (500, document()), (302, b""), (201, document()), (200, b"{}")):
        fetch.serve(ADDRESS, body, status)
        with pytest.raises(Malformed) as refused:
            await documents.get(ADDRESS)
        assert refused.value.code == "invalid_client" or status == 200
    fetch.serve(ADDRESS, document())
    assert (await documents.get(ADDRESS)).name == "Notebook"
    assert len(fetch.asked) == 6


async def test_an_address_that_is_forbidden_is_not_fetched(
    documents: ClientDocuments, fetch: HeldFetch
) -> None:
    """It is looked at first."""
    with pytest.raises(Malformed):
        await documents.get("http://app.example/client.json")
    assert fetch.asked == []


async def test_many_who_ask_for_one_document_share_one_fetch(
    documents: ClientDocuments, fetch: HeldFetch
) -> None:
    """And one who stops waiting takes nothing from the others."""
    fetch.serve(ADDRESS, document())
    fetch.gate.clear()
    asking = [asyncio.create_task(documents.get(ADDRESS)) for _ in range(20)]
    await asyncio.sleep(0)
    asking[0].cancel()
    await asyncio.sleep(0)
    fetch.gate.set()
    results = await asyncio.gather(*asking, return_exceptions=True)
    assert sum(isinstance(one, BaseException) for one in results) == 1
    assert fetch.asked == [ADDRESS]


async def test_strangers_cannot_have_more_fetched_at_once_than_a_few(
    documents: ClientDocuments, fetch: HeldFetch
) -> None:
    """The rest waits, and past a bound is answered `busy`."""
    fetch.gate.clear()
    most = client_documents.AT_ONCE + client_documents.WAITING
    asking = [asyncio.create_task(documents.get(f"https://s{n}.example/c")) for n in range(most)]
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(fetch.asked) == client_documents.AT_ONCE
    with pytest.raises(Busy):
        await documents.get("https://one-more.example/c")
    fetch.gate.set()
    results = await asyncio.gather(*asking, return_exceptions=True)
    assert all(isinstance(one, Malformed) for one in results)


async def test_only_so_many_are_kept(documents: ClientDocuments, fetch: HeldFetch) -> None:
    """The one used least recently goes."""
    for n in range(client_documents.CAPACITY + 1):
        address = f"https://s{n}.example/c"
        fetch.serve(address, document(address))
        await documents.get(address)
    asked = len(fetch.asked)
    await documents.get("https://s1.example/c")
    assert len(fetch.asked) == asked
    await documents.get("https://s0.example/c")
    assert len(fetch.asked) == asked + 1


async def test_strangers_hold_up_no_registered_client(documents: ClientDocuments, fetch: HeldFetch) -> None:
    """However many slow hosts they have, and how many documents: neither its turn nor its copy is lost."""
    fetch.serve(ADDRESS, document())
    fetch.gate.clear()
    most = client_documents.AT_ONCE + client_documents.WAITING
    slow = [asyncio.create_task(documents.get(f"https://s{n}.example/c")) for n in range(most)]
    known = asyncio.create_task(documents.get(ADDRESS, registered=True))
    for _ in range(5):
        await asyncio.sleep(0)
    assert ADDRESS in fetch.asked
    fetch.gate.set()
    assert (await known).name == "Notebook"
    await asyncio.gather(*slow, return_exceptions=True)
    for number in range(client_documents.CAPACITY + 1):
        address = f"https://t{number}.example/c"
        fetch.serve(address, document(address))
        await documents.get(address)
    before = len(fetch.asked)
    await documents.get(ADDRESS, registered=True)
    assert len(fetch.asked) == before
