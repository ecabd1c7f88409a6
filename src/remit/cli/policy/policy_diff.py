# SPDX-License-Identifier: Apache-2.0
"""`remit policy diff`: what differs between two versions of the policies, and what of it permits more."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Final

import msgspec

from remit.cli.exit_codes import UsageFault
from remit.cli.output import terminal
from remit.cli.parser import Switch
from remit.cli.policy.policy_files import IN_FORCE, is_folder, named
from remit.cli.policy.policy_proof import proof_of, show_proof
from remit.cli.policy.simulate import show_simulation
from remit.cli.rest_client import connect
from remit.core.json_value import Json
from remit.core.safe_text import plain

_MARKS: Final = {
    "yes": ("permits more", "bold red"),
    "maybe": ("may permit more", "bold yellow"),
    "no": ("", ""),
}
_SIGNS: Final = {"added": "+", "removed": "-"}


def diff(
    old: str = "",
    new: str = "",
    /,
    *,
    recorded: Switch = False,
    limit: int = 10_000,
    text: Switch = False,
    fail_wider: Switch = False,
) -> int:
    """Compare two versions of the policies in words; whatever may permit more is marked.

    Each of the two is a folder, a number of `remit policy history`, or `in-force`. With one, it is compared
    with what is in force; with none, the server's folder is. Two folders are compared without a server, with
    their tools and task types. A change without a mark permits nothing that was refused before. Where Cedar's
    analyzer is installed (`make proof`), it also says what `remit policy prove` says. For example, read a
    colleague's change before you confirm it.

    Parameters
    ----------
    old
        The version before.
    new
        The version after.
    recorded
        Also show which recorded calls would be decided differently, as `remit policy simulate` does.
    limit
        With `--recorded`: look at this many recorded decisions, the newest first.
    text
        Also show the text of each rule that differs.
    fail_wider
        Exit 2 if a change permits more, or may do so.
    """
    if old and not new:
        old, new = IN_FORCE, old
    if is_folder(old) and is_folder(new):
        if recorded:
            way = "leave out `--recorded`, or one folder"
            raise UsageFault("two folders are compared without a server", remediation=way)
        found = _local(Path(old), Path(new))
    else:
        given = {"before": named(old or IN_FORCE), "after": named(new)}
        found = connect().post("policies", "diff", recorded=recorded, limit=limit, **given)
    found["proof"] = _proof(old, new) if found["changes"] else None
    if terminal.is_json():
        terminal.answer(found)
    else:
        _show(found, text=text)
    return 2 if fail_wider and found["wider"] != "no" else 0


def _proof(old: str, new: str) -> Json:
    """Return what a proof says; None where none can be had."""
    from remit.core.errors import RemitError

    try:
        return proof_of(old, new)
    except RemitError:
        return None


def _local(old: Path, new: Path) -> Json:
    """Compare two bundles by their files alone."""
    from remit.compose import policy_engine
    from remit.config import CONFIG_NAME, load_bundle, load_config
    from remit.services.policy.policy_changes import changes, widest
    from remit.services.tools.pinned_tools import as_last_seen

    bundles, rules = [], []
    for folder in (old, new):
        config = load_config(folder / CONFIG_NAME)
        bundle = load_bundle(config)
        types = list(bundle.task_types.values())
        tools = as_last_seen(bundle, ())
        loaded = policy_engine(config).load(bundle.policies, tools, types, [], bundle.history)
        bundles.append(bundle)
        rules.append(loaded.rules())
    found = changes(bundles[0], bundles[1], rules[0], rules[1])
    return {
        "before": bundles[0].digest,
        "after": bundles[1].digest,
        "wider": widest(found),
        "changes": [msgspec.to_builtins(one) for one in found],
        "recorded": None,
    }


def _show(found: Json, *, text: bool) -> None:
    if not found["changes"]:
        terminal.say("No rule, tool or task type differs.", style="green")
    for one in found["changes"]:
        word, style = _MARKS[one["wider"]]
        terminal.say(
            f"{_SIGNS.get(one['kind'], '~')} ",
            terminal.text("" if one["of"] == "rule" else f"{one['of']} "),
            terminal.text(one["name"], "bold"),
            terminal.text(f"  {word}" if word else "", style),
        )
        terminal.say(f"    {one['words']}", style="dim")
        if text and (one["before"] or one["after"]):
            _show_text(one["before"], one["after"])
    if found["changes"]:
        terminal.say("")
        terminal.say(
            {
                "yes": terminal.text("This change permits more than before.", "bold red"),
                "maybe": terminal.text("This change may permit more than before.", "bold yellow"),
                "no": terminal.text("This change permits nothing that was refused before.", "green"),
            }[found["wider"]],
        )
    if found["proof"]:
        terminal.say("")
        show_proof(found["proof"])
    if found["recorded"]:
        terminal.say("")
        show_simulation(found["recorded"])


def _show_text(before: str, after: str) -> None:
    lines = difflib.ndiff(plain(before, lines=True).splitlines(), plain(after, lines=True).splitlines())
    for line in lines:
        if not line.startswith("?"):
            style = {"+": "green", "-": "red"}.get(line[:1], "dim")
            terminal.copyable(f"      {line}", style=style)
