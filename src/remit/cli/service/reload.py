# SPDX-License-Identifier: Apache-2.0
"""`remit reload`."""

from __future__ import annotations

from remit.cli.decisions.confirmation import confirmed
from remit.cli.output import terminal
from remit.cli.parser import verb
from remit.cli.policy.bundle_status import show_unsettled
from remit.cli.rest_client import connect
from remit.core.canonical import digest
from remit.core.json_value import Json

app = verb("reload")


@app.default
def reload(*, confirm: str = "") -> int:
    """Put the changed files in force without a restart: policies, tools, task types, and modes of upstreams.

    No call is lost: a call that is being decided keeps the mode that it began with, and the next call has the
    new one. Other sections of `remit.yaml` need `remit restart`; the command names those that have changed.
    If a file is wrong, everything stays as it is, and the command says where. A renewed certificate of the
    port is shown to the next client; if its files cannot be used, the one before stays, and the command says
    why and exits 2. Only an administrator can reload, because it changes what is refused. With several
    replicas, the bundle reaches all of them, and modes are reloaded at each. For example, enforce at an
    upstream that you have observed for long enough.

    Parameters
    ----------
    confirm
        The digest that the command prints if tasks would end or lose grants; needed without a terminal.
    """
    client = connect()
    found = client.post("service", "preview")
    if found["tasks"] or found["replaced"]:
        asked = digest({"bundle": found["bundle"], "tasks": found["tasks"]})
        if not terminal.is_json():
            show_unsettled(found["tasks"])
            if not confirm:
                terminal.copyable(f"  remit reload --confirm {asked}", style="dim")
        if not confirmed(_question(found), asked, confirm):
            terminal.say("Nothing was changed.", style="yellow")
            return 1
    told = client.post("service", "reload", bundle=found["bundle"])
    certificate = told["certificate"]
    if terminal.is_json():
        terminal.answer(told)
    else:
        _tell(told)
    return 2 if certificate and certificate["fault"] else 0


def _question(found: Json) -> str:
    if not found["replaced"]:
        return "Put it in force, and end these?"
    return "Roll back to it, and end these?" if found["tasks"] else "Roll back to it?"


def _tell(told: Json) -> None:
    if told["changed_bundle"]:
        terminal.copyable("In force now: ", terminal.text(told["bundle"], "bold"))
    if told["tasks"]:
        ended = sum(bool(one["ends"]) for one in told["tasks"])
        terminal.say(f"Open tasks: {ended} ended, {len(told['tasks']) - ended} hold less", style="yellow")
    for one in told["modes"]:
        if one["mode"] == "observe":
            terminal.say(
                f"OBSERVE MODE at {one['upstream']}: everything is decided and recorded, and NOTHING IS "
                "REFUSED.",
                style="bold yellow",
            )
        else:
            terminal.say(terminal.text("enforced", "green"), f" at {one['upstream']}, from the next call on")
    if not (told["changed_bundle"] or told["modes"]):
        terminal.say("Nothing that can be reloaded has changed.")
    tell_waiting(told["waiting"])
    if (certificate := told["certificate"]) and certificate["fault"]:
        terminal.say(
            f"The certificate of the port stays as it was: {certificate['fault']}", style="bold yellow"
        )


def tell_waiting(waiting: list[str]) -> None:
    """Name the sections that only a restart takes over."""
    if waiting:
        names = ", ".join(f"`{name}`" for name in waiting)
        terminal.say(f"Changed in remit.yaml, needs `remit restart`: {names}", style="yellow")
