# SPDX-License-Identifier: Apache-2.0
"""Services that reach people: taken is taken, later is later, and what agents write is literal everywhere."""

import logging
import logging.config
from collections.abc import AsyncIterator

import pytest

from remit.adapters.notifier.apprise import AppriseService, service_of
from remit.core.errors import ConfigInvalid, SourceUnavailable
from remit.ports.notifier import Notification
from tests.servers.message_servers import MessageServer, mail_server, message_server
from tests.worlds.values import START

LINK = "https://remit.acme.example/console/notified/00ff"
HOSTILE = "desk/<b>pay</b> [x](https://evil.example) @here `*_\u202epdf.exe\x1b[31m\n" + "x" * 500
QUESTION = Notification(
    id="msg_one",
    kind="approval.requested",
    at=START,
    facts={"agent": "clerk", "tool": "desk/pay_bill"},
    until=START,
    link=LINK,
)


@pytest.fixture
async def server() -> AsyncIterator[MessageServer]:
    """A service on this machine."""
    async with message_server() as made:
        yield made


def hostile() -> Notification:
    """A question in which the agent's part is written against its reader."""
    return Notification(
        id="m",
        kind="approval.requested",
        at=START,
        facts={"agent": "clerk", "tool": HOSTILE},
        until=START,
        link=LINK,
    )


async def test_a_question_is_one_plain_sentence_and_a_link(server: MessageServer) -> None:
    """Who asks for what, until when, and where to answer."""
    await AppriseService(lambda: f"json://{server.place}/").notify(QUESTION)
    (told,) = server.taken
    assert (told["title"], told["type"]) == ("remit", "info")
    assert told["message"] == (
        "Agent clerk asks to call desk/pay_bill. It waits for an approver until 09:00 UTC. "
        f"Sign in to answer: {LINK}"
    )


async def test_markdown_shows_names_as_they_are_written(server: MessageServer) -> None:
    """Punctuation of values is literal, and the link is a link."""
    await AppriseService(lambda: f"gotify://{server.place}/token?format=markdown").notify(QUESTION)
    (told,) = server.taken
    assert r"call desk\/pay\_bill. It waits" in told["message"]
    assert told["message"].endswith(f"<{LINK}>")


async def test_a_mail_has_the_question_as_text_and_as_html() -> None:
    """Over a real SMTP connection."""
    async with mail_server() as mail:
        await AppriseService(lambda: mail.url).notify(QUESTION)
        assert mail.peer.recipients == ["omar@acme.example"]
        parts = mail.message()
    assert "asks to call desk/pay_bill" in parts["text/plain"]
    assert LINK in parts["text/plain"]
    assert f'<a href="{LINK}">{LINK}</a>' in parts["text/html"]


@pytest.mark.parametrize("form", ["text", "html", "markdown"])
async def test_what_an_agent_writes_is_neither_markup_nor_a_link(server: MessageServer, form: str) -> None:
    """No tag, mention, link, hidden character or endless text, in each form."""
    await AppriseService(lambda: f"json://{server.place}/?format={form}").notify(hostile())
    told = server.taken[0]["message"]
    for sign in ("<b>", "@here", "evil.example", "https://evil", "`", "*", "\u202e", "\x1b", "\n"):
        assert sign not in told, sign
    assert told.count("://") == told.count(LINK)
    assert len(told) < 500


async def test_hostile_mail_is_literal() -> None:
    """In both parts."""
    async with mail_server() as mail:
        await AppriseService(lambda: mail.url).notify(hostile())
        parts = mail.message()
    assert "<b>" not in parts["text/html"]
    assert "evil.example" not in "".join(parts.values())


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 302])
async def test_what_is_not_taken_is_to_be_told_later(server: MessageServer, status: int) -> None:
    """apprise does not tell why; a redirect is not followed."""
    server.answers = [status]
    with pytest.raises(SourceUnavailable):
        await AppriseService(lambda: f"json://{server.place}/").notify(QUESTION)
    assert (server.arrived, server.taken) == (1, [])


async def test_a_silent_service_holds_one_thread_and_no_caller(server: MessageServer) -> None:
    """The caller goes on at its deadline; nothing more is sent before the first attempt is over."""
    server.speak.clear()
    service = AppriseService(lambda: f"json://{server.place}/", deadline_s=0.2)
    for _ in range(3):
        with pytest.raises(SourceUnavailable, match="does not answer"):
            await service.notify(QUESTION)
    assert server.arrived == 1


async def test_an_unusable_address_is_refused_without_being_shown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither the error nor a log has it, also after a server has configured logging."""
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False, "incremental": False})
    caplog.set_level(logging.DEBUG)
    for address in ("nothing", "mailto://", "slack://T/secret-of-acme", "unknown://secret-of-acme"):
        with pytest.raises(ConfigInvalid) as refused:
            service_of(address)
        assert refused.value.remediation
        assert "secret-of-acme" not in f"{refused.value!r} {refused.value} {refused.value.remediation}"
    with pytest.raises(SourceUnavailable) as failed:
        await AppriseService(lambda: "json://127.0.0.1:9/secret-of-acme").notify(QUESTION)
    assert "secret-of-acme" not in f"{failed.value!r}{caplog.text}"
