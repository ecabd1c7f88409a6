# SPDX-License-Identifier: Apache-2.0
"""Floor 5: the only place that names adapters. Assembles one process from its configuration."""

from remit.compose.build import (
    built_policies,
    last_seen_tools,
    log_origin,
    policy_engine,
    policy_prover,
    surveying_engine,
)
from remit.compose.process import application, open_records, open_services

__all__ = [
    "application",
    "built_policies",
    "last_seen_tools",
    "log_origin",
    "open_records",
    "open_services",
    "policy_engine",
    "policy_prover",
    "surveying_engine",
]
