# SPDX-License-Identifier: Apache-2.0
"""The rooms that people's pages work with."""

from __future__ import annotations

from dataclasses import dataclass

from remit.api.oauth.rooms import OAuthRooms
from remit.ports.runtime import Entropy
from remit.services.endings.assembly import EndingServices
from remit.services.people.assembly import PeopleServices
from remit.services.tasks.assembly import TaskServices


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRooms(OAuthRooms):
    """Those of the pages, and of the requests that lead there."""

    entropy: Entropy
    tasks: TaskServices
    endings: EndingServices
    people: PeopleServices
