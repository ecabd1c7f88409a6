# SPDX-License-Identifier: Apache-2.0
"""Any events of a log can be proven together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from remit.core.evidence.checkpoint import Checkpoint, sign_checkpoint
from remit.core.evidence.merkle import leaf_hash
from remit.core.evidence.selection import SignedLog, selection_lines
from remit.core.evidence.verification import verify_export
from tests.samples.evidence_log import KEY, ORIGIN, PRIVATE, WrittenLog

LOG = WrittenLog()
for _ in range(700):
    LOG.add()
HASHES = [leaf_hash(leaf) for leaf in LOG.leaves]


@given(st.integers(1, len(HASHES)), st.data())
def test_a_selection_holds_and_each_change_of_it_does_not(size: int, data: st.DataObject) -> None:
    """Over one tile and over several."""
    chosen = sorted(data.draw(st.sets(st.integers(0, size - 1), min_size=1, max_size=8)))
    note = sign_checkpoint(Checkpoint(ORIGIN, size, LOG.tree(size).root()), KEY, PRIVATE.sign)
    signed = SignedLog(origin=ORIGIN, verifier=str(KEY), size=size, note=note.encode().decode())
    lines = list(
        selection_lines(
            signed,
            "Which?",
            ((index, LOG.leaves[index], None) for index in chosen),
            lambda start, count: HASHES[start : start + count],
        )
    )
    report = verify_export(lines, KEY)
    assert (report.holds, report.events, report.question) == (True, len(chosen), "Which?")
    at = data.draw(st.integers(1, len(chosen)))
    lines[at] = lines[at].replace(b"task.opened", b"task.closed")
    assert not verify_export(lines, KEY).holds
