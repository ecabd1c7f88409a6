# SPDX-License-Identifier: Apache-2.0
"""Sources of the values in question, in the form in which a person is told of them.

Nothing here decides. The task's index holds no values, so that a source is described by counts and by the
person's own words, never by what else stands in it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Final

from remit.core.canonical import digest
from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.question import QuestionedValue, Stood, ValueSource
from remit.core.flow.arguments.argument_walk import found_in, walk
from remit.core.flow.justification import MAX_NAMED, Reach
from remit.core.flow.language.utterance import Utterance
from remit.core.flow.language.word_forms import stem, words_of
from remit.core.flow.memory import RECORD_MASK
from remit.core.flow.provenance import Index
from remit.core.flow.records.people_fields import may_hold
from remit.core.flow.untrusted_values import brought_by_others
from remit.core.flow.values.destination import MAX_WHOLE, Destination, whole
from remit.core.flow.values.kinds import KindOfValue
from remit.core.flow.values.strict_reading import ExactValue, exact
from remit.core.json_value import Json
from remit.core.label import Trust
from remit.core.tools.tool import Argument, ArgumentRole

MAX_VALUES: Final = 20
"""Most values of one argument that are described."""
MAX_READ: Final = 200
"""Most values of one argument that are looked at."""
MAX_WORDS: Final = 8
"""Most words of a person that are named for one source."""
_PLAIN: Final = Argument()
_LED: Final = {Reach.NAMED: "named", Reach.POINTED: "pointed"}


def provenance_of(request: AccessRequest, names: Iterable[str]) -> str:
    """Return the digest of the known sources of some arguments; an empty text without names.

    It covers their provenance, and tool, field and trust of each place where they were met. The number of the
    call is left out: reading a source again changes nothing.
    """
    known: dict[str, Json] = {}
    for name in names:
        one = request.flow.arguments.get(name)
        places = {(met.tool, met.field, met.trust.value) for met in one.origins} if one else set()
        known[name] = [one.provenance.value if one else "", *map(list, sorted(places))]
    return digest(known) if known else ""


def questioned(index: Index, request: AccessRequest, reasons: dict[str, str]) -> tuple[QuestionedValue, ...]:
    """Return the values in question; `reasons` maps each argument that rules object to to its reason."""
    parts = request.tool.parts(request.arguments)
    out: list[QuestionedValue] = []
    for name, reason in reasons.items():
        spec = request.tool.arguments.get(name, _PLAIN)
        if name not in parts:
            continue
        found = _carried if spec.role is ArgumentRole.CONTENT and not spec.secret else _open
        for text, source, stated in islice(found(index, request, name), MAX_VALUES):
            hidden = spec.sensitive or spec.secret
            out.append(
                QuestionedValue(
                    argument=name,
                    role=spec.role.value,
                    value="" if hidden else text,
                    stated=stated,
                    source=source,
                    reason=reason,
                )
            )
    return tuple(out)


def _open(index: Index, request: AccessRequest, name: str) -> Iterator[tuple[str, ValueSource | None, bool]]:
    """Yield the values of an argument that the person's words do not reach."""
    for text in _read(request, name):
        if not text or len(text) > MAX_WHOLE:
            continue
        one = index.judge_one(text, request.tool, name)
        if one.reached:
            continue
        used = exact(text)
        yield text, _source(index, text, used, request), index.statement.holds(used)


def _carried(
    index: Index, request: AccessRequest, name: str
) -> Iterator[tuple[str, ValueSource | None, bool]]:
    """Yield the addresses and links of others that a text carries."""
    found: dict[str, Destination] = {}
    for text in _read(request, name):
        for one in (one for some in found_in((text or "")[:MAX_WHOLE]) for one in some):
            if not index.statement.holds(exact(one.normal)) and brought_by_others(index, one, named=True):
                found[one.normal] = one
    for normal, one in found.items():
        if one.kind is not KindOfValue.HOST or not any(normal in other for other in found if other != normal):
            yield normal, _source(index, normal, exact(normal), request), False


