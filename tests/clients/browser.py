# SPDX-License-Identifier: Apache-2.0
"""Chromium, as a tool that drives a browser uses it, behind a proxy on loopback that reaches no host."""

import contextlib
import socketserver
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self
from urllib.parse import urlsplit

from playwright.sync_api import Error, sync_playwright

from tests.clients.contact import Contact, Outcome, Refused, numeric
from tests.clients.wire import HttpPeer
from tests.gateways.browser import CHROMIUM, PATIENCE_MS

#: What a browser asks for by itself is no answer to a text.
_QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-features=HttpsUpgrades",
]


class _Proxy(socketserver.ThreadingTCPServer):
    """A proxy that keeps the head of each request and forwards none."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Asked)
        self.heads: list[str] = []


class _Asked(socketserver.StreamRequestHandler):
    server: _Proxy

    def handle(self) -> None:
        head = bytearray()
        while not head.endswith(b"\r\n\r\n") and (line := self.rfile.readline(65_536)):
            head += line
        if not head:
            return
        self.server.heads.append(head.decode("latin-1"))
        status = "502 Bad Gateway" if head.startswith(b"CONNECT ") else "204 No Content"
        self.wfile.write(f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode())


class Browser:
    """A browser whose one page goes where each text leads, from `__enter__` to `__exit__`. It has a thread of
    its own: Playwright leaves no event loop to others in the thread that it drives.
    """

    name = "chromium"

    def __enter__(self) -> Self:
        self._thread = ThreadPoolExecutor(1)
        self._open = contextlib.ExitStack()
        self._thread.submit(self._start).result()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.submit(self._open.close).result()
        self._thread.shutdown()

    def ask(self, texts: Iterable[str]) -> list[Outcome]:
        """Return where each text leads."""
        return self._thread.submit(lambda: [self._one(text) for text in texts]).result()

    def _start(self) -> None:
        self._proxy = self._open.enter_context(_Proxy())
        threading.Thread(target=self._proxy.serve_forever, daemon=True).start()
        self._open.callback(self._proxy.shutdown)
        playwright = self._open.enter_context(sync_playwright())
        address: Any = {
            "server": f"http://127.0.0.1:{self._proxy.server_address[1]}",
            "bypass": "<-loopback>",
        }
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_QUIET, proxy=address)
        self._open.callback(browser.close)
        self._page = browser.new_page(ignore_https_errors=True)
        self._page.set_default_timeout(PATIENCE_MS)
        self._asked: list[str] = []
        self._page.on("request", lambda request: self._asked.append(request.url))

    def _one(self, text: str) -> Outcome:
        self._proxy.heads.clear()
        self._asked.clear()
        reason = ""
        try:
            self._page.goto(text, wait_until="commit")
        except Error as fault:
            reason = fault.message.partition("\n")[0]
        # What the browser asks for by itself is no request of the page.
        found = (_contact(head, url) for head in self._proxy.heads for url in self._asked[:1])
        contact = next((one for one in found if one), None)
        return contact or (Refused(reason) if reason else Contact("local", "", 0))


def _contact(head: str, asked: str) -> Contact | None:
    """Read what the proxy was asked, where that is what the page asked for: a whole URL, or a host and a port
    for TLS, whose target only the page tells.
    """
    method, wire, *_ = head.split(" ")
    url = urlsplit(f"https://{wire}" if method == "CONNECT" else wire)
    if url.hostname != urlsplit(asked).hostname or not url.hostname:
        return None
    if method == "CONNECT":
        return Contact("https", numeric(url.hostname), url.port or 443, _target(asked))
    peer = HttpPeer(numeric(url.hostname), url.port or 80)
    peer.hear(head.replace(wire, _target(wire), 1).encode("latin-1"))
    return peer.contact()


def _target(url: str) -> str:
    _, _, rest = url.partition("#")[0].partition("://")
    return rest[rest.index("/") :]
