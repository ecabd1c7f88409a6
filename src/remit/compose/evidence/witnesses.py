# SPDX-License-Identifier: Apache-2.0
"""The witnesses of the evidence log, from the configuration."""

from __future__ import annotations

from remit.compose.fetching import guarded_fetch
from remit.config import Config
from remit.core.evidence.checkpoint import VerifierKey
from remit.services.evidence.witnesses import Witness, WitnessSettings


def witness_settings(config: Config) -> WitnessSettings:
    """Return the witnesses of the log; raises `ConfigInvalid`."""
    told = config.evidence
    witnesses = {
        name: Witness(
            name=name,
            key=VerifierKey.parse(one.key),
            url=one.url,
            deliver=guarded_fetch(
                private=one.private,
                plain_loopback=config.trust.plain_loopback,
                ca_file=config.at(one.tls_ca) if one.tls_ca else None,
            ),
        )
        for name, one in told.witnesses.items()
    }
    return WitnessSettings(
        witnesses=witnesses,
        quorum=told.quorum or len(witnesses),
        every_s=float(told.every),
        refresh_s=float(told.refresh),
        alarm_after_s=float(told.alarm_after),
    )
