# SPDX-License-Identifier: Apache-2.0
"""Configuration: `remit.yaml` and its bundle, read as a whole, with every problem named."""

from remit.config.bundle.bundle import examine_bundle, load_bundle, problems
from remit.config.credentials.aws import AwsLeaseSection
from remit.config.credentials.github import GitHubLeaseSection
from remit.config.credentials.kubernetes import KubernetesLeaseSection
from remit.config.credentials.lease import LeaseSection, PostgresLeaseSection
from remit.config.credentials.oauth import OAuthLeaseSection
from remit.config.credentials.openbao import BaoAuthSection, OpenBaoLeaseSection
from remit.config.folders import find_config, state_of, user_config
from remit.config.load import config_path, examine_config, load_config
from remit.config.own_files import bases_of, own_places
from remit.config.reading.secret_reference import SecretRef
from remit.config.sections.keys import KeysSection, OpenBaoSection
from remit.config.sections.listen import ListenSection, TlsSection
from remit.config.sections.policy import PolicySection
from remit.config.sections.secret_sources import references
from remit.config.sections.signals import ReceiverSection, TransmitterSection
from remit.config.sections.store import StoreSection
from remit.config.sections.trust import IssuerSection, TrustDomainSection, TrustSection
from remit.config.sections.workload_api import WorkloadApiSection, WorkloadSection
from remit.config.settings import (
    CONFIG_NAME,
    ClassesSection,
    Config,
    InitiativeSection,
    LimitsSection,
    LogHeadSection,
    UpstreamSection,
    ZoneSection,
)

__all__ = [
    "CONFIG_NAME",
    "AwsLeaseSection",
    "BaoAuthSection",
    "ClassesSection",
    "Config",
    "GitHubLeaseSection",
    "InitiativeSection",
    "IssuerSection",
    "KeysSection",
    "KubernetesLeaseSection",
    "LeaseSection",
    "LimitsSection",
    "ListenSection",
    "LogHeadSection",
    "OAuthLeaseSection",
    "OpenBaoLeaseSection",
    "OpenBaoSection",
    "PolicySection",
    "PostgresLeaseSection",
    "ReceiverSection",
    "SecretRef",
    "StoreSection",
    "TlsSection",
    "TransmitterSection",
    "TrustDomainSection",
    "TrustSection",
    "UpstreamSection",
    "WorkloadApiSection",
    "WorkloadSection",
    "ZoneSection",
    "bases_of",
    "config_path",
    "examine_bundle",
    "examine_config",
    "find_config",
    "load_bundle",
    "load_config",
    "own_places",
    "problems",
    "references",
    "state_of",
    "user_config",
]
