# SPDX-License-Identifier: Apache-2.0
"""Witnesses sign the log's head after they have checked that it only grew (c2sp.org/tlog-witness).

1. a head is sent to each witness at an interval, and again before its last cosignature grows old: an idle log
   stays proven
2. the witness's answer is verified by its key; what it last cosigned is stored. A witness that fails is asked
   less and less often
3. once `quorum` witnesses cosigned one head, that head is published, and receipts and exports show it
4. a quorum that is missing for too long is a finding; so is a witness that remembers another history

No call waits for a witness. Only a reader who asks for a proof does, for `WAIT_S`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

import msgspec

from remit.core.errors import Conflict, Malformed, RemitError, SourceUnavailable, VerificationFailed
from remit.core.evidence.checkpoint import Checkpoint, Note, Signature, VerifierKey, cosignature_time
from remit.core.evidence.witness_messages import (
    MAX_ANSWER_BYTES,
    SIZE_MEDIA,
    read_cosignature,
    read_size,
    submission,
)
from remit.core.findings.kinds import FindingKind
from remit.ports.delivery import Deliver
from remit.ports.evidence.log import Head
from remit.ports.fetch import Fetched
from remit.ports.runtime import Clock
from remit.ports.store.changes import PutValue
from remit.ports.store.log import LogStore
from remit.ports.store.units import Unit
from remit.services.evidence.log import Evidence
from remit.services.findings.findings import Findings

log = logging.getLogger("remit.witnesses")

#: Seconds that a reader of a proof waits for cosignatures.
WAIT_S: Final = 3.0
TIMEOUT_S: Final = 10.0
#: The longest pause after failures, in seconds.
MAX_PAUSE_S: Final = 600.0
_KEPT: Final = "witness/"
_PUBLISHED: Final = "witnessed"
_COMPARE: Final = "compare `remit audit verify` with an earlier export, and find out who else signs this log"


class Witness(msgspec.Struct, frozen=True, kw_only=True):
    """A witness: its key, its submission prefix, and how requests reach it."""

    name: str
    key: VerifierKey
    url: str
    deliver: Deliver


class WitnessSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Which witnesses there are, and how many must agree. Times are in seconds."""

    witnesses: Mapping[str, Witness] = {}
    quorum: int = 0
    every_s: float = 10.0
    refresh_s: float = 300.0
    alarm_after_s: float = 3600.0


class _Contradicted(VerificationFailed):
    """The witness remembers another history of this log."""

    code = "witness-contradicts"


