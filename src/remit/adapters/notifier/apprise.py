# SPDX-License-Identifier: Apache-2.0
"""`ports.notifier.Notifier` by apprise: mail, chats and pagers, each by an address that is itself a secret.

apprise waits for its services, so each notification has a separate thread, which a shutdown does not wait
for. While one is waiting, no other is started.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import logging
import re
import threading
from collections.abc import Callable
from typing import Final

from apprise import Apprise, AppriseAsset, NotifyBase, NotifyFormat, NotifyType

from remit.core.errors import ConfigInvalid, SourceUnavailable
from remit.core.signals.notification_sentence import Sentence, sentence_of
from remit.ports.notifier import Notification

DEADLINE_S: Final = 20.0
_TITLE: Final = "remit"
#: ASCII punctuation, which a backslash makes literal (CommonMark section 2.4).
_PUNCTUATION: Final = re.compile(r"([!-/:-@\[-`{-~])")
#: A redirect could lead the message to another receiver.
_ASSET: Final = AppriseAsset(app_id="remit", app_desc="remit", http_redirects=False)

# What they log can contain addresses, which are secrets. A server that configures logging enables disabled
# loggers again, and leaves filters as they are.
for _name in ("apprise", "urllib3.connectionpool"):
    logging.getLogger(_name).addFilter(lambda _: False)


class AppriseService:
    """Sends each notification as a sentence to one service."""

    def __init__(self, url: Callable[[], str], *, deadline_s: float = DEADLINE_S) -> None:
        """Take `url`, which returns the service's address each time."""
        self._url = url
        self._deadline_s = deadline_s
        self._sending: asyncio.Future[bool] | None = None

    async def notify(self, notification: Notification) -> None:
        """Send one sentence, and the link of a question. A message of which the service is unsure is sent
        again.
        """
        if self._sending is not None and not self._sending.done():
            raise SourceUnavailable("it does not answer", code="no-answer")
        service = service_of(self._url())
        until = f"{notification.until:%H:%M} UTC" if notification.until else ""
        sentence = sentence_of(notification.kind, notification.facts, until=until)
        self._sending = sending = _sent(service, sentence, notification.link)
        try:
            async with asyncio.timeout(self._deadline_s):
                taken = await asyncio.shield(sending)
        except TimeoutError:
            raise SourceUnavailable("it does not answer", code="no-answer") from None
        if not taken:
            raise SourceUnavailable("it does not accept notifications", code="push-refused")


def service_of(url: str) -> NotifyBase:
    """Return the service at an address; raise `ConfigInvalid`, which never repeats the address."""
    service = Apprise.instantiate(url, asset=_ASSET)
    if service is None:
        raise ConfigInvalid(
            "the secret is not an address that apprise can use",
            remediation="store one such as `mailto://...`, `slack://...` or `tgram://...` in it, "
            "as apprise describes its services",
        )
    return service


def message_of(sentence: Sentence, link: str, form: NotifyFormat) -> str:
    """Return a message in the form of a service: values and link are literal there."""
    escape: Callable[[str], str]
    match form:
        case NotifyFormat.HTML:
            escape, place = html.escape, f'<a href="{html.escape(link)}">{html.escape(link)}</a>'
        case NotifyFormat.MARKDOWN:
            escape, place = _literal, f"<{link}>"
        case _:
            escape, place = str, link
    told = sentence.words.format_map({name: escape(value) for name, value in sentence.values.items()})
    return f"{told} Sign in to answer: {place}" if link else told


def _literal(value: str) -> str:
    return _PUNCTUATION.sub(r"\\\1", value)


def _sent(service: NotifyBase, sentence: Sentence, link: str) -> asyncio.Future[bool]:
    """Start to send in a thread; the result is whether the service has accepted it."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[bool] = loop.create_future()

    def tell(taken: bool) -> None:
        if not answer.done():
            answer.set_result(taken)

    def send() -> None:
        taken = False
        with contextlib.suppress(Exception):  # each service raises its own errors, which may name its address
            form = service.resolve_format(None)
            told = message_of(sentence, link, form)
            taken = service.notify(title=_TITLE, body=told, notify_type=NotifyType.INFO, body_format=form)
        with contextlib.suppress(RuntimeError):  # the event loop is closed
            loop.call_soon_threadsafe(tell, taken)

    threading.Thread(target=send, name="apprise", daemon=True).start()
    return answer
