# SPDX-License-Identifier: Apache-2.0
"""Python's HTTP clients, each used as its documentation begins."""

import asyncio
import contextlib
import urllib.request
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import aiohttp
import httpx
import httpx2
import requests
from requests.adapters import HTTPAdapter

from tests.clients.contact import Outcome
from tests.clients.wire import CaughtLoop, Wire, caught, plain_tls

_Get = Callable[[str], Any]


class PythonClient:
    """A client that answers one text at a time."""

    def __init__(self, name: str, opened: Callable[[], contextlib.AbstractContextManager[_Get]]) -> None:
        self.name, self._opened = name, opened

    def ask(self, texts: Iterable[str]) -> list[Outcome]:
        """Return where each text leads."""
        wire, found = Wire(), []
        with caught(wire), warnings.catch_warnings(), self._opened() as get:
            warnings.simplefilter("ignore")
            for text in texts:
                reason = ""
                try:
                    get(text)
                except Exception as fault:  # noqa: BLE001 - before a connection, a refusal
                    reason = f"{type(fault).__name__}: {fault}"
                found.append(wire.outcome(reason))
        return found


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options, ssl_context=plain_tls())


@contextlib.contextmanager
def _requests() -> Iterator[_Get]:
    with requests.Session() as session:
        session.trust_env = False
        session.mount("https://", _Adapter())
        yield lambda text: session.get(text, timeout=60)


@contextlib.contextmanager
def _urllib() -> Iterator[_Get]:
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=plain_tls())
    )

    def get(text: str) -> None:
        with opener.open(text, timeout=60):
            pass

    yield get


@contextlib.contextmanager
def _httpx() -> Iterator[_Get]:
    with httpx.Client(verify=plain_tls(), trust_env=False) as client:
        yield client.get


@contextlib.contextmanager
def _httpx2() -> Iterator[_Get]:
    with httpx2.Client(verify=plain_tls(), trust_env=False) as client:
        yield client.get


@contextlib.contextmanager
def _aiohttp() -> Iterator[_Get]:
    loop = CaughtLoop()

    async def opened() -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(use_dns_cache=False, ssl=plain_tls())
        return aiohttp.ClientSession(connector=connector)

    async def fetched(session: aiohttp.ClientSession, text: str) -> None:
        async with session.get(text):
            pass

    session = loop.run_until_complete(opened())
    try:
        yield lambda text: loop.run_until_complete(fetched(session, text))
    finally:
        loop.run_until_complete(session.close())
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


def python_clients() -> list[PythonClient]:
    """Return them all."""
    return [
        PythonClient("urllib", _urllib),
        PythonClient("requests", _requests),
        PythonClient("httpx", _httpx),
        PythonClient("httpx2", _httpx2),
        PythonClient("aiohttp", _aiohttp),
    ]
