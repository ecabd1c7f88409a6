# SPDX-License-Identifier: Apache-2.0
"""Every notifier: taken is taken, later is later, and no is no."""

from collections.abc import AsyncIterator

import pytest

from remit.adapters.fetch.ssrf_guard import GuardedFetch
from remit.adapters.notifier.webhook import Webhook, signature
from remit.core.errors import ConfigInvalid, Malformed, SourceUnavailable
from remit.ports.notifier import Notification, Notifier
from tests.servers.hook_server import SECRET, HookServer, hook_server
from tests.worlds.values import START, WorldClock

ONE = Notification(id="msg_one", kind="lease.open", at=START, facts={"lease": "lse_1", "revoked": True})


@pytest.fixture
async def server() -> AsyncIterator[HookServer]:
    """What is told."""
    async with hook_server() as made:
        yield made


@pytest.fixture
def notifier(server: HookServer) -> Notifier:
    """A webhook, over a real connection."""
    return Webhook(server.url, lambda: SECRET, deliver=GuardedFetch(plain_loopback=True), clock=WorldClock())


async def test_what_is_told_is_taken(notifier: Notifier, server: HookServer) -> None:
    """With its kind, its time and its facts; told again it is the same one."""
    await notifier.notify(ONE)
    await notifier.notify(ONE)
    assert server.ids == ["msg_one"]
    assert server.taken == [
        {
            "type": "lease.open",
            "timestamp": "2026-03-02T09:00:00.000000Z",
            "data": {"lease": "lse_1", "revoked": True},
        }
    ]


@pytest.mark.parametrize("status", [500, 503, 429, 401, 404, 410, 302])
async def test_what_may_succeed_later_is_to_be_told_later(
    notifier: Notifier, server: HookServer, status: int
) -> None:
    """Whatever the receiver says of itself."""
    server.answers = [status]
    with pytest.raises(SourceUnavailable):
        await notifier.notify(ONE)


@pytest.mark.parametrize("status", [400, 413, 415, 422])
async def test_what_is_refused_is_refused(notifier: Notifier, server: HookServer, status: int) -> None:
    """What the receiver says of this one."""
    server.answers = [status]
    with pytest.raises(Malformed):
        await notifier.notify(ONE)


async def test_nobody_there_is_to_be_told_later() -> None:
    """A port on which no process listens makes the notification fail for now."""
    hook = Webhook(
        "http://127.0.0.1:9/hook",
        lambda: SECRET,
        deliver=GuardedFetch(plain_loopback=True),
        clock=WorldClock(),
    )
    with pytest.raises(SourceUnavailable):
        await hook.notify(ONE)


def test_the_signature_is_that_of_the_specification() -> None:
    """The example of Standard Webhooks 1.0."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    wanted = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body) == wanted


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_AAAA", "whsec_not base64!", "x" * 200])
def test_what_is_no_secret_signs_nothing(secret: str) -> None:
    """Too short, too long, or not base64."""
    with pytest.raises(ConfigInvalid):
        signature(secret, "msg", "1", b"{}")
