# SPDX-License-Identifier: Apache-2.0
"""Configuration: `remit.yaml` and the bundle beside it, read whole, every problem named."""

from remit.config.bundle import examine_bundle, load_bundle, problems
from remit.config.load import config_path, examine_config, load_config
from remit.config.secret import SecretRef
from remit.config.settings import (
    CONFIG_NAME,
    ClassesSection,
    Config,
    InitiativeSection,
    KeysSection,
    LimitsSection,
    ListenSection,
    LogHeadSection,
    PolicySection,
    StoreSection,
    UpstreamSection,
)

__all__ = [
    "CONFIG_NAME",
    "ClassesSection",
    "Config",
    "InitiativeSection",
    "KeysSection",
    "LimitsSection",
    "ListenSection",
    "LogHeadSection",
    "PolicySection",
    "SecretRef",
    "StoreSection",
    "UpstreamSection",
    "config_path",
    "examine_bundle",
    "examine_config",
    "load_bundle",
    "load_config",
    "problems",
]
