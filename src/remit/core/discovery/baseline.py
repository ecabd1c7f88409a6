# SPDX-License-Identifier: Apache-2.0
"""The baseline: a file of findings that a team has accepted, each with a reason and perhaps an end.

It stands beside what was scanned, and is reviewed like code. It holds the key of its fingerprints, so that a
secret has the same one for each person and in CI. The key guards against reading secrets from the file, not
against a person who can read both the file and the places that it names.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec

from remit.core.discovery.scan import ScannedFinding
from remit.core.errors import ConfigInvalid
from remit.core.findings.kinds import Severity

#: The form of the file.
FORM: Final = 1
KEY_BYTES: Final = 32
MOST_BYTES: Final = 16 << 20


class Acceptance(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One accepted finding. `kind`, `about`, `says` and `file` are for the people who review the file."""

    id: str
    kind: str = ""
    about: str = ""
    file: str = ""
    says: str = ""
    because: str = ""
    until: datetime | None = None
    severity: Severity | None = None

    def holds(self, now: datetime, weight: Severity) -> bool:
        """Return whether it has not ended, and the finding is no more severe than what was accepted."""
        ended = self.until is not None and now >= self.until
        return not ended and (self.severity is None or weight.rank >= self.severity.rank)


class Baseline(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The accepted findings, and the key of fingerprints in hexadecimal digits."""

    baseline: int = FORM
    key: str
    accepted: tuple[Acceptance, ...] = ()

    @property
    def fingerprint_key(self) -> bytes:
        """The key."""
        return bytes.fromhex(self.key)

    @property
    def by_id(self) -> dict[str, Acceptance]:
        """The acceptances by the ids of their findings."""
        return {one.id: one for one in self.accepted}


def read_baseline(data: bytes, place: str) -> Baseline:
    """Return the baseline in a file; raises `ConfigInvalid`."""
    remediation = "write it with `remit discover --baseline FILE --write-baseline`"
    try:
        found = msgspec.json.decode(data, type=Baseline)
    except msgspec.DecodeError as fault:
        raise ConfigInvalid(f"`{place}` is not a baseline: {fault}", remediation=remediation) from None
    if found.baseline != FORM or not _is_key(found.key):
        raise ConfigInvalid(f"`{place}` is not a baseline of this form", remediation=remediation)
    for one in found.accepted:
        if one.until is not None and one.until.tzinfo is None:
            raise ConfigInvalid(
                f"`until` of `{one.id[:80]}` in `{place}` has no time zone",
                remediation="write it like `2027-01-31T00:00:00Z`",
            )
    return found


def _is_key(text: str) -> bool:
    try:
        return len(bytes.fromhex(text)) == KEY_BYTES
    except ValueError:
        return False


def with_accepted(
    baseline: Baseline, found: Iterable[ScannedFinding], because: str, until: datetime | None, now: datetime
) -> Baseline:
    """Return a baseline that accepts what was found; acceptances that hold keep their reasons."""
    before = baseline.by_id
    accepted = []
    for one in found:
        finding = one.finding
        known = before.get(finding.id)
        if known is not None and known.holds(now, finding.weight):
            accepted.append(known)
            continue
        accepted.append(
            Acceptance(
                id=finding.id,
                kind=finding.kind.value,
                about=finding.about,
                file=finding.places[0].file if finding.places else "",
                says=finding.says,
                because=because,
                until=until,
                severity=finding.weight,
            )
        )
    accepted.sort(key=lambda one: (one.file, one.kind, one.id))
    return msgspec.structs.replace(baseline, accepted=tuple(accepted))


def written(baseline: Baseline) -> bytes:
    """Return the file of a baseline: one entry after the other, so that a review shows what changed."""
    return msgspec.json.format(msgspec.json.encode(baseline), indent=1) + b"\n"
