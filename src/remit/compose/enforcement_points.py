# SPDX-License-Identifier: Apache-2.0
"""Other enforcement points, from the configuration."""

from __future__ import annotations

from remit.config import Config
from remit.core.identity.workload import Assurance
from remit.services.authzen.enforcement_points import EnforcementPoint


def enforcement_points(config: Config) -> dict[str, EnforcementPoint]:
    """Return who else may ask for decisions, by the name of its agent."""
    return {
        name: EnforcementPoint(
            name=name,
            resources=frozenset(section.resources),
            agents=frozenset(section.agents),
            vouches=Assurance.from_word(section.vouches) if section.vouches else None,
            constrained=section.sender_constraint == "required",
        )
        for name, section in config.enforcement_points.items()
    }
