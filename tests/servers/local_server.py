# SPDX-License-Identifier: Apache-2.0
"""What the servers of tests share that are made with Flask: a port of this machine, a start and a stop, and
how often they go on accepting what was taken back.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from flask import Flask
from werkzeug.serving import BaseWSGIServer, make_server

from tests.servers.ports import free_port


class LocalServer:
    """A server on a free port of this machine, which it keeps over stops.

    `lag` is how many more times it accepts what was taken back: a time could be over on a busy machine before
    it was asked.
    """

    def __init__(self, name: str) -> None:
        self.port = free_port()
        self.lag = 0
        self._app = Flask(name)
        self._server: BaseWSGIServer | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Serve; again on the same port after a `stop`."""
        self._server = make_server("127.0.0.1", self.port, self._app, threaded=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def lags(self) -> bool:
        """Whether what was taken back is accepted once more."""
        if not self.lag:
            return False
        self.lag -= 1
        return True

    def stop(self) -> None:
        """Stop answering."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


Served = TypeVar("Served", bound=LocalServer)


@contextmanager
def serving(server: Served) -> Iterator[Served]:
    """Serve for as long as a test needs it."""
    server.start()
    try:
        yield server
    finally:
        server.stop()
