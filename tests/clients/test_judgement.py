# SPDX-License-Identifier: Apache-2.0
"""What remit takes a value for is where real clients go with it."""

from collections.abc import Sequence

import idna
import pytest

from remit.core.flow.values.kinds import KindOfValue
from remit.core.flow.values.strict_reading import exact
from remit.core.flow.values.urls import regular_url
from tests.clients.contact import Client, Contact, Delivery, numeric
from tests.clients.holding import broken
from tests.clients.strings import ADDRESSES, URLS

_PORTS = {"http": 80, "https": 443}
SEARCHED = [pytest.param(1_500, 7, id="some"), pytest.param(20_000, 8, id="many", marks=pytest.mark.slow)]


def place(text: str) -> Contact | None:
    """Return the place that the strict reading takes a text for; None where it stands for itself alone."""
    found = exact(text)
    url = regular_url(found.normal) if found.kind is KindOfValue.URL else None
    if url is None:
        return None
    return Contact(url.scheme, numeric(url.host), int(url.port or _PORTS[url.scheme]), url.rest or "/")


def mailbox(address: str) -> str:
    """Return an address as servers tell mailboxes apart: the domain in ASCII, the local part without case."""
    local, _, domain = address.rpartition("@")
    low = "".join(one.lower() if one.isascii() else one for one in local)
    return f"{low}@{domain.lower() if domain.isascii() else idna.encode(domain.lower()).decode()}"


@pytest.mark.parametrize(("count", "seed"), SEARCHED)
def test_a_url_leads_every_client_where_it_is_judged_to_lead(
    url_clients: Sequence[Client], count: int, seed: int
) -> None:
    """Of hostile texts, and some of each class in which clients differ."""
    made = [*URLS.many(seed, count), *(one for name in URLS.classes for one in URLS.of_class(name, seed, 10))]
    assert not list(broken(place, url_clients, [one.text for one in made]))


@pytest.mark.parametrize(("count", "seed"), SEARCHED)
def test_mail_goes_to_the_mailbox_that_was_judged(mail: Sequence[Client], count: int, seed: int) -> None:
    """Neither a display name before the address nor the text around it changes the mailbox."""
    classes = (one for name in ADDRESSES.classes for one in ADDRESSES.of_class(name, seed, 10))
    texts = [one.text for one in (*ADDRESSES.many(seed, count), *classes)]
    judged = {text: found.normal for text in texts if (found := exact(text)).kind is KindOfValue.EMAIL}
    assert judged
    for client in mail:
        for (text, wanted), outcome in zip(judged.items(), client.ask(judged), strict=True):
            if isinstance(outcome, Delivery):
                assert {mailbox(one) for one in outcome.recipients} == {mailbox(wanted)}, (text, client.name)
                assert not outcome.injected, (text, client.name)


@pytest.mark.slow
def test_a_browser_goes_where_a_url_is_judged_to_lead(chromium: Client) -> None:
    """It is the one client that reads what people click on."""
    made = [one.text for one in URLS.many(9, 2_000)]
    assert not list(broken(place, [chromium], made))
