# SPDX-License-Identifier: Apache-2.0
"""The fence across replicas as a model of a small instance, explored over all interleavings.

One replica, E, ends a scope while another, R, takes one call through steps 5 to 8 and renews its lease; or R
passes it on to an owner, which does as R would and may die, and hands out the answer. Every
message may take as long as it likes, every nudge may be lost or made up, and R may be paused between any two
instructions, for ever if it crashes: the others simply go on. Clocks are counters. A tick of E's is one of
R's too, or none where the drift that the protocol allows for has room. Times are kept as what is left of
them, so all there is can be looked at, and not only its first moments.

A mutation leaves one rule of the protocol out; the explorer must then find a run that breaks a promise:

- nothing is permitted after the end was committed (`permitted after the end`)
- after the end has returned, a call that reaches the upstream is on its list (`unlisted arrival`)
- after the end has returned, no answer is released (`released after the end`)
"""

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

#: R's lease, in ticks of R's clock, and how long E waits, in ticks of E's: one more, for the drift.
LEASE = 2
WAIT = 3
#: R's clock may miss one tick of three.
SLACK = 2

#: Rules that may be left out.
MUTATIONS = (
    "release without a lease",
    "lease from when the answer came",
    "lease before what was ended is taken in",
    "no wait for clocks that run apart",
    "return without a wait",
    "acknowledge before the calls are cut",
    "bury without waiting",
    "bury without remembering what is adrift",
    "permit without looking at the epoch",
    "permit although buried",
    "hand on without a lease",
    "hand on what was ended",
)

NEVER = -1


class State(NamedTuple):
    """Everything there is; what is `NEVER` is not under way."""

    slack: int = SLACK
    # The database: the epoch, what it holds of R and of its call, and R's word about the end.
    ended: bool = False
    gone: bool = False
    record: str = "none"  # "none", "permit", "closed", "adrift"
    word: str = ""  # "", "clean", "listed"
    # R: what its thread knows, what its loop has done about it, its lease, a renewal on its way, a nudge.
    knows: bool = False
    to_tell: str = ""
    lease: int = 0
    asked: int = NEVER
    answer: str = ""  # "", "before" or "after" the end, "gone"
    nudged: bool = False
    # The call: none, asked, granted, armed (looked, and not yet written), sent, answered, over.
    call: str = "none"
    # Whether R has passed it on ("passed" until the owner has handed its answer to R).
    passed: bool = False
    # E: how long ago it saw R renew, its end, and whether the closure lists the call.
    seen: int = NEVER
    ending: str = "no"  # "no", "committed", "returned"
    waited: int = 0
    listed: bool = False
    broken: str = ""


def steps(s: State, without: str) -> Iterator[tuple[str, State]]:
    """Yield every step that may come next, and where it leads."""
    at_e = s._replace(
        seen=min(s.seen + 1, WAIT) if s.seen != NEVER else NEVER,
        waited=min(s.waited + 1, WAIT) if s.ending == "committed" else 0,
    )
    at_both = at_e._replace(
        lease=max(s.lease - 1, 0),
        asked=min(s.asked + 1, LEASE) if s.asked != NEVER else NEVER,
        slack=min(s.slack + 1, SLACK),
    )
    yield "time passes", at_both
    if s.slack >= SLACK:
        yield "time passes, and R's clock stands", at_e._replace(slack=s.slack - SLACK)
    yield from _renewing(s, without)
    yield from _calling(s, without)
    yield from _database(s, without)
    yield from _ending(s, without)


def _renewing(s: State, without: str) -> Iterator[tuple[str, State]]:
    # Between the look of a call and its write nothing else of the loop runs.
    free = s.call != "armed"
    if s.asked == NEVER:
        yield "R sends a renewal", s._replace(asked=0)
    if s.answer == "gone":
        # It comes back as another incarnation, with nothing in hand.
        yield "R learns that it is buried", s._replace(asked=NEVER, answer="", lease=0, knows=True)
    elif s.answer:
        age = 0 if without == "lease from when the answer came" else s.asked
        early = without == "lease before what was ended is taken in"
        yield (
            "R takes its renewal in",
            s._replace(
                asked=NEVER,
                answer="",
                lease=max(s.lease, LEASE - age),
                knows=s.knows or (s.answer == "after" and not early),
            ),
        )
    if s.nudged:
        yield "the nudge is lost", s._replace(nudged=False)
        if not s.knows:
            yield "R looks, being nudged", s._replace(knows=s.ended, nudged=False)
    elif not s.knows:
        # A nudge that is forged, duplicated, or late.
        yield "R is nudged for nothing", s._replace(nudged=True)
    if s.knows and not s.to_tell and free:
        told = "listed" if s.call in ("sent", "answered") and not s.passed else "clean"
        kept = s.call == "none" or (s.passed and without == "hand on what was ended")
        yield "R cuts its calls", s._replace(to_tell=told, call=s.call if kept else "over")
    if s.knows and not s.word and without == "acknowledge before the calls are cut":
        yield "R acknowledges at once", s._replace(word="clean")


