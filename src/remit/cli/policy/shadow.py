# SPDX-License-Identifier: Apache-2.0
"""`remit policy shadow`: a candidate decides beside the policies in force."""

from __future__ import annotations

from typing import Final

from remit.cli.exit_codes import UsageFault
from remit.cli.output import terminal
from remit.cli.policy.policy_files import asked
from remit.cli.policy.simulate import show_flips
from remit.cli.rest_client import connect
from remit.core.json_value import Json

STOP: Final = "stop"


def shadow(folder: str = "", /, *, version: int = 0, reason: str = "", share: int = 10) -> None:
    """Have other policies decide beside those in force, without effect, and show what they would change.

    With a folder or a version it starts, without either it shows what was found so far, and with `stop` it
    stops. The candidate decides each call after its answer was given, so no agent notices. Each difference is
    recorded. It continues after a restart, and covers all replicas. For example, let a new rule run beside
    the old ones for a day, then apply it without surprises.

    Parameters
    ----------
    folder
        The folder with the policies, in Cedar or Rego; tools and task types are those in force. Or `stop`.
    version
        An earlier version of `remit policy history` in place of a folder.
    reason
        Why it is started, or stopped.
    share
        The most that it may use of one core on each replica, in percent. Calls beyond that are counted as
        not shadowed.
    """
    starts = bool(version or folder not in ("", STOP))
    if version and folder:
        raise UsageFault("a folder and a version", remediation="give one of them")
    if reason and not (starts or folder):
        way = "give a folder to start one, or `stop`"
        raise UsageFault("a reason, and nothing that it is for", remediation=way)
    client = connect()
    if folder == STOP:
        told = client.post("policies", "shadow", "stop", reason=reason)
    elif starts:
        told = client.post("policies", "shadow", share=share, reason=reason, **asked(folder, version))
    else:
        told = client.get("policies", "shadow")
    if terminal.is_json():
        terminal.answer(told)
    elif told["shadow"] is None:
        terminal.say("No candidate is shadowed.")
        terminal.say("  `remit policy shadow FOLDER --reason ...` starts one", style="dim")
    else:
        _show(told["shadow"], "Stopped; shadowed" if folder == STOP else "Shadowed")


def _show(found: Json, title: str) -> None:
    terminal.say(
        terminal.text(title, "bold"),
        " since ",
        terminal.moment(found["since"]),
        f" by {found['by']}" if found["by"] else "",
        f": {found['reason']}" if found["reason"] else "",
    )
    terminal.copyable(f"  candidate {found['candidate']}", style="dim")
    if found["in_force"]:
        terminal.say("Its policies are in force now, so nothing can differ any more.", style="yellow")
    for one in found["faults"]:
        terminal.say("It does not decide now: ", one["text"], style="red")
        terminal.say(f"  {one['remediation']}", style="dim")
    _show_counts(found)
    show_flips(found["flips"])
    if found["unrecorded"]:
        terminal.say("")
        terminal.say(f"{found['unrecorded']} differences are only counted, and have no event.", style="dim")


def _show_counts(found: Json) -> None:
    changed = sum(one["calls"] for one in found["flips"])
    terminal.say("")
    told = (
        f" since then, {changed} of which it would have decided differently" if found["calls"] else " so far"
    )
    terminal.say(terminal.text(terminal.counted(found["calls"], "call"), "bold"), told)
    missed = [(one["decisions"], f"not shadowed: {one['meaning']}") for one in found["not_shadowed"]]
    waiting = found["calls"] - found["shadowed"] - sum(many for many, _ in missed)
    for many, what in (
        (found["unchanged"], "decided alike"),
        (found["refused_elsewhere"], "refused by something else than policy"),
        (waiting, "waiting"),
        *missed,
    ):
        if many:
            terminal.say(f"  {many:>6}  {what}", style="dim")
    if found["shadowed"]:
        used = found["per_call_us"]
        spent = f"{used} us" if used < 1000 else f"{used / 1000:.1f} ms"
        terminal.say(
            f"  {spent} of processor time for each call; at most {found['share']} % of a core", style="dim"
        )
