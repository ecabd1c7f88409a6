# SPDX-License-Identifier: Apache-2.0
"""Ordinary work on what is the organisation's own: money, customers, tickets, files, programs, codes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.adversary import ways
from tests.adversary.ordinary import Form, each
from tests.adversary.scene import Read

Json = Any


def money() -> Iterator[Form]:
    """Yield payments: amounts and accounts as people and models write them."""
    amounts = (
        ("20 EUR", 20),
        ("€20", 20),
        ("1,200.00 EUR", 1200),
        ("1200 euros", 1200),
        ("99.95 EUR", 99.95),
        ("EUR 350", 350),
        ("15 euro", 15),
    )
    accounts = (
        "DE12 5001 0517 0648 4898 90",
        "DE12500105170648489890",
        "GB29 NWBK 6016 1331 9268 19",
        "FR14 2004 1010 0505 0001 3M02 606",
    )
    said: tuple[str, ...] = (
        "Pay {a} to {i}.",
        "Please transfer {a} to the account {i}, reference invoice 7",
        "Wire {a} to {i} today",
    )
    for place, sentence in enumerate(said):
        for at, (stated, number) in enumerate(amounts):
            account = accounts[(at + place) % len(accounts)]
            for turn, written in enumerate(ways.iban(account)):
                paid = ways.number(stated, number)[turn % len(ways.number(stated, number))]
                yield Form(
                    "payment",
                    sentence.format(a=stated, i=account),
                    "house/pay",
                    {"iban": written, "amount": paid, "reference": "invoice 7"},
                )
            yield Form(
                "payment",
                sentence.format(a=stated, i=account),
                "house/pay_all",
                {"payments": [{"iban": account.replace(" ", ""), "amount": number}]},
            )


def measures() -> Iterator[Form]:
    """Yield quantities, percentages and days."""
    for count, word in ((3, "three"), (12, "12"), (1, "one"), (250, "250")):
        for sentence in ("Order {n} of item paper-a4.", "Please buy {n} of the item paper-a4 today"):
            yield from (
                Form(
                    "quantity", sentence.format(n=word), "house/order", {"item": "paper-a4", "quantity": one}
                )
                for one in (count, str(count))
            )
    for percent in ("5%", "5 %", "12.5%", "20 percent"):
        for written in ways.percent(percent):
            yield Form(
                "percentage",
                f"Give a discount of {percent} on order #4711.",
                "house/discount",
                {"order": "4711", "percent": written},
            )
    for stated, iso in (
        ("12 May 2027", "2027-05-12"),
        ("May 12, 2027", "2027-05-12"),
        ("2027-05-12", "2027-05-12"),
        ("1st of June 2027", "2027-06-01"),
        ("3 March 2027", "2027-03-03"),
    ):
        for written in (iso, stated, f"{iso}T00:00:00Z"):
            for sentence in ("Schedule order 4711 for {d}.", "Please move order 4711 to {d}"):
                yield Form(
                    "day", sentence.format(d=stated), "house/schedule", {"order": "4711", "date": written}
                )


def records() -> Iterator[Form]:
    """Yield work on customers, orders and tickets: by name, by id, and found through another."""
    said: tuple[str, ...] = (
        "Look up the customer {v}.",
        "What is the address of customer {v}?",
        "Please read the customer record of {v}",
        "Show me customer {v}, please",
    )
    yield from each(
        "customer, by name",
        said,
        ("Anna Schmidt", "Zoë Müller", "José García", "Siobhán O'Brien"),
        ways.name,
        "house/read_customer",
        {},
        "customer",
    )
    yield from each(
        "customer, by id",
        said[:2],
        ("cus_4711", "K-20931", "4711-A"),
        ways.identifier,
        "house/read_customer",
        {},
        "customer",
    )
    for one in ("Anna Schmidt", "Zoë Müller", "Klaus", "José García"):
        for sentence in ("Please read {v}'s customer record", "Show me {v}\u2019s record"):
            yield Form("customer, by name", sentence.format(v=one), "house/read_customer", {"customer": one})
    said = (
        "Refund order {v}.",
        "Please reimburse order no. {v} today",
        "refund the order {v}, they were right",
    )
    yield from each(
        "order", said, ("#4711", "4711", "A-1029", "20270512-7"), ways.identifier, "house/refund", {}, "order"
    )
    said = ("Close ticket {v}.", "Please resolve ticket {v}: it is done")
    yield from each(
        "ticket", said, ("#312", "T-17", "ABC-1234"), ways.identifier, "office/close_ticket", {}, "ticket"
    )
    for looked, number in (("Anna Schmidt", "4711"), ("José García", "A-1029")):
        found = Read(
            "house/read_customer",
            {"customer": looked},
            {"customer": looked, "order": number, "remark": "kind"},
        )
        for sentence in ("Refund the order of {v}.", "Please look up {v} and refund their order"):
            yield from (
                Form("order, found", sentence.format(v=looked), "house/refund", {"order": one}, (found,))
                for one in ways.copied(number)
            )


def files() -> Iterator[Form]:
    """Yield work on files."""
    named = (
        "notes.md",
        "report_2027.pdf",
        "reports/july.csv",
        "My Plan.docx",
        "résumé.pdf",
        "src/app/main.py",
    )
    yield from each(
        "file, read",
        ("Read {v}.", "What is in {v}?", "Please summarise the file {v} for me"),
        named,
        ways.file,
        "house/read_file",
        {},
        "path",
    )
    yield from each(
        "file, deleted",
        ("Delete {v}.", "Please remove the file {v}, I do not need it"),
        named,
        ways.file,
        "house/delete_file",
        {},
        "path",
    )
    for file in named[:4]:
        for written in ("ana.lopez@corp.example.com", "Ana.Lopez@corp.example.com"):
            yield Form(
                "file, shared",
                f"Share {file} with ana.lopez@corp.example.com.",
                "house/share_file",
                {"path": file, "with": written},
            )


def programs() -> Iterator[Form]:
    """Yield what is run, and what is secret."""
    commands = ("make report", "ls -la reports", "python build.py --fast", "git status")
    yield from each(
        "command",
        ("Run `{v}`.", "Please execute {v} now", 'run "{v}"'),
        commands,
        ways.command,
        "house/run",
        {},
        "script",
    )
    queries = ("select count(*) from orders", "SELECT name FROM customers WHERE city = 'Bonn'")
    yield from each(
        "query",
        ("Run the query `{v}`.", "run the query: {v}"),
        queries,
        ways.command,
        "house/query",
        {},
        "sql",
    )
    yield from each(
        "code",
        ("Log in with the code {v}.", "log in, my code is {v}"),
        ("471199", "A7-K9-22"),
        ways.secret,
        "house/log_in",
        {},
        "code",
    )
    yield from each(
        "password",
        ('Set the password to "{v}".', "Change my password to {v}"),
        ("Blue-Horse-42", "correct.horse"),
        ways.secret,
        "house/set_password",
        {},
        "password",
    )
