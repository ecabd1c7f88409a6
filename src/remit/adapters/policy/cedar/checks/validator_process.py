# SPDX-License-Identifier: Apache-2.0
"""The child process that parses and checks policies (`checker_process` starts it and explains why).

It reads requests from its standard input and writes answers to its standard output, each preceded by its
length in eight bytes, until no request arrives for a while or its parent is gone.
"""

from __future__ import annotations

import contextlib
import resource
import select
import sys
from typing import IO, Final

import msgspec

from remit.adapters.policy.cedar.check import CheckInput, checked
from remit.adapters.policy.cedar.rule import CedarRule, RuleText

MAX_MEMORY_BYTES: Final = 1 << 30
MAX_MESSAGE_BYTES: Final = 256 << 20
#: Bytes of a request that are checked in a second, at the least.
BYTES_A_SECOND: Final = 200_000
IDLE_S: Final = 60
#: The exit status that reports insufficient memory.
NO_MEMORY: Final = 12
_LENGTH: Final = 8


class ValidatorProcess(msgspec.Struct, frozen=True):
    """One request: texts to parse and check, and rules that were parsed here before, to check again."""

    texts: tuple[RuleText, ...]
    again: tuple[CedarRule, ...]
    world: CheckInput


def framed(message: bytes) -> bytes:
    """Return a message with its length prefix."""
    return len(message).to_bytes(_LENGTH) + message


def more_s(message: bytes) -> int:
    """Return the further seconds of processor time for a large request: thousands of rules take longer."""
    return len(message) // BYTES_A_SECOND


def read_message(pipe: IO[bytes]) -> bytes | None:
    """Read one message; return None if it ends early or is longer than the limit."""
    head = pipe.read(_LENGTH)
    size = int.from_bytes(head)
    if len(head) < _LENGTH or size > MAX_MESSAGE_BYTES:
        return None
    body = pipe.read(size)
    return body if len(body) == size else None


def serve(computing_s: int) -> int:
    """Answer requests until none arrives; return the exit status."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    # If the system does not support this limit, the other limits still apply.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    asks, answers = sys.stdin.buffer, sys.stdout.buffer
    while select.select([asks], [], [], IDLE_S)[0]:
        message = read_message(asks)
        if message is None:
            break
        # The system counts processor time from the start of the process.
        used = resource.getrusage(resource.RUSAGE_SELF)
        bound = int(used.ru_utime + used.ru_stime) + computing_s + more_s(message) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (bound, resource.getrlimit(resource.RLIMIT_CPU)[1]))
        try:
            asked = msgspec.msgpack.decode(message, type=ValidatorProcess)
            answer = msgspec.msgpack.encode(checked(asked.texts, asked.again, asked.world))
        except MemoryError:
            return NO_MEMORY
        answers.write(framed(answer))
        answers.flush()
    return 0


if __name__ == "__main__":
    sys.exit(serve(int(sys.argv[1])))