def _read(request: AccessRequest, name: str) -> Iterator[str | None]:
    return islice(walk(request.tool.parts(request.arguments)[name], request.tool, name), MAX_READ)


def _source(index: Index, text: str, used: ExactValue, request: AccessRequest) -> ValueSource | None:
    """Return the place that a person is told of: among those of others, one to which the words lead."""
    found = whole(text)
    spots: tuple[int, ...] = ()
    whole_ones: tuple[int, ...] = ()
    for holder in _holders(index):
        whole_ones = holder.kept.exact_spots(used)
        spots = tuple(dict.fromkeys((*whole_ones, *holder.kept.spots(found))))
        if spots:
            break
        mention = holder.kept.mentioned(found)
        if mention is not None:
            met = holder.kept.places[mention].met
            return ValueSource(
                call=met.call,
                decision=met.decision,
                tool=met.tool,
                field=met.field,
                by_others=met.trust is Trust.UNTRUSTED,
                stood=Stood.TEXT,
                leads=_LED.get(holder.naming.best(met.call), ""),
                wrote=_wrote(request, met.decision),
            )
    else:
        return None
    spot = max(
        spots,
        key=lambda at: (holder.kept.trust(at) is Trust.UNTRUSTED, holder.naming.reach(at & RECORD_MASK)),
    )
    return _described(holder, spot, used, found.kind, request, as_used=spot in whole_ones)


def _holders(index: Index) -> Iterator[Index]:
    """Yield a task's memory, those of the tasks above it, and what its agent has read elsewhere."""
    at: Index | None = index
    while at is not None:
        yield at
        at = at.above
    yield from index.beside


def _described(
    index: Index, spot: int, used: ExactValue, kind: KindOfValue, request: AccessRequest, *, as_used: bool
) -> ValueSource:
    record, place, naming = spot & RECORD_MASK, index.kept.place_of(spot), index.naming
    met, value = place.met, index.kept.digest_exact(used)
    beside = naming.structured(record, met.field, value)
    others = met.trust is Trust.UNTRUSTED
    # A field of others is one of its own only where the value is known to be all of it.
    own = bool(beside) or (
        as_used and may_hold(place.name, kind) and (not others or kind is KindOfValue.TEXT)
    )
    if beside:
        count = len(beside)
    elif own:
        count = naming.choice(record, met.field) or (0 if others else index.kept.records_at(spot))
    else:
        count = naming.candidates(record, kind, met.field)
    all_like = 0 if kind is KindOfValue.TEXT else naming.candidates(record, kind)
    names = (*naming.names(record), *(" ".join(one) for one in beside.get(value, ())))
    return ValueSource(
        call=met.call,
        decision=met.decision,
        tool=met.tool,
        field=met.field,
        by_others=others,
        stood=Stood.FIELD if own else Stood.TEXT,
        alike=count - 1 if count else None,
        elsewhere=max(all_like - count, 0) if own and count and all_like else None,
        leads=_LED.get(naming.reach(record), ""),
        words=_as_said(names, index.utterance),
        wrote=_wrote(request, met.decision),
    )


def _wrote(request: AccessRequest, decision: str) -> str:
    """Return who wrote the data from which a value was read, if remit saw the write."""
    written = request.rest.through.get(decision)
    return "" if written is None else str(written)


def _as_said(names: Collection[str], said: Utterance) -> tuple[str, ...]:
    """Return words by which a record was found as the person wrote them, in the person's order."""
    spoken = [one for sentence in said.clauses.sentences for one in words_of(sentence)]
    places: dict[str, int] = {}
    for one in spoken:
        places.setdefault(stem(one), len(places))
    forms = {stem(one): one for one in reversed(spoken)}
    found = {one if " " in one or one in spoken else forms.get(one, one) for one in names}
    ordered = sorted(found, key=lambda one: (places.get(stem(one.split(" ")[0]), len(places)), one))
    return tuple(one[:MAX_NAMED] for one in ordered[:MAX_WORDS])
