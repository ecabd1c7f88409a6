# SPDX-License-Identifier: Apache-2.0
"""The tenant and the addresses of one process of remit."""

from __future__ import annotations

from dataclasses import dataclass, field

from remit.core.identity.principals import Memberships


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """`public_url` is where the process is reached, and `origin` is the name of its log.

    `second_person` demands two administrators for what is sensitive about people,
    `second_person_for_policies` for a policy bundle that replaces another.
    """

    tenant: str
    public_url: str
    origin: str
    members: Memberships = field(default_factory=Memberships)
    second_person: bool = False
    second_person_for_policies: bool = False
