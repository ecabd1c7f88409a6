# SPDX-License-Identifier: Apache-2.0
"""Python's mail library, in each way that programs use it, before a server that delivers nothing."""

import email
import email.message
import re
import smtplib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from email.utils import getaddresses

from tests.clients.contact import Delivery, Outcome, Refused
from tests.clients.wire import Wire, caught

SENDER = "sender@sender.example"
_GIVEN = frozenset({"from", "to", "content-type", "content-transfer-encoding", "mime-version"})
_PATH = re.compile(r'<((?:"(?:[^"\\]|\\.)*"|[^">])*)>')
_ROUTE = re.compile(r"(?:@[^,:]*,?)+:")
_Send = Callable[[smtplib.SMTP, str], object]


@dataclass
class SmtpPeer:
    """A server that takes every recipient and every message, and keeps both of the last transaction."""

    host: str = ""
    port: int = 0
    pending: bytearray = field(default_factory=bytearray)
    recipients: list[str] = field(default_factory=list)
    message: bytes | None = None
    in_message: bool = False

    def greeting(self) -> bytes:
        """Say that it is ready."""
        return b"220 sink.example ESMTP\r\n"

    def hear(self, data: bytes) -> bytes:
        """Answer each line; a message is one answer."""
        self.pending += data
        said = bytearray()
        while (end := self.pending.find(b"\r\n.\r\n" if self.in_message else b"\r\n")) >= 0:
            line = bytes(self.pending[:end])
            if self.in_message:
                del self.pending[: end + 5]
                self.message, self.in_message = line, False
                said += b"250 kept\r\n"
            else:
                del self.pending[: end + 2]
                said += self._answer(line)
        return bytes(said)

    def _answer(self, line: bytes) -> bytes:
        verb = line[:4].upper()
        if verb == b"EHLO":
            return b"250-sink.example\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"
        if verb in (b"MAIL", b"RSET"):
            self.recipients, self.message = [], None
        elif verb == b"RCPT":
            recipient = _path(line.decode("utf-8", "replace"))
            if not recipient or recipient[0] == "@" or recipient[-1] == "@":
                return b"501 no mailbox\r\n"
            self.recipients.append(recipient)
        elif verb == b"DATA":
            self.in_message = True
            return b"354 go on\r\n"
        elif verb == b"QUIT":
            return b"221 bye\r\n"
        return b"250 fine\r\n"

    def delivery(self, reason: str) -> Outcome:
        """Return the recipients of the last message, and the headers in it that the program did not write."""
        if self.message is None or not self.recipients:
            return Refused(reason)
        names = {one.lower() for one, _ in email.message_from_bytes(self.message).items()}
        return Delivery(tuple(self.recipients), tuple(sorted(names - _GIVEN)))


def _path(line: str) -> str:
    """Read the recipient that a line names, as RFC 5321 sections 4.1.2 and C do: a source route does not
    change it.
    """
    _, _, path = line.partition(":")
    found = _PATH.match(path.strip())
    address = found[1] if found else path.strip()
    return _ROUTE.sub("", address, count=1) if address.startswith("@") else address


class MailClient:
    """One way to send a message to what a text names."""

    def __init__(self, name: str, send: _Send) -> None:
        self.name, self._send = name, send

    def ask(self, texts: Iterable[str]) -> list[Outcome]:
        """Return the recipients that each text reaches."""
        wire = Wire(SmtpPeer)
        with caught(wire), smtplib.SMTP("sink.example", local_hostname="client.example") as smtp:
            return [self._one(smtp, wire, text) for text in texts]

    def _one(self, smtp: smtplib.SMTP, wire: Wire, text: str) -> Outcome:
        reason = ""
        if smtp.sock is None:
            smtp.connect("sink.example")
        smtp.rset()
        try:
            self._send(smtp, text)
        except Exception as fault:  # noqa: BLE001 - whatever a client meets before it delivers is a refusal
            reason = f"{type(fault).__name__}: {fault}"
        peer = wire.reached[-1]
        assert isinstance(peer, SmtpPeer)
        return peer.delivery(reason)


def _headed(made: email.message.Message, to: str) -> email.message.Message:
    made["From"] = SENDER
    made["To"] = to
    made.set_payload("text")
    return made


def mail_clients() -> list[MailClient]:
    """Return them all: headers of today's and of the old kind, addresses taken apart, and the text alone."""
    return [
        MailClient("message", lambda smtp, to: smtp.send_message(_headed(email.message.EmailMessage(), to))),
        MailClient("legacy", lambda smtp, to: smtp.send_message(_headed(email.message.Message(), to))),
        MailClient("addresses", lambda smtp, to: smtp.sendmail(SENDER, _addresses(to), "text", ["SMTPUTF8"])),
        MailClient("sendmail", lambda smtp, to: smtp.sendmail(SENDER, to, "text", ["SMTPUTF8"])),
    ]


def _addresses(text: str) -> list[str]:
    return [address for _, address in getaddresses([text])]
