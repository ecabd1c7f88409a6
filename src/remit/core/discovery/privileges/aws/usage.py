# SPDX-License-Identifier: Apache-2.0
"""Read what exports say of organizations and of use: control policies, accounts, access keys, last access."""

from __future__ import annotations

import base64
import binascii
import csv
import re
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from remit.core.discovery.discovered import FilePlace
from remit.core.discovery.privileges.aws.account import AwsKey, LastAccessed, OrganizationPolicy
from remit.core.discovery.privileges.aws.policy import MOST_CHARACTERS, policy_document
from remit.core.json_value import Json

#: Most members of one list that are read.
MOST_MEMBERS: Final = 50_000
ACCOUNT_ID = re.compile(r"[0-9]{12}")


def text_of(value: Json, name: str) -> str:
    """Return the text of a member, or an empty one; names are cut after 256 characters."""
    found = value.get(name) if isinstance(value, dict) else None
    if not isinstance(found, str) or len(found) > MOST_CHARACTERS:
        return ""
    return found[:256] if name.endswith("Name") else found


def members(value: Json, name: str) -> list[dict[str, Json]]:
    """Return the objects of a member that is a list or one object."""
    found = value.get(name) if isinstance(value, dict) else None
    found = [found] if isinstance(found, dict) else found
    return (
        [each for each in found[:MOST_MEMBERS] if isinstance(each, dict)] if isinstance(found, list) else []
    )


def account_of(arn: str) -> str:
    """Return the account of an ARN, or an empty text."""
    parts = arn.split(":", 5)
    return parts[4] if len(parts) == 6 and ACCOUNT_ID.fullmatch(parts[4]) else ""


class UsageReading:
    """Collects what documents say of organizations and of use; `later` names identities when all are read."""

    def __init__(self) -> None:
        self.service: list[OrganizationPolicy] = []
        self.resource: list[OrganizationPolicy] = []
        self.organization = self.management = ""
        self.accounts: set[str] = set()
        self.keys: dict[tuple[str, str], AwsKey] = {}
        self.accessed: list[LastAccessed] = []
        self.console: dict[str, tuple[bool, bool]] = {}
        self._listed_keys: list[tuple[dict[str, Json], FilePlace]] = []
        self._services: list[tuple[str, list[dict[str, Json]], FilePlace]] = []

    def object(self, value: dict[str, Json], place: FilePlace) -> None:
        """Read one object."""
        self._organization(value, place)
        self._activity(value, place)

    def later(
        self, account_of_user: Callable[[str], str], named: Callable[[str, FilePlace], Iterable[str]]
    ) -> None:
        """Resolve the users of keys, and the principals of last access."""
        for value, place in self._listed_keys:
            self._key(value, account_of_user(text_of(value, "UserName")), place)
        for arn, services, place in self._services:
            for principal in named(arn, place):
                self._last_accessed(principal, services, place)

    def _organization(self, value: dict[str, Json], place: FilePlace) -> None:
        organization = value.get("Organization")
        if isinstance(organization, dict):
            self.organization = text_of(organization, "Id") or self.organization
            self.management = (
                text_of(organization, "MasterAccountId")
                or text_of(organization, "ManagementAccountId")
                or self.management
            )
        for each in members(value, "Accounts"):
            self.accounts.add(text_of(each, "Id"))
        for policy in [*members(value, "Policy"), *members(value, "Policies"), value]:
            summary = policy.get("PolicySummary")
            if not isinstance(summary, dict) or "Content" not in policy:
                continue
            targets = members(policy, "Targets") or members(value, "Targets")
            ids = [text_of(each, "TargetId") for each in targets]
            # A policy of a root or a unit may limit each account below: which ones, the export does not say.
            accounts = ids if ids and all(ACCOUNT_ID.fullmatch(each) for each in ids) else []
            control = OrganizationPolicy(
                name=text_of(summary, "Name") or "policy",
                document=policy_document(policy["Content"]),
                place=place,
                accounts=frozenset(accounts),
            )
            kind = text_of(summary, "Type")
            if kind == "RESOURCE_CONTROL_POLICY":
                self.resource.append(control)
            elif kind in ("SERVICE_CONTROL_POLICY", ""):
                self.service.append(control)

    def _activity(self, value: dict[str, Json], place: FilePlace) -> None:
        if text_of(value, "ReportFormat") == "text/csv" and isinstance(value.get("Content"), str):
            try:
                report = base64.b64decode(value["Content"], validate=True).decode()
            except (ValueError, binascii.Error, UnicodeDecodeError):
                report = ""
            self.credential_report(report, place)
        for each in members(value, "AccessKeyMetadata"):
            if text_of(each, "Status") == "Active" and text_of(each, "UserName"):
                self._listed_keys.append((each, place))
        services = members(value, "ServicesLastAccessed")
        if services:
            self._services.append((text_of(value, "Arn") or text_of(value, "EntityArn"), services, place))

    def _key(self, value: dict[str, Json], account: str, place: FilePlace) -> None:
        user, key = text_of(value, "UserName"), text_of(value, "AccessKeyId")
        since = text_of(value, "CreateDate")
        for known in self.keys.values():
            if (known.user, known.account, known.since[:19]) == (user, account, since[:19]):
                return
        self.keys[user, key] = AwsKey(
            user=user, account=account, name=f"...{key[-4:]}", since=since, place=place
        )

    def _last_accessed(self, principal: str, services: list[dict[str, Json]], place: FilePlace) -> None:
        self.accessed += [
            LastAccessed(
                principal=principal,
                service=text_of(each, "ServiceNamespace"),
                at=text_of(each, "LastAuthenticated"),
                place=place,
            )
            for each in services
            if text_of(each, "ServiceNamespace")
        ]

    def credential_report(self, text: str, place: FilePlace) -> None:
        """Read the text of a credential report."""
        lines = text.splitlines()[:MOST_MEMBERS]
        if not lines or not lines[0].startswith("user,arn,"):
            return
        try:
            rows = list(csv.DictReader(lines))
        except csv.Error:
            return
        for number, row in enumerate(rows, 2):
            arn, user = row.get("arn") or "", row.get("user") or ""
            account = account_of(arn)
            where = msgspec.structs.replace(place, line=number)
            self.console[arn] = (row.get("password_enabled") == "true", row.get("mfa_active") == "true")
            for key in ("1", "2"):
                if row.get(f"access_key_{key}_active") == "true":
                    used = row.get(f"access_key_{key}_last_used_date") or ""
                    since = row.get(f"access_key_{key}_last_rotated") or ""
                    self.keys[user, key] = AwsKey(
                        user=user,
                        account=account,
                        name=f"number {key}",
                        place=where,
                        since=since if since[:1].isdigit() else row.get("user_creation_time") or "",
                        last_used=used if used[:1].isdigit() else "",
                    )
