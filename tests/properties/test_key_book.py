# SPDX-License-Identifier: Apache-2.0
"""Whatever is done to keys in whatever order: one signs, and its work is accepted as long as was promised."""

from datetime import datetime, timedelta

import hypothesis.strategies as st
from hypothesis import given

from remit.adapters.keys.key_versions import Entries, KeyVersion, Rules, current_of, ordered, over, turned
from remit.core.keys.own_keys import KeyKind, KeyStanding
from tests.worlds.values import START

OVERLAP = timedelta(hours=1)
AHEAD = Rules(kind=KeyKind.TOKEN, overlap=OVERLAP)
ALONE = Rules(kind=KeyKind.CHECKPOINT, overlap=OVERLAP, ahead=False, remembered=True)
NEVER = Rules(kind=KeyKind.SEALING, overlap=None, ahead=False)

#: What is done, and the minutes that pass before it.
steps = st.lists(
    st.tuples(st.sampled_from(["rotate", "at once", "tidy"]), st.integers(min_value=0, max_value=90)),
    max_size=12,
)


def version(number: int, standing: KeyStanding) -> KeyVersion:
    """Return a version."""
    return KeyVersion(version=number, id=f"key-{number}", standing=standing, made=START)


@given(steps, st.sampled_from([AHEAD, ALONE, NEVER]))
def test_one_key_signs_and_what_it_signed_is_accepted_for_its_overlap(
    done: list[tuple[str, int]], rules: Rules
) -> None:
    """Unless one was replaced at once: then what earlier ones signed is accepted no longer."""
    now, made = START, 2
    entries: Entries = (version(1, KeyStanding.CURRENT),)
    if rules.ahead:
        entries = ordered((version(2, KeyStanding.NEXT), *entries))
        made = 3
    signed: dict[str, datetime | None] = {}  # until when the work of each key must be accepted at least
    for what, minutes in done:
        now += timedelta(minutes=minutes)
        before, published = current_of(entries).id, {one.id for one in entries}
        fresh: list[KeyVersion] = []
        if what == "tidy":
            entries, gone = over(entries, rules, now)
            assert before not in {one.id for one in gone}
        else:
            at_once = what == "at once"
            if at_once or not rules.ahead:
                fresh.append(version(made, KeyStanding.CURRENT))
                made += 1
            if rules.ahead:
                fresh.append(version(made, KeyStanding.NEXT))
                made += 1
            entries = turned(entries, rules, tuple(fresh), now, at_once=at_once)
            assert current_of(entries).id != before
            if at_once:
                assert current_of(entries).id not in published
                signed.clear()
                if rules.overlap is not None:
                    entries, _ = over(entries, rules, now)
            else:
                signed[before] = now + rules.overlap if rules.overlap else None
        standings = [one.standing for one in entries]
        assert standings.count(KeyStanding.CURRENT) == 1
        assert standings.count(KeyStanding.NEXT) == int(rules.ahead)
        assert len({one.version for one in entries}) == len(entries)
        accepted = {one.id for one in entries if one.standing is not KeyStanding.RETIRED}
        for key, until in signed.items():
            if until is None or now < until:
                assert key in accepted
        if what == "at once" and rules.overlap is not None:
            assert not accepted & (published - {one.id for one in fresh})
        if rules.remembered:
            assert {one.version for one in entries} == set(range(1, made))
