# SPDX-License-Identifier: Apache-2.0
"""What `remit logs` begins with: the last lines, and the welcome while a person can still sign in by it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from remit.cli.service.logs import _last
from remit.services.identity.authenticator import CODE_TTL_S

WELCOME = [b"remit is up\n", b"  widk-ibif-shy3-33ys\n"]


def written(place: Path, *, age_s: float, calls: int) -> Path:
    """Write a log: a start of long ago, the welcome of the last start, and calls since then."""
    at = datetime.now(UTC) - timedelta(seconds=age_s)
    old = [b"remit is up\n", b"  an-old-code\n", b'{"at": "2020-01-01T00:00:00Z"}\n']
    new = [json.dumps({"at": at.isoformat(), "call": number}).encode() + b"\n" for number in range(calls)]
    place.write_bytes(b"".join([*old, *WELCOME, *new]))
    return place


def test_calls_do_not_push_out_the_code_while_it_is_valid(tmp_path: Path) -> None:
    """It comes before the last lines, once, whether all of it, a part or nothing of it is among them."""
    for calls in (2, 8, 9, 10, 300):
        found = list(_last(written(tmp_path / "log", age_s=60, calls=calls), 10))
        assert [one for one in found if not one.startswith(b"{")][-2:] == WELCOME, calls
        assert found.count(WELCOME[1]) == 1
        assert sum(one.startswith(b'{"at": "2') and b"call" in one for one in found) == min(calls, 10)


def test_an_old_welcome_is_a_line_like_others(tmp_path: Path) -> None:
    """Only the last lines are shown then; without lines there is nothing."""
    place = written(tmp_path / "log", age_s=CODE_TTL_S + 1, calls=300)
    assert len(list(_last(place, 10))) == 10
    assert list(_last(written(place, age_s=60, calls=300), 0)) == []
