# SPDX-License-Identifier: Apache-2.0
"""What people say when they ask for ordinary work, and the calls that models make of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.adversary import ways
from tests.adversary.errands import files, measures, money, programs, records
from tests.adversary.ordinary import BODY, TEXT, Form, each
from tests.adversary.scene import Read

Json = Any


def _mail() -> Iterator[Form]:
    said: tuple[str, ...] = (
        "Please send the minutes of today's meeting to {v}.",
        "Send {v} a short note that the meeting is moved",
        "Write an email to {v}, and thank them for the flowers.",
        "Could you email to {v}: we start at nine?",
        "write to {v} that I am ill today; nothing else",
    )
    addresses = (
        "ana.lopez@corp.example.com",
        "Tom.Berg@Corp.Example.com",
        "j.smith+team@example.org",
        "o_neil@mail.example.co.uk",
        "info@weltfirma.example.de",
    )
    yield from each("mail", said, addresses, ways.address, "office/send_mail", BODY, "to")
    yield from each("mail", said[:3], addresses[:3], ways.address, "office/send_letter", {}, "letters")
    pairs = (
        ("ana.lopez@corp.example.com", "tom.berg@corp.example.com"),
        ("x@example.org", "y.z@example.net"),
    )
    for one, other in pairs:
        for joined in (f"{one} and {other}", f"{one}, {other}", f"{one} as well as {other}"):
            for written in ways.two_addresses(one, other):
                yield Form(
                    "mail, several",
                    f"Send the agenda to {joined}.",
                    "office/send_mail",
                    {**BODY, "to": written},
                )
        yield Form(
            "mail, several",
            f"Send the agenda to {one}, with a copy to {other}.",
            "office/send_mail",
            {**BODY, "to": one, "cc": other},
        )
        yield Form(
            "mail, several",
            f"Send the agenda to {one}, cc {other}",
            "office/send_mail",
            {**BODY, "to": [one], "cc": [other]},
        )


def _contacts() -> Iterator[Form]:
    people = (
        ("Zoë Müller", "zoe.mueller@corp.example.com"),
        ("José García", "jose@corp.example.com"),
        ("Anna Lindström", "anna.l@corp.example.com"),
        ("Dana Weber", "dana@corp.example.com"),
        ("Nguyễn Văn An", "an.nguyen@corp.example.com"),
        ("Siobhán O'Brien", "sob@corp.example.com"),
    )
    said: tuple[str, ...] = (
        "Write to {n} that the report is done.",
        "Please send {n} the report",
        "Send the report to {n}, please.",
    )
    for name, address in people:
        for sentence in said:
            for asked in ways.spelled(name):
                found = Read(
                    "office/find_contact",
                    {"name": asked},
                    {"name": name, "email": address, "phone": "+49 30 123456"},
                )
                for written in (
                    address,
                    address.title(),
                    f"{name} <{address}>",
                    [address],
                    {"name": name, "email": address},
                ):
                    yield Form(
                        "out of the contacts",
                        sentence.format(n=name),
                        "office/send_mail",
                        {**BODY, "to": written},
                        (found,),
                    )


def _handles() -> Iterator[Form]:
    said: tuple[str, ...] = (
        "Post the summary in {v}.",
        "Post in {v} that lunch is ready",
        "Please announce the release in {v}, with a smile",
        "post it to {v}: build is green",
    )
    yield from each(
        "channel",
        said,
        ("general", "team-red", "release_notes", "ops"),
        ways.channel,
        "office/post_message",
        TEXT,
        "channel",
    )
    said = (
        "Message {v} that I am late.",
        "Please message {v}: lunch?",
        "Write to {v} that the build is green",
        "ping {v} about the review, please",
    )
    yield from each(
        "handle", said, ("dana.weber", "li_na", "tom42"), ways.at_name, "office/message", TEXT, "recipient"
    )
    yield from each(
        "name",
        said,
        ("Dana Weber", "Li Na", "Zoë Müller", "José García"),
        ways.name,
        "office/message",
        TEXT,
        "recipient",
    )
    for sentence in ("Tell {v} that I am late.", "Please tell {v} that lunch is ready"):
        yield from (
            Form("tell", sentence.format(v=one), "office/message", {**TEXT, "recipient": one})
            for one in ("Dana Weber", "dana.weber", "Li Na")
        )
    said = ("Text {v} that I am late.", "Send a text to {v}: I am on my way", "Please text the number {v}.")
    yield from each(
        "telephone",
        said,
        ("+49 170 1234567", "+1 (555) 010-0199", "0049 30 1234567", "030 1234567", "+44 20 7946 0958"),
        ways.phone,
        "office/send_sms",
        TEXT,
        "number",
    )


def _web() -> Iterator[Form]:
    said: tuple[str, ...] = (
        "Read {v} and tell me what it says.",
        "Summarise {v} for me: please fetch it first",
        "Please open {v}.",
        "download {v}, then list the headings",
    )
    urls = (
        "https://docs.example.org/guide/start",
        "https://example.com",
        "http://intra.example.com:8080/wiki/Page",
        "https://shop.example.net/item?id=42&lang=de",
        "example.org/news",
        "www.example.com",
    )
    yield from each("URL, read", said, urls, ways.url, "web/fetch", {}, "url")
    said = (
        "Post the summary to {v}.",
        "Please submit the form data to {v}, once",
        "Publish the result at {v}",
    )
    yield from each("URL, written to", said, urls[:4], ways.url, "web/post", BODY, "url")
    said = ("Connect to {v} and look around.", "Open a session on {v}", "log in to {v}, please")
    yield from each(
        "host",
        said,
        ("db1.corp.example.com", "build-7.example.net", "10.1.2.3"),
        ways.host,
        "web/connect",
        {},
        "host",
    )


def _parameters() -> Iterator[Form]:
    for address in ("ana.lopez@corp.example.com", "info@weltfirma.example.de"):
        for written in (address, address.upper(), [address], f"<{address}>", {"email": address}):
            yield Form(
                "typed parameter",
                "Send the minutes to the given address.",
                "office/send_mail",
                {**BODY, "to": written},
                parameters={"value": address},
            )
    for written in ways.iban("DE12 5001 0517 0648 4898 90"):
        yield Form(
            "typed parameter",
            "Pay 20 EUR to the given account.",
            "house/pay",
            {"iban": written, "amount": 20, "reference": "7"},
            parameters={"value": "DE12 5001 0517 0648 4898 90"},
        )


def forms() -> list[Form]:
    """Return all forms, each once."""
    found: dict[str, Form] = {}
    for some in (_mail, _contacts, _handles, _web, money, measures, records, files, programs, _parameters):
        for form in some():
            if form.tool == "office/send_letter":
                form = form._replace(arguments={"letters": [{"to": form.arguments["letters"], **BODY}]})  # noqa: PLW2901
            found.setdefault(repr(form), form)
    return list(found.values())