class _State:
    """What is known of one witness."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.size = 0  # that it last cosigned
        self.text = ""  # the head that it cosigned
        self.cosigned_s: float | None = None  # on the clock since boot
        self.due_s = 0.0
        self.failures = 0
        self.why = ""
        self.contradicts = False  # or lies; told


class Witnesses:
    """Asks the witnesses. For one event loop; of several replicas, the one that does the shared chores."""

    def __init__(
        self,
        *,
        store: LogStore,
        evidence: Evidence,
        findings: Findings,
        clock: Clock,
        tenant: str,
        settings: WitnessSettings,
    ) -> None:
        """Begin now: the time without a quorum counts from this start."""
        self._store = store
        self._evidence = evidence
        self._findings = findings
        self._clock = clock
        self._tenant = tenant
        self._settings = settings
        self._states = {name: _State() for name in settings.witnesses}
        self._quorum_s: float | None = None
        self._begun = False
        #: Whether the missing quorum was told; whether a finding may be open, also from an earlier run.
        self._told = False
        self._open = True
        self._round_s = 0.0
        self._asking: set[asyncio.Task[None]] = set()
        self._note: Note | None = None
        #: The newest head that the quorum cosigned; `None` before the first one, and without witnesses.
        self.published: Head | None = None

    @property
    def watched(self) -> bool:
        """Whether there are witnesses."""
        return bool(self._states)

    async def begin(self) -> None:
        """Read what was cosigned before."""
        if self._begun or not self._states:
            return
        for name, state in self._states.items():
            known = await self._store.value(self._tenant, _KEPT + name)
            state.size = int(known["size"]) if known is not None else 0
        self._quorum_s = self._clock.boot_s()
        self._begun = True

    async def newest(self) -> Head | None:
        """Return the newest head that the quorum cosigned, whichever replica asked the witnesses."""
        await self.begin()
        kept = await self._store.value(self._tenant, _PUBLISHED) if self._states else None
        if kept is not None and (self.published is None or self.published.note != kept["note"]):
            self.published = _head(Note.parse(str(kept["note"]).encode()))
        return self.published

    async def turn(self) -> None:
        """Send the newest head where it is due, and look at the quorum. For a background loop."""
        await self.newest()
        head = await self._evidence.checkpoint()
        now = self._clock.boot_s()
        if now >= self._round_s and head.size:
            # All witnesses in one round: asked at different times, they would never cosign the same head
            # of a busy log.
            self._round_s = now + self._settings.every_s
            text = Note.parse(head.note.encode()).text
            due = [name for name, state in self._states.items() if self._is_due(state, text, now)]
            await asyncio.gather(*(self._ask(name, head) for name in due))
        await self._look_at_quorum()

    async def cosigned(self, head: Head, covering: int) -> Head:
        """Return a head with cosignatures that covers event `covering`: the published one, or else `head`.

        Waits at most `WAIT_S` for the witnesses. Where they do not agree in time, `head` has the cosignatures
        that were received.
        """
        if not self._states or head.size == 0:
            return head
        published = await self.newest()
        if published is None or published.size <= covering:
            asking = [asyncio.create_task(self._ask_for_reader(name, head)) for name in self._states]
            self._asking.update(asking)
            for one in asking:
                one.add_done_callback(self._asking.discard)
            # What takes longer goes on: its cosignature counts for the next reader.
            await asyncio.wait(asking, timeout=WAIT_S)
        if self.published is not None and self.published.size > covering:
            return self.published
        note = self._note
        return _head(note) if note is not None and note.text == Note.parse(head.note.encode()).text else head

    def _is_due(self, state: _State, text: str, now: float) -> bool:
        fresh = state.cosigned_s is not None and now - state.cosigned_s < self._settings.refresh_s
        return now >= state.due_s and not (fresh and state.text == text)

    async def _ask_for_reader(self, name: str, head: Head) -> None:
        """Ask beside a reader, who gets the head without this cosignature if it fails."""
        try:
            await self._ask(name, head)
        except RemitError as fault:
            log.warning("witness `%s`: %s", name, fault)

    async def _ask(self, name: str, head: Head) -> None:
        """Do steps 2 and 3 with one witness; raise only a fault of the store."""
        witness, state = self._settings.witnesses[name], self._states[name]
        note = Note.parse(head.note.encode())
        async with state.lock:
            if state.failures and self._clock.boot_s() < state.due_s:
                return
            if state.cosigned_s is not None and state.size > head.size:
                return  # a newer head was sent while this one waited
            if state.text == note.text and self._is_fresh(state):
                return
            try:
                line = await self._submit(witness, state, head, note)
            except Conflict as overtaken:
                state.why = overtaken.message
                return  # the next round sends a newer head, too
            except RemitError as fault:
                await self._failed(name, state, fault)
                return
            state.failures, state.why = 0, ""
            state.size, state.text, state.cosigned_s = head.size, note.text, self._clock.boot_s()
            await self._store.commit(
                Unit((PutValue(self._tenant, _KEPT + name, {"size": head.size, "line": str(line)}),))
            )
        if state.contradicts:
            state.contradicts = False
            await self._findings.settle(
                FindingKind.LOG_UNWITNESSED, f"witness:{name}", by="remit", resolution="it cosigns again"
            )
        await self._add(note, head, line)

    def _is_fresh(self, state: _State) -> bool:
        at = state.cosigned_s
        return at is not None and self._clock.boot_s() - at < self._settings.every_s

    async def _submit(self, witness: Witness, state: _State, head: Head, note: Note) -> Signature:
        """Send a head; if the witness knows another size than we thought, send it once more from there."""
        answer = await self._post(witness, state.size, head, note)
        if answer.status == 409:
            media = answer.headers.get("content-type", "").partition(";")[0].strip()
            known = read_size(answer.body) if media == SIZE_MEDIA else head.size
            if head.size < known <= await self._evidence.size():
                raise Conflict("another replica has sent it a newer head")
            if known > head.size or (known == state.size and state.size == head.size):
                raise _Contradicted(
                    f"it has cosigned {known} events under this log's name, and this log has {head.size}: "
                    "one of them is another history",
                    remediation=_COMPARE,
                )
            answer = await self._post(witness, known, head, note)
        if answer.status == 422:
            raise _Contradicted(
                "the log does not extend what it cosigned before",
                remediation=_COMPARE,
            )
        if answer.status != 200:
            raise SourceUnavailable(
                _REFUSALS.get(answer.status, f"it answered {answer.status}"), code="witness-refused"
            )
        now_s = int(self._clock.now().timestamp())
        return read_cosignature(answer.body, note, witness.key, now_s)

    async def _post(self, witness: Witness, old: int, head: Head, note: Note) -> Fetched:
        if old > head.size:
            old = 0  # the store was rolled back; the witness's answer states what it knows
        proof = []
        if 0 < old < head.size:
            proof = await self._store.consistency(self._tenant, old, head.size)
        return await witness.deliver.post(
            witness.url.rstrip("/") + "/add-checkpoint",
            submission(old, proof, note),
            media="text/plain; charset=utf-8",
            accept="text/plain",
            max_bytes=MAX_ANSWER_BYTES,
            timeout_s=TIMEOUT_S,
        )

    async def _failed(self, name: str, state: _State, fault: RemitError) -> None:
        if not state.failures:
            log.warning("witness `%s`: %s", name, fault)
        state.failures += 1
        state.why = fault.message
        pause = min(self._settings.every_s * 2.0 ** min(state.failures, 16), MAX_PAUSE_S)
        state.due_s = self._clock.boot_s() + pause
        # One that cosigns wrongly is told of as well, although the others make the quorum.
        if isinstance(fault, VerificationFailed | Malformed) and not state.contradicts:
            state.contradicts = True
            facts = {"witness": name, "why": fault.message}
            await self._findings.see(FindingKind.LOG_UNWITNESSED, f"witness:{name}", name, facts)

    async def _add(self, note: Note, head: Head, line: Signature) -> None:
        """Do step 3."""
        latest = self._note
        if latest is not None and _head(latest).size > head.size:
            return
        present = latest if latest is not None and latest.text == note.text else note
        self._note = present = present.with_signature(line)
        own = VerifierKey.parse(self._evidence.verifier).public
        keys = [one.key for one in self._settings.witnesses.values() if one.key.public != own]
        if sum(cosignature_time(present, key) is not None for key in keys) < self._settings.quorum:
            return
        if self.published is None or self.published.size <= head.size:
            published = _head(present)
            await self._store.commit(Unit((PutValue(self._tenant, _PUBLISHED, {"note": published.note}),)))
            self.published = published
        await self._settle()

    async def _look_at_quorum(self) -> None:
        """Do step 4."""
        assert self._quorum_s is not None
        missing_s = self._clock.boot_s() - self._quorum_s
        if missing_s < self._settings.alarm_after_s or self._told:
            return
        facts = {
            "witness": "",
            "size": self.published.size if self.published is not None else 0,
            "why": "; ".join(f"{name}: {one.why}" for name, one in self._states.items() if one.why)[:1000],
        }
        await self._findings.see(FindingKind.LOG_UNWITNESSED, self._about, "quorum", facts)
        self._told = self._open = True

    async def _settle(self) -> None:
        self._quorum_s = self._clock.boot_s()
        self._told = False
        if self._open:
            await self._findings.settle(
                FindingKind.LOG_UNWITNESSED, self._about, by="remit", resolution="the quorum cosigns again"
            )
            self._open = False

    @property
    def _about(self) -> str:
        return f"log:{self._evidence.origin}"


_REFUSALS: Final = {
    400: "it calls the submission malformed",
    403: "it does not accept this log's key: give it the key that `remit up` prints",
    404: "it does not know this log: register the log's origin and key there",
    429: "it is asked too often",
}


def _head(note: Note) -> Head:
    checkpoint = Checkpoint.parse(note.text.encode())
    return Head(checkpoint.size, checkpoint.root, note.encode().decode())
