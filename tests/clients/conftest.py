# SPDX-License-Identifier: Apache-2.0
"""The clients, each started once for the tests of a module."""

from collections.abc import Iterator, Sequence

import pytest

from tests.clients.browser import Browser
from tests.clients.contact import Client
from tests.clients.mail import mail_clients
from tests.clients.node_client import Node, NodeClient
from tests.clients.python_clients import python_clients
from tests.gateways.browser import CHROMIUM


@pytest.fixture(scope="module")
def url_clients() -> Iterator[Sequence[Client]]:
    """Every client of URLs that is on every machine."""
    with Node() as node:
        yield [*python_clients(), NodeClient(node, "node"), NodeClient(node, "node-http")]


@pytest.fixture(scope="module")
def mail() -> Sequence[Client]:
    """Every way to send mail."""
    return mail_clients()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Client]:
    """A browser."""
    if not CHROMIUM:
        pytest.skip("no Chromium on this machine: install `chromium`")
    with Browser() as made:
        yield made
