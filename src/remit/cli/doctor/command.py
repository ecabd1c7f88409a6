# SPDX-License-Identifier: Apache-2.0
"""`remit doctor`."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from remit.cli.doctor.check import Check
from remit.cli.global_options import current
from remit.cli.output import terminal
from remit.cli.parser import verb

app = verb("doctor")

_MARKS = {"ok": ("ok", "green"), "note": ("note", "yellow"), "fail": ("FAIL", "bold red")}


@app.default
def doctor(*, bypass: bool = False, place: str = "", attack: str = "", cell: str = "") -> int:
    """Check program, configuration, keys, store, upstreams and isolation, and report what is wrong.

    `remit doctor` also asks a running remit. If you are signed in there, it reports for each upstream since
    when it is reachable, or why it is not. The command changes nothing. It exits 1 if a check fails; a note
    is information, not a failure. For example, run it after a change of `remit.yaml`, or when an agent's
    calls suddenly fail.

    With `--bypass` it tries instead what an agent could do without remit: reach each upstream and source of
    credentials, read remit's files, look into its process. Say with `--place` where the agent runs, such as
    `--place 'sudo -u agent'` or `--place 'kubectl exec -i POD --'`; only Python is needed there.

    With `--attack CLIENT` (`claude-code`, `codex`, `copilot` or `gemini`) it attacks the guard of that client
    instead: the real program, a scripted model on loopback, a separate home, and where the system gives it, a
    separate network. It prints what held.

    Parameters
    ----------
    bypass
        Try the ways around remit.
    place
        A command that runs a program where the agent runs; implies `--bypass`.
    attack
        The client whose guard to attack.
    cell
        Only the attacks whose name contains this text.
    """
    if attack:
        from remit.cli.attack.attack import attack as attacked

        return attacked(attack, cell)
    if bypass or place:
        from remit.cli.doctor.bypass import bypass_looks
        from remit.config import load_config

        file = current().config_file
        return _told(bypass_looks(load_config(file), file, place))
    from remit.cli.doctor.checks import examine_all

    return _told(examine_all(current()))


def _told(findings: list[Check]) -> int:
    failed = any(one.state == "fail" for one in findings)
    if terminal.is_json():
        terminal.answer({"healthy": not failed, "findings": [one._asdict() for one in findings]})
        return 1 if failed else 0
    made = Table.grid(padding=(0, 2, 0, 0))
    made.add_column(no_wrap=True)
    made.add_column(no_wrap=True)
    made.add_column(overflow="fold")
    for one in findings:
        mark, style = _MARKS[one.state]
        said = terminal.text(one.says)
        if one.remediation:
            said.append_text(Text.assemble("\n", terminal.text(one.remediation, "dim")))
        made.add_row(Text(mark, style), terminal.text(one.subject), said)
    terminal.picture(made)
    terminal.say("")
    terminal.say(
        terminal.text("problems found", "bold red") if failed else terminal.text("no problems found", "green")
    )
    return 1 if failed else 0
