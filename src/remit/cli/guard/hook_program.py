# SPDX-License-Identifier: Apache-2.0
"""The program of a hook: it hands a client's event to remit and prints remit's answer.

A client starts it for every event, so that it imports the standard library alone and nothing of remit. It
ends before the client's own patience does: a client takes a late hook for one that has no objection.

    python -I -S hook_program.py EVENT CONNECTION [WAIT_S]     0: the answer is printed  2: nothing may happen

CONNECTION is a JSON file with `url`, `secret` and `deadline_s`. WAIT_S is how much longer remit may wait for
a person; the client's own patience is longer by as much.
"""

from __future__ import annotations

import json
import socket
import sys
import time

#: Seconds for all of it; clients wait twice as long (`client_hooks.TIMEOUT_S`).
DEADLINE_S = 25.0
#: The most seconds beyond that for a person's answer (`config.settings.GuardSection.wait_s`).
MAX_WAIT_S = 600
#: A client takes a failure after the end of a turn for the order to go on.
ENDINGS = frozenset(
    ("Stop", "Interrupt", "SubagentStop", "SessionEnd", "AfterAgent", "stop", "agentStop", "subagentStop",
     "sessionEnd")
)  # fmt: skip
_ANSWERED = b"\r\nx-remit-answer: 1\r\n"


def main(argv: list[str]) -> int:
    """Hand an event on; return the exit code."""
    event = argv[1] if len(argv) > 1 else ""
    try:
        wait_s = min(int(argv[3]), MAX_WAIT_S) if len(argv) > 3 else 0
        answer = _asked(event, argv[2], sys.stdin.buffer.read(), wait_s)
    except Exception as fault:  # noqa: BLE001 - whatever fails, nothing may happen
        sys.stderr.write(f"remit did not decide, so nothing is permitted: {fault}\n")
        return 0 if event in ENDINGS else 2
    sys.stdout.write(answer)
    return 0


def _asked(event: str, place: str, body: bytes, wait_s: int) -> str:
    """Return remit's answer; raises what prevents it."""
    with open(place, encoding="utf-8") as opened:
        known = json.load(opened)
    host, _, path = known["url"].removeprefix("http://").partition("/")
    address, _, port = host.rpartition(":")
    head = (
        f"POST /{path}?{event} HTTP/1.1\r\nhost: {host}\r\nx-remit-guard: {known['secret']}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    patience = min(float(known.get("deadline_s", DEADLINE_S)), DEADLINE_S) + wait_s
    until = time.monotonic() + patience
    try:
        with socket.create_connection((address.strip("[]"), int(port)), timeout=patience) as asked:
            asked.sendall(head.encode("latin-1") + body)
            told = _read(asked, until)
    except TimeoutError:
        raise TimeoutError(f"it did not answer within {patience:.0f} seconds") from None
    except ConnectionError:
        raise ConnectionError("it does not run; `remit up` starts it") from None
    lines, _, text = told.partition(b"\r\n\r\n")
    status = lines.split(b" ", 2)[1] if lines.count(b" ") > 1 else b""
    if status != b"200" or _ANSWERED not in lines.lower() + b"\r\n":
        raise ValueError(f"what listens at {host} is not the remit of this hook: {text[:300]!r}")
    if not isinstance(json.loads(text), dict):
        raise ValueError("its answer is not one JSON object")
    return text.decode("utf-8")


def _read(asked: socket.socket, until: float) -> bytes:
    """Return a whole response: up to the length that it states."""
    told = b""
    while True:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        asked.settimeout(left)
        piece = asked.recv(65536)
        told += piece
        lines, end, text = told.partition(b"\r\n\r\n")
        length = lines.lower().partition(b"\r\ncontent-length:")[2].split(b"\r\n", 1)[0].strip()
        if end and length.isdigit() and len(text) >= int(length):
            return lines + end + text[: int(length)]
        if not piece:
            raise ValueError("its answer is incomplete")


if __name__ == "__main__":
    sys.exit(main(sys.argv))
