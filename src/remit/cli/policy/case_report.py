# SPDX-License-Identifier: Apache-2.0
"""`remit policy test`: cases beside the policies, without a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from remit.cli.exit_codes import UsageFault
from remit.cli.global_options import current
from remit.cli.output import terminal
from remit.core.json_value import Json

if TYPE_CHECKING:
    from remit.rehearse.case_runs import CaseResult, RuleCoverage, StepResult

_WORDS: Final = {"permit": "permitted", "deny": "refused", "defer": "asked about"}
#: Rules that are shown of those that no case makes speak.
SHOWN: Final = 10


def run_cases(*paths: str, fail_under: int = 0) -> int:
    """Test the policies with the cases in `tests/`; exits 2 if one fails.

    A case is a task with calls, which is rehearsed with all nine steps, or one call with given facts, which
    the policies alone decide. No server is needed. It also shows which rules no case makes speak, without
    the unchanged guardrails of `remit init`. For example, run it in CI beside `remit policy check`.

    Parameters
    ----------
    paths
        Files or folders with cases; by default `tests/`.
    fail_under
        Exit 2 as well if fewer than this percentage of the rules speak.
    """
    if not 0 <= fail_under <= 100:
        raise UsageFault("`--fail-under` is not from 0 to 100", remediation="give a percentage")
    from remit.rehearse import Rehearsal
    from remit.rehearse.case_runs import CaseRuns
    from remit.rehearse.policy_cases import read_cases

    folder = current().config_file.parent
    cases = read_cases(folder, paths)
    with Rehearsal(folder) as rehearsal:
        runs = CaseRuns(rehearsal)
        results = runs.run(cases)
        tested = runs.coverage()
    failed = [one for one in results if not one.holds]
    enough = tested.share >= fail_under
    if terminal.is_json():
        terminal.answer(
            {
                "holds": not failed and enough,
                "cases": [_told(one) for one in results],
                "rules": {"spoke": tested.spoke, "silent": tested.silent, "share": tested.share},
            }
        )
    else:
        _show(results, tested, fail_under)
    return 0 if not failed and enough else 2


def _told(one: CaseResult) -> Json:
    import msgspec

    steps = [msgspec.to_builtins(step) | {"holds": step.holds} for step in one.steps]
    return msgspec.to_builtins(one) | {"holds": one.holds, "steps": steps}


def _show(results: list[CaseResult], tested: RuleCoverage, fail_under: int) -> None:
    failed = [one for one in results if not one.holds]
    for one in failed:
        terminal.copyable(terminal.text("failed", "bold red"), f": {one.file}:{one.line}: {one.case}")
        for step in one.steps:
            if not step.holds:
                _show_step(step, one.file)
        if one.fault:
            terminal.say(f"  {one.fault}", f"; {one.remediation}" if one.remediation else "")
        terminal.say("")
    told = f"{len(results) - len(failed)} of {terminal.counted(len(results), 'case')} as expected"
    terminal.say(told, style="green" if not failed else "bold red")
    every = len(tested.spoke) + len(tested.silent)
    if not every:
        terminal.say("No rule beside the guardrails of `remit init`.", style="dim")
        return
    style = "dim" if tested.share >= fail_under else "bold red"
    wanted = f", {fail_under} % are needed" if tested.share < fail_under else ""
    terminal.say(f"{len(tested.spoke)} of {every} own rules spoke ({tested.share} %){wanted}", style=style)
    for name in tested.silent[:SHOWN]:
        terminal.say(f"  no case makes `{name}` speak", style="dim")
    if len(tested.silent) > SHOWN:
        terminal.say(f"  and {len(tested.silent) - SHOWN} more", style="dim")


def _show_step(step: StepResult, file: str) -> None:
    terminal.say(f"  {file}:{step.line}: {step.call} {terminal.compact(step.arguments)}")
    if step.expected != step.got:
        terminal.say(
            "    expected: ",
            terminal.text(_WORDS[step.expected], "green"),
            "    got: ",
            terminal.text(_WORDS[step.got], "red"),
        )
    for name in step.missing:
        terminal.say(f"    rule `{name}` did not decide", style="red")
    for one in step.reasons:
        terminal.say(f"    {one.rule or one.code}: {one.text}")
        if one.remediation and step.got != "permit":
            terminal.say(f"      {one.remediation}", style="dim")
