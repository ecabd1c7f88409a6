# SPDX-License-Identifier: Apache-2.0
"""`remit policy history`, `rollback` and `confirm`: the versions of the policy bundle."""

from __future__ import annotations

from remit.cli.decisions.confirmation import confirmed
from remit.cli.output import terminal
from remit.cli.policy.bundle_status import show_applied, show_unsettled, spread
from remit.cli.rest_client import connect
from remit.core.canonical import digest
from remit.core.json_value import Json


def history(*, limit: int = 20) -> None:
    """List the versions of the policy bundle: time, author, reason, and which can be brought back.

    For example, find the version that was in force when a call was permitted.

    Parameters
    ----------
    limit
        Show at most this many versions, the newest first.
    """
    found = connect().get("policies", "history", limit=limit)
    if terminal.is_json():
        terminal.answer(found)
        return
    terminal.table(
        ("VERSION", "SINCE", "BY", "RULES", "BUNDLE", "WHY"),
        (
            (
                terminal.text(f"{one['version']}{' in force' if one['in_force'] else ''}", _style(one)),
                terminal.moment(one["at"]),
                " and ".join(name for name in (one["by"], one["second"]) if name),
                str(one["rules"]),
                one["bundle"].removeprefix("sha256:")[:12],
                _why(one),
            )
            for one in found["items"]
        ),
        empty="no version has a number yet",
    )
    if found["proposed"]:
        waits = found["proposed"]
        terminal.say("")
        terminal.say(
            f"{waits['by']} proposes another bundle: {_why(waits) or 'no reason given'}", style="yellow"
        )
        terminal.copyable(f"  remit policy confirm {waits['bundle']}", style="dim")


def rollback(version: int = 0, /, *, reason: str = "", confirm: str = "") -> int:
    """Put an earlier version of the policy bundle in force at once, on all replicas.

    The version is taken from the store, so no files are needed; a later start with the files that it replaced
    does not undo it. Tasks that ended stay ended. For example, take back a rule that stopped people's work.

    Parameters
    ----------
    version
        The version to return to, as in `remit policy history`; by default the one before that in force.
    reason
        Why, for the history.
    confirm
        The digest of what was shown; needed without a terminal.
    """
    client = connect()
    found = client.post("policies", "rollback", "preview", version=version)
    if not terminal.is_json():
        terminal.copyable(f"Version {found['version']}: ", terminal.text(found["bundle"], "bold"))
        show_unsettled(found["tasks"])
    if not confirmed(f"Return to version {found['version']}?", digest(found), confirm):
        terminal.say("Nothing was changed.", style="yellow")
        return 1
    told = client.post(
        "policies", "rollback", version=found["version"], bundle=found["bundle"], reason=reason
    )
    return _done(told)


def confirm(bundle: str, /) -> int:
    """Put a proposed policy bundle in force, as a second administrator.

    Where `policies.second_person` is set, one administrator applies a bundle, and another one confirms its
    digest. For example, compare the digest with the one of the review, then confirm it.

    Parameters
    ----------
    bundle
        The digest of the proposed bundle, as in `remit policy history`.
    """
    return _done(connect().post("policies", "confirm", bundle=bundle))


def _done(told: Json) -> int:
    if told["proposed"]:
        show_applied(told)
        return 0
    return spread(told)


def _why(one: Json) -> str:
    back = f"back to version {one['back_to']}" if one["back_to"] else ""
    return ": ".join(part for part in (back, one["reason"]) if part)


def _style(one: Json) -> str:
    return "bold green" if one["in_force"] else "" if one["kept"] else "dim"
