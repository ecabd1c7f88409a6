# SPDX-License-Identifier: Apache-2.0
"""What a verifier trusts, in one file: logs, witnesses, and how many must agree (c2sp.org/tlog-policy).

    log remit/acme+1f0a...+AX...
    witness here witness.example/w1+9d2c...+BC...
    witness there other.example/w2+77ab...+BD...
    group both all here there
    quorum both

Nothing of a file is guessed: a line that is not exactly as the standard has it refuses the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from remit.core.errors import Malformed, VerificationFailed
from remit.core.evidence.checkpoint import (
    COSIGNATURE_V1,
    ED25519,
    Note,
    OpenedCheckpoint,
    VerifierKey,
    open_checkpoint,
)

NONE: Final = "none"
MAX_BYTES: Final = 262_144
#: Most lines of one kind.
MAX_OF_A_KIND: Final = 256

_SPACE: Final = re.compile(r"[ \t]+")
_ALLOWED: Final = re.compile(rb"[\t\n\x20-\x7e\x80-\xff]*")


class PolicyKey(msgspec.Struct, frozen=True):
    """A log or a witness: its key, and its address where the file gives one."""

    key: VerifierKey
    url: str = ""


class WitnessGroup(msgspec.Struct, frozen=True):
    """A group: it has witnessed what at least `threshold` of its `members` have witnessed."""

    threshold: int
    members: tuple[str, ...]


class TrustPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """A policy. Names of `witnesses` and `groups` are those of the file alone; `quorum` is one of them, or
    `NONE`.
    """

    logs: tuple[PolicyKey, ...] = ()
    witnesses: dict[str, PolicyKey] = {}
    groups: dict[str, WitnessGroup] = {}
    quorum: str = NONE

    @classmethod
    def parse(cls, data: bytes) -> TrustPolicy:
        """Parse a policy file; raise `Malformed`, which names the line."""
        if len(data) > MAX_BYTES:
            raise Malformed(f"a policy of {len(data)} bytes is over the limit of {MAX_BYTES}")
        if not _ALLOWED.fullmatch(data):
            raise Malformed("a policy contains a control character", remediation="end lines with a newline")
        if data and not data.endswith(b"\n"):
            raise Malformed(
                "the last line of the policy has no end", remediation="check that the file is whole"
            )
        reading = _Reading()
        # Names are opaque octets: each one that is not ASCII stays distinct.
        for number, line in enumerate(data.decode("utf-8", "surrogateescape").split("\n"), 1):
            said = _SPACE.split(line.strip(" \t"))
            if said != [""] and not said[0].startswith("#"):
                try:
                    reading.take(said)
                except Malformed as fault:
                    raise Malformed(
                        f"line {number} of the policy: {fault.message}",
                        remediation="see https://c2sp.org/tlog-policy",
                    ) from None
        if reading.quorum is None:
            raise Malformed("the policy has no line `quorum`", remediation="write `quorum NAME`")
        return cls(
            logs=tuple(reading.logs),
            witnesses=reading.witnesses,
            groups=reading.groups,
            quorum=reading.quorum,
        )

    def open(self, note: bytes, log: VerifierKey | None = None) -> OpenedCheckpoint:
        """Check a signed checkpoint: a log of the policy signed it, and the quorum cosigned it.

        `log` is the log, where the caller knows it; the policy must not name others only. Raises `Malformed`
        or `VerificationFailed`, with the code `quorum-missing` where witnesses are missing.
        """
        named = [one.key for one in self.logs]
        if log is not None and named and log not in named:
            raise VerificationFailed(
                f"the policy does not name the log's key `{log}`",
                code="log-unknown",
                remediation="add it to the policy if you trust it",
            )
        key = log or self._signer(Note.parse(note), named)
        opened = open_checkpoint(note, key, witnesses=[one.key for one in self.witnesses.values()])
        # INVARIANT: the log itself never counts as its witness.
        agreed = {one.key for one in opened.cosignatures if one.key.public != key.public}
        if not self.agreed(agreed):
            raise VerificationFailed(
                f"the checkpoint of {opened.checkpoint.size} events is cosigned by {len(agreed)} of the "
                f"policy's witnesses, and not by its quorum `{printable(self.quorum)}`",
                code="quorum-missing",
                remediation="ask for newer evidence; if it stays so, ask why the log is not witnessed",
            )
        return opened

    def agreed(self, keys: Iterable[VerifierKey]) -> bool:
        """Return whether witnesses with these keys are a quorum."""
        present = set(keys)

        def witnessed(name: str) -> bool:
            if name in self.witnesses:
                return self.witnesses[name].key in present
            group = self.groups[name]
            return sum(map(witnessed, group.members)) >= group.threshold

        return self.quorum == NONE or witnessed(self.quorum)

    @staticmethod
    def _signer(note: Note, named: list[VerifierKey]) -> VerifierKey:
        signers = {(line.name, line.key_id) for line in note.signatures}
        for key in named:
            if (key.name, key.key_id) in signers:
                return key
        raise VerificationFailed(
            "no log of the policy signed the checkpoint",
            code="signature-missing",
            remediation="add a line `log` with the log's key; `remit up` prints it",
        )


class _Reading:
    """The lines so far."""

    def __init__(self) -> None:
        self.logs: list[PolicyKey] = []
        self.witnesses: dict[str, PolicyKey] = {}
        self.groups: dict[str, WitnessGroup] = {}
        self.quorum: str | None = None
        self._members: set[str] = set()

    def take(self, said: list[str]) -> None:
        """Read the words of one line."""
        match said:
            case ["log", key, *url] if len(url) <= 1:
                self._add_log(PolicyKey(_key(key, ED25519), "".join(url)))
            case ["witness", name, key, *url] if len(url) <= 1:
                self._add_witness(name, PolicyKey(_key(key, COSIGNATURE_V1), "".join(url)))
            case ["group", name, threshold, *members] if members:
                self._add_group(name, threshold, members)
            case ["quorum", name]:
                if self.quorum is not None:
                    raise Malformed("there is a second quorum")
                if name != NONE and name not in self.witnesses and name not in self.groups:
                    raise _undefined(name)
                self.quorum = name
            case _:
                raise Malformed(f"`{printable(' '.join(said))}` is not a line of a policy")

    def _add_log(self, log: PolicyKey) -> None:
        _refuse_twice(log.key, [*self.logs, *self.witnesses.values()])
        self.logs.append(log)
        _refuse_many(self.logs)

    def _add_witness(self, name: str, witness: PolicyKey) -> None:
        self._refuse_taken(name)
        _refuse_twice(witness.key, [*self.logs, *self.witnesses.values()])
        self.witnesses[name] = witness
        _refuse_many(self.witnesses)

    def _add_group(self, name: str, threshold: str, members: list[str]) -> None:
        self._refuse_taken(name)
        for member in members:
            if member not in self.witnesses and member not in self.groups:
                raise _undefined(member)
            if member in self._members:
                raise Malformed(f"`{printable(member)}` is a member for the second time")
            self._members.add(member)
        self.groups[name] = WitnessGroup(_threshold(threshold, len(members)), tuple(members))
        _refuse_many(self.groups)

    def _refuse_taken(self, name: str) -> None:
        if name == NONE or name in self.witnesses or name in self.groups:
            raise Malformed(f"the name `{printable(name)}` is already taken")


def _threshold(text: str, count: int) -> int:
    if text in ("all", "any"):
        return count if text == "all" else 1
    if not re.fullmatch(r"[1-9][0-9]{0,3}", text, re.ASCII) or int(text) > count:
        raise Malformed(f"`{printable(text)}` is not `all`, `any` or a number from 1 to {count}")
    return int(text)


def _key(text: str, wanted: int) -> VerifierKey:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Malformed("the name of a key is not UTF-8") from None
    key = VerifierKey.parse(text)
    if key.type != wanted:
        raise Malformed(f"key `{key.name}` is {'not a log' if wanted == ED25519 else 'not a witness'}'s key")
    return key


def _refuse_twice(key: VerifierKey, present: Iterable[PolicyKey]) -> None:
    if any(one.key.public == key.public for one in present):
        # Also a witness with a log's key: it would vouch for itself.
        raise Malformed(f"the public key of `{key.name}` is there for the second time")


def _refuse_many(present: list[PolicyKey] | dict[str, PolicyKey] | dict[str, WitnessGroup]) -> None:
    if len(present) > MAX_OF_A_KIND:
        raise Malformed(f"there are more than {MAX_OF_A_KIND} of these lines")


def _undefined(name: str) -> Malformed:
    return Malformed(f"no witness and no group `{printable(name)}` is defined before")


def printable(name: str) -> str:
    """Return a name of a policy as text that can be shown."""
    return name[:80].encode("utf-8", "surrogateescape").decode("utf-8", "replace")
