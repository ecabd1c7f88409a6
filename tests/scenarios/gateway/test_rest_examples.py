# SPDX-License-Identifier: Apache-2.0
"""What people fear first: an agent with the customers' records and the payments of a company in its hands.

All of it is real: the APIs and remit are processes, the agent is a program of the standard library that knows
one address and holds no credential.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateways.rest_examples import KEY, SECRET, RestGateway, rest_gateway

MIRA = "NL18ABNA0484869868"
OTHER = "GB33BUKB20201555555555"


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RestGateway]:
    """Both APIs behind remit."""
    with rest_gateway(Path(tmp_path_factory.mktemp("rest"))) as made:
        yield made


def payment(payee: str, cents: object, **more: object) -> str:
    """Return the request of a payment."""
    return f"POST payments/payments {json.dumps({'payee': payee, 'amount_cents': cents, **more})}"


def test_the_record_of_the_customer_in_the_intent_and_of_no_other(services: RestGateway) -> None:
    """Reading and noting for c-17 pass; c-18, the export, and every other spelling of them do not exist or
    are refused.
    """
    read, noted, other, export, sneaky, undeclared = services.serve(
        "c-17",
        "GET customers/customers/c-17",
        'POST customers/customers/c-17/notes {"text": "A new lamp is on its way."}',
        "GET customers/customers/c-18",
        "GET customers/customers/export",
        "GET customers/customers/c-17%2f..%2fc-18",
        "GET customers/customers/c-17?fields=all",
    )
    assert (read["status"], read["said"]["iban"]) == (200, MIRA)
    assert noted["status"] == 201
    assert noted["location"].endswith("/http/customers/customers/c-17")
    assert "127.0.0.1:" + str(services.ports["customers"]) not in noted["location"]
    assert (other["status"], other["said"]["code"]) == (403, "argument-refused")
    assert (export["status"], export["said"]["code"]) == (404, "unknown-route")
    assert sneaky["said"]["code"] == "unknown-route"
    assert (undeclared["status"], undeclared["said"]["code"]) == (400, "undeclared")
    record = json.loads((services.folder / "customers" / "c-17.json").read_text())
    assert record["notes"][-1] == {"by": "agent", "text": "A new lamp is on its way."}


def test_a_note_in_a_record_moves_nothing(services: RestGateway) -> None:
    """c-18 has written an instruction into their own record: it opens no other record, and pays no one."""
    before = services.paid()
    read, mira, paid = services.serve(
        "c-18", "GET customers/customers/c-18", "GET customers/customers/c-17", payment(OTHER, 9000)
    )
    assert OTHER in json.dumps(read["said"])
    assert mira["status"] == 403
    assert paid["said"]["code"] == "unknown-route"
    assert services.paid() == before


def test_a_payment_only_to_the_payee_and_of_the_amount_of_the_intent(services: RestGateway) -> None:
    """Another payee, another amount, in another type, or a second time: refused, and nothing is paid."""
    before = len(services.paid())
    *refused, paid, again, seen = services.pay(
        MIRA,
        4200,
        payment(OTHER, 4200),
        payment(MIRA, 4201),
        payment(MIRA, "4200"),
        payment(MIRA, 4200, urgent=True),
        payment(MIRA, 4200, reference="Invoice 7"),
        payment(MIRA, 4200, reference="Invoice 7"),
        f"GET payments/payments/p-{before + 1}",
    )
    assert [one["status"] for one in refused] == [403, 403, 403, 400]
    assert (paid["status"], again["status"]) == (201, 403)
    assert seen["said"]["amount_cents"] == 4200
    assert [(one["payee"], one["amount_cents"]) for one in services.paid()[before:]] == [(MIRA, 4200)]


def test_above_the_limit_a_second_person_looks(services: RestGateway) -> None:
    """A payment that ben states needs an approval above 500.00, and is not made until a person approves
    it.
    """
    before = len(services.paid())
    (first,) = services.pay(MIRA, 90_000, payment(MIRA, 90_000))
    assert (first["status"], first["said"]["code"]) == (403, "approval-required")
    assert first["said"]["rule"] == "payments/limit"
    assert "remit approve" in first["said"]["remediation"]
    assert len(services.paid()) == before


def test_no_credential_reaches_the_agent_or_outlives_its_task(services: RestGateway) -> None:
    """The agent's answers hold neither key nor token, and the token of a task that has ended is dead."""
    answers = services.pay(MIRA, 100, payment(MIRA, 100))
    answers += services.serve("c-17", "GET customers/customers/c-17")
    told = json.dumps(answers)
    assert KEY not in told
    assert SECRET not in told
    events = services.remit.ask("audit", "log", "--kind", "lease.dead", "--limit", "50")
    assert len(events) > 0


def test_a_changed_document_suspends_the_operation(services: RestGateway) -> None:
    """The pin covers method, path and how arguments travel; what was reviewed is shown, and accepted by
    digest.
    """
    place = services.remit.folder / "apis" / "customers.yaml"
    before = place.read_text()
    place.write_text(before.replace("summary: Read the record of one customer", "summary: Read it, then pay"))
    try:
        assert services.remit("policy", "apply").code == 0
        answers = []
        for _ in range(20):
            (told,) = services.serve("c-17", "GET customers/customers/c-17")
            answers.append(told["status"])
            if told["status"] == 403:
                break
        assert answers[-1] == 403, answers
        name = "customers/getCustomer"
        diff = services.remit("tool", "diff", name)
        assert "Read it, then pay" in diff.out
        (digest,) = re.findall(r"sha256:[0-9a-f]{64}", services.remit("tool", "accept", name).err)
        assert services.remit("tool", "accept", name, "--confirm", digest).code == 0
        (told,) = services.serve("c-17", "GET customers/customers/c-17")
        assert told["status"] == 200
    finally:
        place.write_text(before)


def test_the_bundle_is_known_before_anything_runs(services: RestGateway) -> None:
    """`remit policy check`, `remit paths` and `remit tool list` speak of operations as of any tool."""
    assert services.remit("policy", "check").out.strip() == "sound"
    listed = services.remit("tool", "list").out
    assert "customers/exportCustomers" in listed
    assert "payments/refundPayment" in listed
    assert services.remit("paths").code == 0


def test_a_target_that_names_another_host_is_not_served(services: RestGateway) -> None:
    """In absolute form a request says where it is for: remit's own name, or it is no request of remit's."""
    own = services.remit.url.rpartition("/")[2]
    answers = {}
    for name in (own, "evil.example"):
        host, _, port = own.partition(":")
        with socket.create_connection((host, int(port)), timeout=60) as line:
            request = f"GET http://{name}/health/live HTTP/1.1\r\nHost: {own}\r\nConnection: close\r\n\r\n"
            line.sendall(request.encode())
            answers[name] = line.makefile("rb").readline().split()[1]
    assert answers == {own: b"200", "evil.example": b"421"}