def _acts(s: State) -> bool:
    """Whether R may send or release now."""
    return s.lease > 0 and not s.knows


def _calling(s: State, without: str) -> Iterator[tuple[str, State]]:
    late = s.ending == "returned"
    if s.call == "none" and _acts(s):
        yield "R asks for its commit", s._replace(call="asked")
        yield "R passes the call on", s._replace(call="passed", passed=True)
    if s.call == "passed" and s.record in ("permit", "closed") and not late:
        # The owner has its own lease, which the end waits for.
        yield "the owner hands its answer on", s._replace(call="answered")
    if s.call == "asked" and s.record != "none":
        yield "R hears that it is permitted", s._replace(call="granted")
    if s.call == "granted":
        yield "R looks at its fence", s._replace(call="armed" if _acts(s) else "over")
    if s.call == "armed":
        broken = "unlisted arrival" if late and not s.listed else s.broken
        yield "R writes to the upstream", s._replace(call="sent", broken=broken)
    if s.call == "sent":
        yield "the upstream answers", s._replace(call="answered")
    if s.call == "answered":
        leased, clear = s.lease > 0, not s.knows
        if without == "release without a lease" or (s.passed and without == "hand on without a lease"):
            leased = True
        if s.passed and without == "hand on what was ended":
            clear = True
        released = leased and clear
        broken = "released after the end" if released and late else s.broken
        yield "R releases the answer, or not", s._replace(call="over", broken=broken)
    if s.passed and s.record == "permit":
        yield "the owner records the outcome", s._replace(record="closed")
    elif s.call == "over" and s.record == "permit" and not s.gone:
        yield "R records the outcome", s._replace(record="closed")


def _database(s: State, without: str) -> Iterator[tuple[str, State]]:
    """A command that was sent is carried out, even if no sender waits for it."""
    if s.asked != NEVER and not s.answer:
        answer = "gone" if s.gone else "after" if s.ended else "before"
        yield "a renewal is carried out", s._replace(answer=answer, seen=s.seen if s.gone else NEVER)
    if s.call == "asked" and s.record == "none":
        looked = not s.ended or without == "permit without looking at the epoch"
        alive = not s.gone or without == "permit although buried"
        if looked and alive:
            broken = "permitted after the end" if s.ended or s.gone else s.broken
            yield "the permit is committed", s._replace(record="permit", broken=broken)
        else:
            yield "the permit is refused", s._replace(call="over")
    if s.call == "passed" and s.record == "none" and not s.ended:
        yield "the owner's permit is committed", s._replace(record="permit")
    if s.to_tell and not s.word:
        yield "R's word is committed", s._replace(word=s.to_tell)


def _ending(s: State, without: str) -> Iterator[tuple[str, State]]:
    if not s.gone and s.seen == NEVER:
        yield "E sees R", s._replace(seen=0)
    if not s.gone and s.seen != NEVER and (s.seen >= WAIT or without == "bury without waiting"):
        keeps = without != "bury without remembering what is adrift"
        record = ("adrift" if keeps else "closed") if s.record == "permit" else s.record
        yield "E buries R", s._replace(gone=True, record=record)
    if s.ending == "no":
        yield "E commits the end", s._replace(ending="committed", ended=True, nudged=True, waited=0)
    if s.ending == "committed":
        wait = LEASE if without == "no wait for clocks that run apart" else WAIT
        over = s.waited >= wait or s.gone or without == "return without a wait"
        if s.word or over:
            unheard = s.record in ("permit", "adrift")
            listed = s.word == "listed" if s.word else unheard
            yield "E returns", s._replace(ending="returned", listed=listed or s.record == "adrift")


class Run(NamedTuple):
    """What an exploration has found: how many states there are, or a run that breaks a promise."""

    states: int
    broken: str = ""
    trace: tuple[str, ...] = ()


def explore(without: str = "") -> Run:
    """Look at every state that can be reached, the nearest first."""
    came: dict[State, tuple[State, str] | None] = {State(): None}
    queue = deque(came)
    while queue:
        state = queue.popleft()
        for what, after in steps(state, without):
            if after in came:
                continue
            came[after] = (state, what)
            if after.broken:
                return Run(len(came), after.broken, _trace(came, after))
            queue.append(after)
    return Run(len(came))


def _trace(came: dict[State, tuple[State, str] | None], last: State) -> tuple[str, ...]:
    out: list[str] = []
    at = came[last]
    while at is not None:
        out.append(at[1])
        at = came[at[0]]
    return tuple(reversed(out))
