# SPDX-License-Identifier: Apache-2.0
"""`remit policy`."""

from __future__ import annotations

import sys
from typing import Final

from rich.text import Text

from remit.cli.decisions.confirmation import confirmed
from remit.cli.decisions.explain import explain
from remit.cli.exit_codes import UsageFault
from remit.cli.global_options import current
from remit.cli.output import terminal
from remit.cli.parser import Switch, noun
from remit.cli.policy import case_report, versions
from remit.cli.policy.build import build
from remit.cli.policy.bundle_status import show_applied, show_unsettled, spread
from remit.cli.policy.policy_diff import diff
from remit.cli.policy.policy_proof import prove
from remit.cli.policy.rollout import FOLLOW_S
from remit.cli.policy.shadow import shadow
from remit.cli.policy.simulate import simulate
from remit.cli.rest_client import connect
from remit.core.canonical import digest
from remit.core.json_value import Json
from remit.core.safe_text import plain

#: The longest useful wait for files that another system distributes.
MOST_WAIT_S: Final = 3600

app = noun("policy", "Policies: the limits on everything, checked before they take effect.")


@app.command(name="check")
def check(*, server: Switch = False) -> int:
    """Check configuration, tools, task types and policies from the files alone; exits 2 if anything is wrong.

    For example, run it in CI on every change of the bundle: a typing error in a policy is found in review,
    not when an agent is refused.

    Parameters
    ----------
    server
        Let the running remit check the files in its folder, against the tools that its upstreams offer now.
    """
    if server:
        found = connect().post("policies", "check")["problems"]
    else:
        from remit.cli.doctor.files import examine

        found = examine(current().config_file)
    sound = all(one["severity"] != "error" for one in found)
    if terminal.is_json():
        terminal.answer({"sound": sound, "problems": found})
    else:
        _problems(found, sound)
    return 0 if sound else 2


def _problems(found: list[Json], sound: bool) -> None:
    for one in found:
        place = one["file"] + (f":{one['line']}" if one["line"] else "")
        colour = "red" if one["severity"] == "error" else "yellow"
        rule = f"`{one['rule']}`: " if one["rule"] else ""
        remediation = terminal.text(f"; {one['remediation']}" if one["remediation"] else "", "dim")
        # One line for each problem, as at the start of remit: programs can search and count these lines.
        terminal.copyable(
            terminal.text(one["severity"], colour),
            f": {place}: " if place else ": ",
            rule,
            one["text"],
            remediation,
        )
    if sound:
        more = f", with {len(found)} warning{'s' if len(found) > 1 else ''}" if found else ""
        terminal.say(terminal.text("sound", "green"), more)


app.command(name="build")(build)


@app.command(name="apply")
def apply(*, reason: str = "", confirm: str = "", wait: float = FOLLOW_S) -> int:
    """Put the bundle in remit's folder in force, completely or not at all.

    The new bundle applies to open tasks too: the command first shows the tasks that would end or lose grants,
    and asks on the terminal. With several replicas it also asks before it returns to a bundle that was
    replaced earlier. It reports which replicas decide by the new bundle, and since when all of them do: until
    then the replica that owns a task decides its calls by the previous bundle, whichever replica receives
    them. It exits 4 if some replicas have other files; the bundle is in force nevertheless. `--json` reports
    this as `everywhere`, `everywhere_from` and `replicas`. For example, tighten a policy during an incident
    and know the moment from which no replica decides by the old one.

    Where two administrators must agree (`policies.second_person`), it proposes the bundle instead.

    Parameters
    ----------
    reason
        Why, for `remit policy history`.
    confirm
        The digest of the output of `remit policy preview`; needed without a terminal.
    wait
        Give the other replicas this many seconds to find the same bundle in their files.
    """
    if not 0 <= wait <= MOST_WAIT_S:
        raise UsageFault(f"`--wait` is not from 0 to {MOST_WAIT_S}", remediation="give a number of seconds")
    client = connect()
    found = client.post("policies", "preview")
    if found["tasks"] or found["replaced"]:
        if not terminal.is_json():
            show_unsettled(found["tasks"])
            _older(found)
        if not confirmed(_question(found), digest(found), confirm):
            terminal.say("Nothing was changed.", style="yellow")
            return 1
    told = client.post("policies", "apply", bundle=found["bundle"], reason=reason)
    if told["proposed"]:
        show_applied(told, "Still in force")
        return 0
    return spread(told, wait)


@app.command(name="preview")
def preview() -> None:
    """Show which open tasks the folder's bundle would end or take grants from; changes nothing.

    For example, see before `remit policy apply` whether a stricter rule interrupts an agent at work.
    """
    found = connect().post("policies", "preview")
    if terminal.is_json():
        terminal.answer(found)
        return
    show_unsettled(found["tasks"])
    _older(found)
    if found["tasks"] or found["replaced"]:
        terminal.copyable(f"  remit policy apply --confirm {digest(found)}", style="dim")


def _older(found: Json) -> None:
    if found["replaced"]:
        terminal.say(
            "This policy bundle was in force earlier and was replaced: applying it rolls back.",
            style="yellow",
        )


def _question(found: Json) -> str:
    if not found["replaced"]:
        return "Put it in force, and end these?"
    return "Roll back to it, and end these?" if found["tasks"] else "Roll back to it?"


@app.command(name="show")
def shown() -> None:
    """Show which bundle is in force.

    For example, compare its digest with the digest that a review approved.
    """
    show_applied(connect().get("policies"), "In force")


@app.command(name="rules")
def rules(*, text: Switch = False) -> None:
    """List the rules in force, and the effect of each: permit, refuse, or ask a person.

    For example, look up the rule that a refusal names.

    Parameters
    ----------
    text
        Also print the digest and the text of each rule.
    """
    found = connect().get("policies", "rules")
    if terminal.is_json():
        terminal.answer(found)
        return
    if not text:
        terminal.table(
            ("RULE", "DOES", "WHY"),
            ((one["id"], _does(one["does"]), one["reason"]) for one in found["items"]),
            empty="no rules",
        )
        return
    for one in found["items"]:
        terminal.say(terminal.text(one["id"], "bold"), terminal.text(f"  {one['digest']}", "dim"))
        terminal.picture(Text(plain(one["text"].strip(), lines=True)))
        terminal.say("")


def _does(word: str) -> Text:
    told, style = {
        "permits": ("permits", "green"),
        "asks": ("asks an approver", "yellow"),
        "refuses": ("refuses", "red"),
    }[word]
    return terminal.text(told, style)


@app.command(name="schema")
def schema() -> None:
    """Print the policy schema, generated from the currently registered tools.

    For example, give it to an editor that checks policies while you write them.
    """
    found = connect().get("policies", "schema")
    if terminal.is_json():
        terminal.answer(found)
    else:
        sys.stdout.write(plain(found["schema"], lines=True).rstrip() + "\n")


app.command(name="history")(versions.history)
app.command(name="rollback")(versions.rollback)
app.command(name="confirm")(versions.confirm)
app.command(name="simulate")(simulate)
app.command(name="shadow")(shadow)
app.command(name="explain")(explain)
app.command(name="test")(case_report.run_cases)
app.command(name="diff")(diff)
app.command(name="prove")(prove)
