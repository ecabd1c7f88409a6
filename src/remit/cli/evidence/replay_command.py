# SPDX-License-Identifier: Apache-2.0
"""`remit audit replay` and `remit audit timeline`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from remit.cli.exit_codes import UsageFault
from remit.cli.parser import Several, Switch

Source = Annotated[Path | None, Parameter(name="--from")]


def replay(
    event: str = "",
    /,
    *,
    task: str = "",
    every: Annotated[Switch, Parameter(name="--all")] = False,
    under: Path | None = None,
    bundle: Several = (),
    source: Source = None,
    key: str = "",
    limit: int = 10_000,
) -> int:
    """Decide recorded decisions again from the evidence, and compare byte by byte; exits 4 where one differs.

    The evidence is verified first. Then the gateway's own code decides under the bundle that the decision
    names, and outcome, rules, reasons and obligations must be the recorded ones. Where the evidence does not
    have what a decision rested on, the answer says what is missing, and nothing is assumed (exit 2). For
    example, `remit audit replay dec_... --under candidate/` says what other policies would have decided.

    Parameters
    ----------
    event
        A decision, by its id (`dec_...`) or the index of its event.
    task
        Replay the decisions of this task.
    every
        Replay all decisions.
    under
        A candidate: a folder as `remit init` makes it, or a folder or file of policies; tools and task types
        are then those of the bundle that decided.
    bundle
        A folder with the bundle that decided; may be given several times. Without it: your configuration's.
    source
        A file of `remit audit export`, whole and with values; without it, the evidence of the running remit
        is fetched.
    key
        The log's public key, or a file that holds it; without it, the one that was seen from here before.
    limit
        Replay at most this many decisions, the newest ones.
    """
    from remit.cli.evidence.replay import Wanted, replay_evidence

    if bool(event) + bool(task) + every != 1:
        raise UsageFault("what to replay is not clear", remediation="give a decision, `--task ID` or `--all`")
    if limit < 1:
        raise UsageFault("`--limit` is a number above 0", remediation="leave it out")
    wanted = Wanted(event=event, task=task, limit=limit)
    return replay_evidence(wanted, under=under, bundles=bundle, place=source, key=key)


def timeline(task: str, /, *, source: Source = None, key: str = "", markdown: Switch = False) -> None:
    """Tell a task step by step: who opened it and why, each call with its sources, answers, and its end.

    The evidence is verified first. Each argument of a call is shown with its source: the person stated it,
    or it came from an earlier result. For example, read it before you answer for what an agent did.

    Parameters
    ----------
    task
        The task's id.
    source
        A file of `remit audit export`. Without it, the task's evidence is fetched from the running remit.
    key
        The log's public key, or a file that holds it; without it, the one that was seen from here before.
    markdown
        Print Markdown instead.
    """
    from remit.cli.evidence.timeline import show_timeline

    show_timeline(task, place=source, key=key, markdown=markdown)
