# SPDX-License-Identifier: Apache-2.0
"""Access keys by their age, and authority by its last use."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from remit.core.discovery.discovered import Discovered
from remit.core.discovery.privileges.aws.account import AwsExport, AwsKey, AwsPrincipal
from remit.core.discovery.privileges.aws.conditions import moment
from remit.core.findings.kinds import FindingKind, Severity

#: Days after which a key is old, and authority without use is unused.
OLD_DAYS: Final = 90
_ROOT = "<root_account>"
#: Most services that one finding names.
_MOST_NAMED = 20


def days_since(text: str, now: datetime) -> int | None:
    """Return the days since a date, or None for what is no date."""
    at = moment(text) if text else None
    return None if at is None else (now - at).days


def old_keys(export: AwsExport, now: datetime) -> Iterator[Discovered]:
    """Yield access keys that are old, and each of an account's root user."""
    for key in export.keys:
        age = days_since(key.since, now)
        root = key.user == _ROOT
        if root or (age is not None and age > OLD_DAYS):
            yield _old_key(key, age, now, root=root)


def _old_key(key: AwsKey, age: int | None, now: datetime, *, root: bool) -> Discovered:
    used = None if key.last_used is None else days_since(key.last_used, now)
    idle = key.last_used is not None and (used is None or used > OLD_DAYS)
    whose = f"the root user of account {key.account}" if root else f"user `{key.user}`"
    says = f"access key {key.name} of {whose} is active"
    if age is not None:
        says += f" and {age} days old"
    if idle:
        says += ", and was never used" if used is None else f", and was last used {used} days ago"
    about = f"arn:aws:iam::{key.account}:{'root' if root else f'user/{key.user}'}"
    return Discovered(
        kind=FindingKind.LONG_LIVED_CREDENTIAL,
        about=f"principal:{about}",
        which=f"access key {key.name}",
        says=says,
        places=(key.place,),
        severity=Severity.CRITICAL if root else None,
        evidence={"age_days": age, "last_used_days": used},
        remediation="delete it"
        if root or idle
        else "let remit lease credentials that end with the task, then delete the key",
    )


def unused(export: AwsExport, now: datetime) -> Iterator[Discovered]:
    """Yield roles that are not used, and services that principals do not use although they may."""
    for principal in export.principals.values():
        if principal.kind == "role" and not principal.linked and principal.last_used is not None:
            yield from _unused_role(principal, now)
    services: dict[str, dict[str, int | None]] = defaultdict(dict)
    for each in export.accessed:
        days = days_since(each.at, now)
        if each.principal in export.principals and (days is None or days > OLD_DAYS):
            services[each.principal][each.service] = days
    for arn, idle in services.items():
        yield _unused_services(export.principals[arn], idle)


def _unused_role(role: AwsPrincipal, now: datetime) -> Iterator[Discovered]:
    days, age = days_since(role.last_used or "", now), days_since(role.created, now)
    if (days is None and (age is None or age <= OLD_DAYS)) or (days is not None and days <= OLD_DAYS):
        return
    if not role.policies:
        return
    when = "was not used in the reported period" if days is None else f"was last used {days} days ago"
    yield Discovered(
        kind=FindingKind.UNUSED_AUTHORITY,
        about=f"principal:{role.arn}",
        which="role",
        says=f"role `{role.name}` {when}",
        places=(role.place,),
        evidence={"last_used_days": days},
        remediation="delete the role",
    )


def _unused_services(principal: AwsPrincipal, idle: dict[str, int | None]) -> Discovered:
    named = ", ".join(f"`{each}`" for each in sorted(idle)[:_MOST_NAMED])
    return Discovered(
        kind=FindingKind.UNUSED_AUTHORITY,
        about=f"principal:{principal.arn}",
        which="services",
        says=f"{principal.words} may use services that it did not use for {OLD_DAYS} days: {named}",
        places=(principal.place,),
        evidence={"services": dict(sorted(idle.items())[:_MOST_NAMED]), "count": len(idle)},
        remediation="remove what is not used from its policies",
    )
