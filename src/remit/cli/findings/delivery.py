# SPDX-License-Identifier: Apache-2.0
"""Delivers what a scan found to remit, in parts that fit its bounds."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from remit.core.discovery.discovered import Discovered
from remit.core.json_value import Json

#: Findings and bytes of one part: below the bounds of the server, `limits.max_request_bytes` at its default.
MOST_OF_PART: Final = 500
MOST_BYTES: Final = 700_000

#: Posts a body to a path of the interface, and returns the answer: `Client.post`, or an agent's own.
Post = Callable[..., Json]


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """The scan's id, and how many findings opened and were fixed with it."""

    scan: str
    opened: int
    fixed: int


def deliver(post: Post, found: Sequence[Discovered], scope: str, *, complete: bool) -> Delivered:
    """Deliver a scan; raises what `post` raises.

    Nothing is closed unless the last part arrives. A scan that breaks off is sent again as another one.
    """
    scan = f"scn_{secrets.token_hex(8)}"
    parts = list(_parts(found))
    opened = fixed = 0
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        receipt = post(
            "discoveries",
            scope=scope,
            scan=scan,
            found=part,
            part=number,
            last=last,
            complete=complete and last,
        )
        opened, fixed = opened + receipt["opened"], fixed + receipt["fixed"]
    return Delivered(scan=scan, opened=opened, fixed=fixed)


def _parts(found: Sequence[Discovered]) -> Iterator[list[Json]]:
    """Yield parts; at least one, which may be empty."""
    part: list[Json] = []
    size = 0
    for one in found:
        one_size = len(msgspec.json.encode(one))
        if part and (len(part) >= MOST_OF_PART or size + one_size > MOST_BYTES):
            yield part
            part, size = [], 0
        part.append(msgspec.to_builtins(one))
        size += one_size
    yield part
