# SPDX-License-Identifier: Apache-2.0
"""The settings of the evidence log, from the configuration."""

from __future__ import annotations

from datetime import timedelta

from remit import __version__
from remit.compose.evidence.exports import export_targets
from remit.compose.evidence.witnesses import witness_settings
from remit.config import Config
from remit.services.evidence.assembly import EvidenceSettings
from remit.services.evidence.retention import RetentionRule


def evidence_settings(config: Config) -> EvidenceSettings:
    """Return the settings of the log; raises `ConfigInvalid`."""
    return EvidenceSettings(
        witnesses=witness_settings(config),
        published=config.evidence.public,
        exports=export_targets(config),
        retention=RetentionRule(
            keep=timedelta(seconds=config.evidence.retention.keep) if config.evidence.retention else None,
            exported=config.evidence.retention is None or config.evidence.retention.exported,
        ),
        version=__version__,
    )
