# SPDX-License-Identifier: Apache-2.0
"""Whatever a task does in which order: no one counts as a participant by a read that a change may outdate."""

from hypothesis import given
from hypothesis import strategies as st

from remit.core.flow.records.participants import ReadParticipants, ThingParticipants
from remit.core.label import Label
from remit.core.tools.tool import Argument, ArgumentRole, Effect, FieldLabel, StoredDestination, Tool

SELECTOR = Argument(ArgumentRole.SELECTOR)
READ = Tool(
    upstream="mail",
    name="get",
    effect=Effect.NONE,
    arguments={"id": SELECTOR},
    fields=(FieldLabel("to[]", Label(), participant=True),),
)
CHANGE = Tool(upstream="mail", name="add", effect=Effect.REVERSIBLE, arguments={"id": SELECTOR})
ELSEWHERE = Tool(upstream="files", name="write", effect=Effect.IRREVERSIBLE)
REPLY = Tool(
    upstream="mail",
    name="reply",
    arguments={"id": SELECTOR, "text": Argument()},
    stored_destination=StoredDestination(("id",), read_by=("mail/get",)),
)
THINGS = ("1", "2")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["begin", "answer", "doubtful", "change", "elsewhere", "reply"]),
        st.sampled_from(THINGS),
    ),
    max_size=40,
)


@given(STEPS)
def test_only_reads_since_the_last_change_show_participants(steps: list[tuple[str, str]]) -> None:
    """A person joins with each change; who is known is exactly who joined before a later read."""
    known = ReadParticipants()
    joined: set[str] = {"p0"}
    begun: dict[str, list[tuple[int, frozenset[str]]]] = {one: [] for one in THINGS}
    shown: dict[str, tuple[frozenset[str], bool]] = {}
    changes = 0
    for step, thing in steps:
        if step == "begin":
            known.begin(READ, {"id": thing})
            begun[thing].append((changes, frozenset(joined)))
        elif step in ("answer", "doubtful"):
            if not begun[thing]:
                continue
            at, people = begun[thing].pop(0)
            known.learn(("mail/get", "id", thing), READ, ThingParticipants(people, step == "doubtful"))
            if at == changes:
                before = shown.get(thing, (frozenset(), False))
                shown[thing] = before[0] | people, before[1] or step == "doubtful"
        elif step == "change":
            known.begin(CHANGE, {"id": thing})
            changes += 1
            joined.add(f"p{changes}")
            shown.clear()
        else:
            tool = ELSEWHERE if step == "elsewhere" else REPLY
            known.begin(tool, {"id": thing, "text": "x"} if tool is REPLY else {})
        for one in THINGS:
            found = known.of([("mail/get", "id", one)])
            assert (None if found is None else (found.people, found.doubtful)) == shown.get(one)
            assert found is None or found.people == joined
