# SPDX-License-Identifier: Apache-2.0
"""A poll endpoint of a transmitter, strict as RFC 8936 reads, that loses answers when a test wants it to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from remit.core.errors import SourceUnavailable
from remit.ports.fetch import Fetched

Json = Any


class ScriptedPoll:
    """`ports.delivery.Deliver` to one transmitter. It keeps each event until it is acknowledged."""

    def __init__(self) -> None:
        self.waiting: dict[str, str] = {}
        self.acknowledged: list[str] = []
        self.errors: dict[str, Json] = {}
        self.asked = 0
        self.shown: list[str] = []
        #: Answers that are lost on their way, after the request had arrived.
        self.lose = 0
        self.status = 200
        self.most = 10
        self.answer: bytes | None = None

    async def post(
        self,
        url: str,
        body: bytes,
        *,
        media: str,
        headers: Mapping[str, str] | None = None,
        accept: str = "application/json",
        max_bytes: int = 262_144,
        timeout_s: float = 10.0,
    ) -> Fetched:
        """Take acknowledgements, and give what waits."""
        self.asked += 1
        assert media == "application/json"
        self.shown.append((headers or {}).get("Authorization", ""))
        asked = json.loads(body)
        assert set(asked) <= {"maxEvents", "returnImmediately", "ack", "setErrs"}
        if self.status != 200:
            return Fetched(url=url, status=self.status)
        for key in asked.get("ack", []):
            # An id that was never given, or acknowledged before, shows a receiver that has lost count.
            del self.waiting[key]
            self.acknowledged.append(key)
        for key, error in asked.get("setErrs", {}).items():
            assert {"err", "description"} == set(error)
            del self.waiting[key]
            self.errors[key] = error
        if self.lose:
            self.lose -= 1
            raise SourceUnavailable("the answer is lost", code="fetch-failed")
        given = dict(list(self.waiting.items())[: min(self.most, asked["maxEvents"])])
        told = {"sets": given, "moreAvailable": len(given) < len(self.waiting)}
        return Fetched(url=url, status=200, body=self.answer or json.dumps(told).encode())
