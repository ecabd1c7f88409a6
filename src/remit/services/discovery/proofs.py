# SPDX-License-Identifier: Apache-2.0
"""Proofs that an exposed secret opens nothing any more. Only on a person's request, one finding at a time.

1. The finding is about a credential. The person gives the secret again; remit keeps only its fingerprint.
2. The secret must be that of the finding, by its fingerprint. Attempts are few, and each is evidence.
3. The place is one that the configuration names. Of the finding, the target must agree with it; it never
   chooses. So a planted address, such as `postgres://user:pass@evil/`, is sent nothing.
4. The attempt is recorded, then made. An accepted login counts only where a wrong password is refused.
5. A clear refusal settles every finding about the credential, for good. All else leaves them open.
"""

from __future__ import annotations

import enum
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import urlsplit

import msgspec

from remit.core.discovery.secret_fingerprint import SUBJECT, is_fingerprint_of
from remit.core.errors import Busy, ChangedMeanwhile, Conflict, Malformed
from remit.core.evidence.event import Event
from remit.core.evidence.events.findings import FindingProven, FindingResolved
from remit.core.findings.finding import Finding, FindingState, answered
from remit.core.findings.meanings import DISCOVERED
from remit.core.json_value import Json
from remit.ports.broker import Probe, SecretProbe
from remit.ports.runtime import Clock, Entropy
from remit.ports.store.findings import FindingStore
from remit.ports.store.units import Unit
from remit.services.discovery.scan_loop import BY
from remit.services.findings.findings import TRIES, Findings, replaced

#: Attempts within an hour: about one finding, and of one person.
OF_FINDING: Final = 5
OF_PERSON: Final = 12
HOUR_S: Final = 3600.0
LONGEST_SECRET: Final = 16_384
_FOLLOWED: Final = 10_000
#: Findings about one secret that are looked at.
_MOST_ABOUT: Final = 5_000
#: Types of secrets that are sent as a bearer token.
_BEARERS: Final = frozenset({"oauth", "oauth-token", "oauth-access-token"})
#: Ports of addresses that name none.
_PORTS: Final = {"postgresql": 5432, "postgres": 5432, "https": 443, "http": 80, "": 5432}


class ProofOutcome(enum.StrEnum):
    """What an attempt with the secret showed."""

    TRYING = "trying"
    REFUSED = "refused"
    WORKS = "works"
    UNKNOWN = "unknown"
    ANOTHER_SECRET = "another-secret"


