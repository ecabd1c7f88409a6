# SPDX-License-Identifier: Apache-2.0
"""Escalation paths in exports of permissions, for each provider: recall, false paths, and time.

A provider's line gives its known paths as exports, the same exports after a change that prevents each path,
and a large export with the names of those that can gain rights in it.
"""

import time
from collections.abc import Callable, Iterator, Sequence

import msgspec

from bench.figure import Figure
from remit.core.discovery.declared import PermissionExport
from remit.core.discovery.discovered import Discovered
from remit.core.discovery.privileges.aws.findings import aws_findings
from remit.core.findings.kinds import FindingKind
from tests.samples.aws_accounts import large_account
from tests.samples.aws_paths import NOW, PATHS, account, export, near_misses

RECALL = "privileges: aws recall"
FALSE = "privileges: aws false paths"
SECONDS = "privileges: aws 1,000 roles"


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """What is measured of one provider; `large` takes the number of roles."""

    name: str
    judge: Callable[[Sequence[PermissionExport]], list[Discovered]]
    known: Callable[[], Iterator[Sequence[PermissionExport]]]
    prevented: Callable[[], Iterator[Sequence[PermissionExport]]]
    large: Callable[[int], tuple[Sequence[PermissionExport], set[str]]]


def _large_aws(roles: int) -> tuple[Sequence[PermissionExport], set[str]]:
    document, gains = large_account(roles, roles // 2)
    return [export(document)], gains


PROVIDERS = (
    Provider(
        name="aws",
        judge=lambda exports: aws_findings(exports, now=NOW),
        known=lambda: ([export(account(path))] for path in PATHS),
        prevented=lambda: (exports for path in PATHS for _, exports in near_misses(path)),
        large=_large_aws,
    ),
)


def privileges(quick: bool) -> list[Figure]:
    """Measure each provider; a quick run has a tenth of the roles."""
    return [figure for each in PROVIDERS for figure in _measured(each, 100 if quick else 1_000)]


def _paths(provider: Provider, exports: Sequence[PermissionExport]) -> set[str]:
    """Return the names of those that escalation paths begin with."""
    found = (each for each in provider.judge(exports) if each.kind is FindingKind.ESCALATION_PATH)
    return {each.about.rpartition("/")[2] for each in found}


def _measured(provider: Provider, roles: int) -> list[Figure]:
    known = [bool(_paths(provider, exports)) for exports in provider.known()]
    prevented = [bool(_paths(provider, exports)) for exports in provider.prevented()]
    exports, gains = provider.large(roles)
    began = time.perf_counter()
    found = _paths(provider, exports)
    seconds = time.perf_counter() - began
    name = f"privileges: {provider.name}"
    large = f"one made-up account, {roles} roles, {roles // 2} policies"
    return [
        Figure(
            name=f"{name} recall", value=sum(known) / len(known), unit="", how=f"{len(known)} known paths"
        ),
        Figure(
            name=f"{name} false paths",
            value=sum(prevented) / len(prevented),
            unit="per export",
            how=f"{len(prevented)} exports in which one point prevents the path",
        ),
        Figure(name=f"{name} {roles:,} roles", value=seconds, unit="s", how=large),
        Figure(
            name=f"{name} {roles:,} roles, missed or false",
            value=len(found ^ gains),
            unit="",
            how=f"{large}, {len(gains)} that can become administrators",
        ),
    ]
