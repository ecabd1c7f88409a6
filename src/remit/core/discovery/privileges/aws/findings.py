# SPDX-License-Identifier: Apache-2.0
"""What is wrong in exports of AWS, as findings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

import msgspec

from remit.core.discovery.declared import PermissionExport, PermissionSource
from remit.core.discovery.discovered import Discovered
from remit.core.discovery.privileges.aws.account import UNNAMED, AwsExport, AwsPrincipal
from remit.core.discovery.privileges.aws.conditions import Truth
from remit.core.discovery.privileges.aws.credentials import old_keys, unused
from remit.core.discovery.privileges.aws.evaluation import Evaluator
from remit.core.discovery.privileges.aws.exports import read_exports
from remit.core.discovery.privileges.aws.needs import AwsStep
from remit.core.discovery.privileges.aws.paths import AwsPath, PathSearch
from remit.core.discovery.privileges.aws.reach import AwsReach
from remit.core.discovery.privileges.aws.trust import open_trusts
from remit.core.findings.kinds import FindingKind, Severity
from remit.core.safe_text import plain

#: Rights on everything of a service that no single task needs: an action that no service has, and a resource.
_WHOLE_SERVICES: Final = {
    "iam": "arn:aws:iam::{account}:role/x",
    "sts": "arn:aws:iam::{account}:role/x",
    "s3": "arn:aws:s3:::x/x",
    "secretsmanager": "arn:aws:secretsmanager:x:{account}:secret:x",
    "kms": "arn:aws:kms:x:{account}:key/x",
    "dynamodb": "arn:aws:dynamodb:x:{account}:table/x",
    "lambda": "arn:aws:lambda:x:{account}:function:x",
    "ec2": "arn:aws:ec2:x:{account}:instance/x",
    "ssm": "arn:aws:ssm:x:{account}:parameter/x",
    "organizations": "*",
}
#: Reading all of what is secret or personal.
_WHOLE_DATA: Final = {
    "reads every secret": ("secretsmanager:GetSecretValue", "secretsmanager"),
    "reads every parameter": ("ssm:GetParameter", "ssm"),
    "reads every object of every bucket": ("s3:GetObject", "s3"),
    "assumes every role that trusts its account": ("sts:AssumeRole", "sts"),
    "passes every role": ("iam:PassRole", "iam"),
}


def aws_findings(
    exports: Sequence[PermissionExport], *, now: datetime, cut: list[str] | None = None
) -> list[Discovered]:
    """Return what is wrong in exports of AWS.

    Escalation paths, wide and unused authority, old access keys, and policies that trust too many. Other
    providers' exports are left out. `now` is when the exports are judged, an aware datetime. Documents of any
    content raise nothing. Files that were searched in part are added to `cut`.
    """
    export = read_exports(exports)
    evaluator = Evaluator(export, now)
    reach = AwsReach(export, evaluator)
    search = PathSearch(export, evaluator, reach)
    found = [
        *(_path(each, reach) for each in search.all()),
        *_wide(export, evaluator, reach),
        *_open(export),
        *old_keys(export, now),
        *unused(export, now),
    ]
    if cut is not None and not search.complete:
        cut += [one.place.file for one in exports if one.provider is PermissionSource.AWS]
    return [_shown(each) for each in found]


def aws_reach(exports: Sequence[PermissionExport], principal: str, *, now: datetime) -> tuple[str, ...]:
    """Return in words what a principal, named by its ARN, reaches for sure; nothing for an unknown one."""
    export = read_exports(exports)
    found = export.principals.get(principal)
    if found is None:
        return ()
    return tuple(each.words for each in AwsReach(export, Evaluator(export, now)).of(found))


def _shown(found: Discovered) -> Discovered:
    """Return a finding whose texts, which hold names from the export, are safe to show."""
    return msgspec.structs.replace(
        found,
        says=plain(found.says),
        steps=tuple(plain(each) for each in found.steps),
        reach=tuple(plain(each) for each in found.reach),
        remediation=plain(found.remediation),
    )


def _path(path: AwsPath, reach: AwsReach) -> Discovered:
    principal, target = path.principal, path.target
    steps = path.steps
    count = f"{len(steps)} step{'s' if len(steps) > 1 else ''}"
    if path.administrator:
        says = f"{principal.words} becomes an administrator of account {target.account} in {count}"
        severity = Severity.CRITICAL if path.sure else Severity.HIGH
        if target.name == UNNAMED:
            # Nothing is known of the account: whether it has such a role or user is open.
            severity = Severity.MEDIUM
    else:
        says = f"{principal.words} gains the rights of {target.words} in {count}"
        severity = Severity.HIGH if path.sure else Severity.MEDIUM
    reasons = dict.fromkeys(
        reason for each in steps for one in (*each.before, each) for reason in one.reasons
    )
    if reasons:
        says += ", if what the export does not show holds"
    return Discovered(
        kind=FindingKind.ESCALATION_PATH,
        about=f"principal:{principal.arn}",
        which="administrator" if path.administrator else f"to {target.arn}",
        says=says,
        places=(principal.place,),
        severity=severity,
        evidence={
            "techniques": [one.technique for each in steps for one in (*each.before, each)],
            "also": list(path.also),
            "permissions": sorted(
                {use.action for each in steps for one in (*each.before, each) for use in one.uses}
            ),
            "certain": path.sure,
            "provided": [plain(each) for each in list(reasons)[:10]],
        },
        steps=path.sentences(),
        reach=tuple(each.words for each in reach.of(target)),
        remediation=_remedy((*steps[0].before, steps[0])[0]),
    )


def _remedy(step: AwsStep) -> str:
    """Return how to remove the first step: at its rarest permission."""
    use = next(
        (each for each in step.uses if each.action == "iam:PassRole"), step.uses[0] if step.uses else None
    )
    if use is None or not use.permits:
        return "remove the permissions of the first step"
    where = " and ".join(each.words for each in use.permits)
    if use.action == "iam:PassRole":
        return f"in {where}, limit `iam:PassRole` to the roles and services needed (`iam:PassedToService`)"
    if step.technique == "assume-role":
        return f"in {where}, name only the principals and roles that the work needs"
    return f"remove `{use.action}` from {where}, or limit it to fixed resources that have no more rights"


def _wide(export: AwsExport, evaluator: Evaluator, reach: AwsReach) -> Iterator[Discovered]:
    for principal in export.principals.values():
        if principal.linked or principal.name == UNNAMED:
            continue
        if reach.administrator(principal):
            yield _wide_authority(
                principal,
                "administrator",
                f"{principal.words} has the rights of an administrator",
                Severity.HIGH,
                tuple(each.words for each in reach.of(principal)),
            )
            continue
        services = [each for each in _WHOLE_SERVICES if _permits(evaluator, principal, f"{each}:any", each)]
        data = [
            words
            for words, (action, service) in _WHOLE_DATA.items()
            if service not in services and _permits(evaluator, principal, action, service)
        ]
        if services or data:
            parts = (
                [f"may do everything with {', '.join(f'`{each}`' for each in services)}"] if services else []
            )
            yield _wide_authority(
                principal,
                "services",
                f"{principal.words} {' and '.join((*parts, *data))}",
                Severity.HIGH if {"iam", "organizations"} & set(services) else Severity.MEDIUM,
                tuple(each.words for each in reach.of(principal)),
            )


def _permits(evaluator: Evaluator, principal: AwsPrincipal, action: str, service: str) -> bool:
    resource = _WHOLE_SERVICES[service].replace("{account}", principal.account)
    return evaluator.mentions(principal, action) and evaluator.alone(principal, action, resource) is Truth.YES


def _wide_authority(
    principal: AwsPrincipal, which: str, says: str, severity: Severity, reach: tuple[str, ...]
) -> Discovered:
    return Discovered(
        kind=FindingKind.WIDE_AUTHORITY,
        about=f"principal:{principal.arn}",
        which=which,
        says=says,
        places=(principal.place,),
        severity=severity,
        evidence={"policies": [plain(each.name) for each in principal.policies[:20]]},
        reach=reach,
        remediation="name the actions and resources that its tasks need",
    )


def _open(export: AwsExport) -> Iterator[Discovered]:
    for each in open_trusts(export):
        yield Discovered(
            kind=FindingKind.WIDE_AUTHORITY,
            about=each.about,
            which=each.which,
            says=each.says,
            places=(each.place,),
            severity=each.severity,
            remediation=each.remediation,
        )
