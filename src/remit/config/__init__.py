# SPDX-License-Identifier: Apache-2.0
"""Configuration: `remit.yaml` and the bundle beside it, read whole, every problem named."""

from remit.config.bundle import examine_bundle, load_bundle, problems
from remit.config.keys import KeysSection, OpenBaoSection
from remit.config.lease import LeaseSection, PostgresLeaseSection
from remit.config.lease_aws import AwsLeaseSection
from remit.config.lease_github import GitHubLeaseSection
from remit.config.lease_kubernetes import KubernetesLeaseSection
from remit.config.lease_oauth import OAuthLeaseSection
from remit.config.lease_openbao import BaoAuthSection, OpenBaoLeaseSection
from remit.config.listen import ListenSection, TlsSection
from remit.config.load import config_path, examine_config, load_config
from remit.config.secret import SecretRef
from remit.config.settings import (
    CONFIG_NAME,
    ClassesSection,
    Config,
    InitiativeSection,
    LimitsSection,
    LogHeadSection,
    PolicySection,
    UpstreamSection,
    ZoneSection,
)
from remit.config.signals import ReceiverSection, TransmitterSection
from remit.config.store import StoreSection
from remit.config.trust import IssuerSection, TrustDomainSection, TrustSection
from remit.config.workload_api import WorkloadApiSection, WorkloadSection

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
    "config_path",
    "examine_bundle",
    "examine_config",
    "load_bundle",
    "load_config",
    "problems",
]