class SecretProof(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome, and where the secret was tried; `account` is the one that was used."""

    outcome: ProofOutcome
    at: str
    account: str = ""


class SecretProofs:
    """Tries exposed secrets. For one event loop.

    `key` reads that of this remit's own fingerprints; without one, what the person's command compared counts.
    """

    def __init__(
        self,
        *,
        store: FindingStore,
        clock: Clock,
        entropy: Entropy,
        findings: Findings,
        probes: Sequence[SecretProbe],
        key: Callable[[], bytes] = bytes,
    ) -> None:
        """Take the dependencies."""
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._findings = findings
        self._probes = probes
        self._key = key
        self._attempts: OrderedDict[str, deque[float]] = OrderedDict()

    async def place_for(self, found: Finding, upstream: str = "") -> tuple[SecretProbe, str]:
        """Return where a secret would be tried, and as which account: what a person consents to (step 3).

        Raises `Malformed` for a finding about something else, `Conflict` if there is no such place, or if
        another sighting of the secret tells another one: what refuses it here says nothing of that one.
        """
        probe, user = self._place(found, upstream)
        for evidence in await self._told_elsewhere(found):
            kind, target, account = (_text(evidence, name) for name in ("type", "target", "user"))
            same = (not kind or _kind(kind) == probe.opens) and _opens(probe, target)
            if not same or (probe.opens == "postgresql" and account not in ("", user)):
                raise Conflict(
                    "scans tell different places or accounts for this secret",
                    code="told-differently",
                    remediation="rotate it at each of them, and resolve the finding with an explanation",
                )
        return probe, user

    async def _told_elsewhere(self, found: Finding) -> list[Json]:
        """Return the evidence of all sightings of a secret, except of what a person called false."""
        about = await self._findings.about(found.about, kinds=tuple(DISCOVERED), limit=_MOST_ABOUT)
        standing = [one for one in about if one.state is not FindingState.FALSE]
        return [
            sighting.facts.get("evidence") for one in (found, *standing) for sighting in one.scopes.values()
        ]

    def _place(self, found: Finding, upstream: str) -> tuple[SecretProbe, str]:
        if found.kind not in DISCOVERED or not found.about.startswith(SUBJECT):
            raise Malformed(
                f"finding `{found.id}` is not about a credential",
                code="no-credential",
                remediation="choose a finding such as `secret-exposed`",
            )
        said, target, user = (_evidence(found, name) for name in ("type", "target", "user"))
        fitting = [
            one
            for one in self._probes
            if one.place
            and (one.opens == _kind(said) or not said)
            and (upstream in ("", one.upstream))
            and _opens(one, target)
        ]
        # Without a target in the finding, only a person knows which of the places it was for. Tokens of
        # GitHub say so themselves.
        if len(fitting) != 1 or not (upstream or target or fitting[0].opens == "github"):
            raise Conflict(
                "no place of the configuration is the one that this secret opened"
                if not fitting
                else "several places of the configuration may be the one that this secret opened",
                code="no-place",
                remediation="name the upstream with `--at`; only places of `remit.yaml` are tried",
            )
        (probe,) = fitting
        if probe.opens == "postgresql":
            user = probe.user or user
            if probe.user and _evidence(found, "user") not in ("", probe.user):
                raise Conflict(
                    f"the secret is that of another account than `{probe.user}`",
                    code="other-account",
                    remediation="rotate it at its source, and resolve the finding with an explanation",
                )
            if not user:
                raise Conflict(
                    "the finding names no account, and a wrong account is always refused",
                    code="no-account",
                    remediation="resolve the finding with an explanation instead",
                )
        else:
            user = ""
        return probe, user

    async def prove(
        self, name: str, secret: str, *, by: str, upstream: str = "", compared: bool = False
    ) -> SecretProof:
        """Try the secret of a finding, and settle the finding if it is refused.

        `compared`: the person's own command has compared the fingerprint. Raises `NotFound`, `Malformed`
        (`another-secret`), `Conflict` and `Busy`.
        """
        found = await self._findings.get(name)
        probe, user = await self.place_for(found, upstream)
        self._count(found.id, by)
        # Step 2.
        key = self._key()
        ours = bool(key) and is_fingerprint_of(found.about, key, secret)
        # Of what remit has scanned itself, it compares the fingerprint itself, also where others report it.
        own = bool(key) and (not found.scopes or any(one.by == BY for one in found.scopes.values()))
        told = FindingProven(
            finding=found.id,
            about=found.about,
            at=f"upstream:{probe.upstream}",
            account=user,
            compared="remit" if ours else "person",
            outcome=ProofOutcome.TRYING.value,
            by=by,
        )
        if not 1 <= len(secret) <= LONGEST_SECRET or not (ours or (compared and not own)):
            await self._record(found, told, ProofOutcome.ANOTHER_SECRET)
            raise Malformed(
                "this is not the secret of the finding",
                code="another-secret",
                remediation="give the secret as it stands at the place of the finding",
            )
        # Step 4.
        await self._record(found, told, ProofOutcome.TRYING)
        outcome = await self._tried(probe, secret, user)
        if outcome is ProofOutcome.REFUSED:
            await self._settled(found, told)
        else:
            await self._record(found, told, outcome)
        return SecretProof(outcome=outcome, at=told.at, account=user)

    async def _tried(self, probe: SecretProbe, secret: str, user: str) -> ProofOutcome:
        answer = await probe.probe(secret, user)
        if answer is Probe.REFUSED:
            return ProofOutcome.REFUSED
        if answer is Probe.ACCEPTED:
            # As long as a token of GitHub, which its probe would not send otherwise.
            wrong = await probe.probe(self._entropy.bytes(20).hex(), user)
            return ProofOutcome.WORKS if wrong is Probe.REFUSED else ProofOutcome.UNKNOWN
        return ProofOutcome.UNKNOWN

    async def _settled(self, found: Finding, told: FindingProven) -> None:
        """Do step 5; what a scan changes meanwhile is read again, because the attempt was made."""
        for left in reversed(range(TRIES)):
            try:
                await self._settle(found, told)
            except ChangedMeanwhile:
                if not left:
                    raise
            else:
                break

    async def _settle(self, found: Finding, told: FindingProven) -> None:
        """Do step 5, in one commit."""
        about = await self._findings.about(found.about, kinds=tuple(DISCOVERED), limit=_MOST_ABOUT)
        if all(one.id != found.id for one in about):
            about.append(await self._findings.get(found.id))
        now, why, by = self._clock.now(), f"the secret was tried at {told.at} and refused", told.by
        changes, events = [], [self._event(found, told, ProofOutcome.REFUSED)]
        for one in about:
            if one.state is FindingState.FALSE and one.id != found.id:
                continue  # it told something else, and a person has answered
            if one.state is not FindingState.RESOLVED:
                body = FindingResolved(
                    finding=one.id, finding_kind=one.kind, about=one.about, resolution=why, by=by
                )
                events.append(self._findings.event(body, one, subject=by))
            done = answered(one, FindingState.RESOLVED, by=by, why=why, now=now)
            changes.append(replaced(one, msgspec.structs.replace(done, proven=now)))
        await self._store.commit(Unit(tuple(changes), tuple(events)))

    async def _record(self, found: Finding, told: FindingProven, outcome: ProofOutcome) -> None:
        await self._store.commit(Unit(events=(self._event(found, told, outcome),)))

    def _event(self, found: Finding, told: FindingProven, outcome: ProofOutcome) -> Event:
        body = msgspec.structs.replace(told, outcome=outcome.value)
        return self._findings.event(body, found, subject=told.by)

    def _count(self, finding: str, by: str) -> None:
        """Count an attempt; raises `Busy` beyond the bounds."""
        now_s = self._clock.boot_s()
        counted = []
        for name, most in ((f"finding {finding}", OF_FINDING), (f"person {by}", OF_PERSON)):
            times = self._attempts.pop(name, None) or deque()
            while times and now_s - times[0] >= HOUR_S:
                times.popleft()
            self._attempts[name] = times
            if len(times) >= most:
                raise Busy(
                    "too many attempts within an hour",
                    code="attempts",
                    remediation="wait, or rotate the secret at its source",
                )
            counted.append(times)
        for times in counted:
            times.append(now_s)
        while len(self._attempts) > _FOLLOWED:
            self._attempts.popitem(last=False)


def _evidence(found: Finding, name: str) -> str:
    return _text(found.facts.get("evidence"), name)


def _text(evidence: Json, name: str) -> str:
    value = evidence.get(name) if isinstance(evidence, dict) else None
    return value if isinstance(value, str) else ""


def _kind(said: str) -> str:
    """Return the type of a secret as probes name it."""
    word = said.lower()
    if word in ("postgres", "postgresql", "password"):
        return "postgresql"
    # A client's secret or a refresh token is no bearer token: it is refused there while it lives.
    return "github" if word.startswith("github") else "oauth" if word in _BEARERS else word


def _opens(probe: SecretProbe, target: str) -> bool:
    """Return whether a secret for this target may be one for a probe's place."""
    if probe.opens == "postgresql":
        return _agrees(target, probe.place)
    return not target or _host(target) == _host(probe.place)


def _host(address: str) -> str:
    """Return the host of an address, without the `api.` of GitHub; `?` for what is none."""
    try:
        name = urlsplit(address if "://" in address else f"//{address}").hostname or "?"
    except ValueError:
        return "?"
    return name.rstrip(".").lower().removeprefix("api.")


def _agrees(target: str, place: str) -> bool:
    """Return whether a finding's target is the place: the same host, port and database, as far as it says."""
    if not target:
        return True
    try:
        told, ours = (urlsplit(one if "://" in one else f"//{one}") for one in (target, place))
        port = told.port or _PORTS.get(told.scheme, 0)
        same = (told.hostname or "").rstrip(".").lower() == (ours.hostname or "").rstrip(".").lower()
        return same and port == (ours.port or 5432) and (told.path.strip("/") in ("", ours.path.strip("/")))
    except ValueError:
        return False
