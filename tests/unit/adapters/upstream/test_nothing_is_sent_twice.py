# SPDX-License-Identifier: Apache-2.0
"""A connection that was kept breaks behind a request: it may have been carried out, and is not sent again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from remit.adapters.broker.http import BrokerHttp
from remit.api.http_messages import problem
from remit.core.errors import CommitInDoubt, KeyUnavailable, OutOfForce, OwnerAway, StoreUnavailable
from remit.gateway.http.problems import problem_of
from remit_sdk.errors import GatewayUnreachable
from remit_sdk.oauth.web import OAuthHttp
from remit_sdk.wire import Gateway

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@asynccontextmanager
async def breaking_server() -> AsyncIterator[tuple[str, list[str]]]:
    """Answer the first request of each connection and break it behind the second; gives what came."""
    came: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answered in (True, False):
            came.append((await reader.readuntil(b"\r\n\r\n")).decode().split(" ")[0])
            if answered:
                writer.write(ANSWER)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", came


Ask = Callable[[str, str], Awaitable[object]]


@asynccontextmanager
async def gateway(url: str) -> AsyncIterator[Ask]:
    """Ask as an agent's relay does."""
    made = Gateway(url)

    async def ask(method: str, path: str) -> object:
        answer = await made.exchange(method, path, headers={})
        return await answer.read()

    yield ask
    await made.close()


@asynccontextmanager
async def discovery(url: str) -> AsyncIterator[Ask]:
    """Provide a request as made by a person who logs in."""
    async with OAuthHttp() as made:

        async def ask(method: str, path: str) -> object:
            answer = await made.open(method, url + path, headers={})
            return await answer.read()

        yield ask


@asynccontextmanager
async def broker(url: str) -> AsyncIterator[Ask]:
    """Ask as a broker of credentials does."""
    made = BrokerHttp("the source")

    async def ask(method: str, path: str) -> object:
        return await made.ask(method, url + path)

    yield ask
    await made.close()


@pytest.mark.parametrize("client", [gateway, discovery, broker])
@pytest.mark.parametrize("method", ["PUT", "DELETE", "GET", "POST"])
async def test_nothing_is_sent_twice(
    client: Callable[[str], AbstractAsyncContextManager[Ask]], method: str
) -> None:
    """This holds for every method: only a caller that knows a request's effect may repeat it."""
    async with breaking_server() as (url, came), client(url) as ask:
        await ask("GET", "/first")
        with pytest.raises((GatewayUnreachable, KeyUnavailable)):
            await ask(method, "/second")
        assert came == ["GET", method]


@pytest.mark.parametrize(
    ("fault", "again"),
    [
        (StoreUnavailable("the disk is full"), True),
        (OwnerAway("refused the connection"), True),
        (OutOfForce(), True),
        (CommitInDoubt("the connection was lost"), False),
        (OwnerAway("broke the connection", sent=True), False),
        (OutOfForce(sent=True), False),
    ],
    ids=repr,
)
def test_no_endpoint_asks_to_repeat_what_may_have_been_carried_out(
    fault: StoreUnavailable, again: bool
) -> None:
    """Both say 503; `Retry-After` is there only where nothing was done."""
    headers = problem(fault).headers, dict(problem_of(fault).headers)
    assert ("retry-after" in headers[0], b"retry-after" in headers[1]) == (again, again)
