# SPDX-License-Identifier: Apache-2.0
"""`history.yaml` beside the policies: what it declares, and what it cannot mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from remit.config import load_bundle, load_config, problems
from remit.core.policy.bundle import from_kept, kept_form
from remit.core.tasks.history import MAX_COUNTERS, CountedOutcome, CountOf, HistoryCounter
from remit.core.tools.tool import Effect
from tests.samples.tool_files import CONFIG, folder

TOOLS = "upstream: mail\ntools: {send: {effect: irreversible, audience: external}}\n"


def place(tmp_path: Path, text: str, name: str = "history.yaml") -> Path:
    """Return a bundle's folder with a file of counters."""
    found = folder(tmp_path, TOOLS, CONFIG)
    (tmp_path / "policies" / name).write_text(text)
    return found


def found_in(tmp_path: Path, counters: str) -> list[str]:
    """Return the problems of a bundle."""
    return [str(one) for one in problems(place(tmp_path, f"counters:\n{counters}"))]


def test_a_file_declares_counters(tmp_path: Path) -> None:
    """They are a part of the bundle, of its digest, and of what a store keeps of it."""
    text = """\
counters:
  sent: {count: calls, tools: [mail/send], within: 1h 30m, this_call: true}
  recipients: {distinct: to, tools: [mail/*], over: task}
  paid: {sum: amount, effects: [irreversible], outcome: approved}
  since_failure: {seconds_since: last, outcome: failed, same: [to], same_as: {account: from}}
"""
    bundle = load_bundle(load_config(place(tmp_path, text)))
    assert bundle.history == (
        HistoryCounter(name="sent", of=CountOf.CALLS, tools=("mail/send",), window_s=5400, this_call=True),
        HistoryCounter(
            name="recipients", of=CountOf.DISTINCT, argument="to", tools=("mail/*",), family=False
        ),
        HistoryCounter(
            name="paid",
            of=CountOf.SUM,
            argument="amount",
            effects=(Effect.IRREVERSIBLE,),
            outcome=CountedOutcome.APPROVED,
        ),
        HistoryCounter(
            name="since_failure",
            of=CountOf.SINCE,
            outcome=CountedOutcome.FAILED,
            same=(("to", "to"), ("account", "from")),
        ),
    )
    assert from_kept(kept_form(bundle)) == bundle
    (tmp_path / "policies" / "history.yaml").write_text(text.replace("1h 30m", "2h"))
    assert load_bundle(load_config(tmp_path)).digest != bundle.digest


@pytest.mark.parametrize(
    ("counter", "said"),
    [
        ("{count: calls, sum: amount}", "counts one thing"),
        ("{tools: [mail/send]}", "counts one thing"),
        ("{count: call}", "did you mean `calls`?"),
        ("{seconds_since: first}", "`first` is not a known value"),
        ("{count: calls, tools: [mail/sned]}", "did you mean `mail/send`?"),
        ("{count: calls, tools: [male/send]}", "did you mean `mail`?"),
        ("{count: calls, tools: [mail]}", "write `mail/*` for all its tools"),
        ("{count: calls, outcome: permited}", "did you mean `permitted`?"),
        ("{count: calls, over: famly}", "did you mean `family`?"),
        ("{count: calls, outcome: failed, this_call: true}", "for counts of permitted calls"),
        ("{seconds_since: last, this_call: true}", "for counts of permitted calls"),
        ("{count: calls, windows: 1h}", "unknown key"),
    ],
)
def test_what_a_counter_cannot_mean_is_a_problem(tmp_path: Path, counter: str, said: str) -> None:
    """With file, line and remediation."""
    (found, *_) = found_in(tmp_path, f"  sent: {counter}\n")
    assert "policies/history.yaml:2" in found
    assert said in found


def test_names_are_bounded(tmp_path: Path) -> None:
    """In form and number; each is declared once, and those of every bundle are taken."""
    assert "cannot be a name here" in found_in(tmp_path, "  Sent: {count: calls}\n")[0]
    assert "a counter of every bundle" in found_in(tmp_path / "own", "  calls: {count: calls}\n")[0]
    many = "".join(f"  c{number}: {{count: calls}}\n" for number in range(MAX_COUNTERS + 1))
    assert f"more than {MAX_COUNTERS} counters" in found_in(tmp_path / "many", many)[0]
    twice = place(tmp_path / "twice", "counters: {sent: {count: calls}}\n")
    (tmp_path / "twice" / "policies" / "more-history.yaml").write_text("counters: {sent: {count: tasks}}\n")
    assert "`sent` is defined twice" in str(problems(twice)[0])
