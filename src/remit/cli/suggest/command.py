# SPDX-License-Identifier: Apache-2.0
"""`remit suggest`: from what was observed to rules that can be enforced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from remit.cli.decisions.confirmation import confirmed
from remit.cli.exit_codes import UsageFault
from remit.cli.global_options import current
from remit.cli.output import terminal
from remit.cli.parser import Several, Switch, verb
from remit.cli.rest_client import Client, connect
from remit.cli.suggest.proposals import Given, Suggestions, suggested
from remit.cli.suggest.screen import show, show_diff, wire

app = verb("suggest")


@app.default
def suggest(
    *,
    since: str = "",
    audience: Several = (),
    data_class: Several = (),
    trusted: Several = (),
    accept: Several = (),
    split: Switch = False,
    diff: Switch = False,
    apply: Switch = False,
    confirm: str = "",
) -> int:
    """Suggest descriptions and grants that fit what was observed, each with its evidence.

    Shows one screen for review and changes nothing. A call that a rule of flow objected to or that a text of
    outsiders led, a value that was seen once, and a tool that was hardly ever called become no permission:
    they are listed. Each task type keeps its name and everything except its grants. For example, observe a
    client for a week, read this screen, add `--apply`, and set `mode: enforce`.

    Parameters
    ----------
    since
        Read only calls from this time on, such as `7d`, `yesterday` or an ISO 8601 time.
    audience
        `UPSTREAM=AUDIENCE`: who learns what is sent to an upstream, if you know it; may be given repeatedly.
    data_class
        `UPSTREAM=CLASS`: the highest data class that an upstream holds (default: the worst).
    trusted
        An upstream whose data no outsider can write; may be given several times.
    accept
        `UPSTREAM/TOOL`: its calls are work although texts of outsiders led them; may be given several times.
    split
        Add a narrower task type for each kind of work, for those who name the type when they open a task.
    diff
        Show how the files in remit's folder would change.
    apply
        Show that, ask you, write the files, check them, and put them in force. Where two administrators must
        agree (`policies.second_person`), the files are proposed to the second one instead.
    confirm
        The digest of the suggestion that you reviewed; needed with `--apply` without a terminal.
    """
    client = connect()
    given = Given(
        since=since,
        audience=_pairs(audience, "--audience"),
        classes=_pairs(data_class, "--data-class"),
        trusted=frozenset(trusted),
        accepted=frozenset(accept),
        split=split,
    )
    made = suggested(client, given)
    if apply:
        return _apply(client, made, confirm)
    if terminal.is_json():
        terminal.answer(wire(made))
    elif diff:
        show_diff(made)
    else:
        options = {
            "--audience": audience,
            "--data-class": data_class,
            "--trusted": trusted,
            "--accept": accept,
        }
        show(made, _same(since, options, split=split))
    return 0


def _same(since: str, options: Mapping[str, Iterable[str]], *, split: bool) -> str:
    """Return the command with the facts that were given, to go on with."""
    words = ["remit suggest", *(["--since", since] if since else [])]
    for option, values in options.items():
        words += [f"{option} {one}" for one in values]
    return " ".join([*words, *(["--split"] if split else [])])


def _pairs(given: tuple[str, ...], option: str) -> dict[str, str]:
    found = {}
    for one in given:
        name, separator, value = one.partition("=")
        if not (separator and name and value):
            raise UsageFault(f"`{one[:80]}` is not a pair", remediation=f"write `{option} UPSTREAM=VALUE`")
        found[name] = value
    return found


# What is applied.


def _apply(client: Client, made: Suggestions, confirm: str) -> int:
    from remit.cli.policy.bundle_status import show_applied, show_unsettled
    from remit.core.errors import ConfigInvalid, RemitError

    if not made.files:
        _say_nothing_new(client)
        return 0
    if not terminal.is_json():
        show_diff(made)
    if not confirmed("Put these files in force?", made.digest, confirm):
        terminal.remark("nothing was changed")
        return 1
    root = current().config_file.parent
    try:
        for one in made.files:
            _write(root / one.name, one.new)
        problems = client.post("policies", "check")["problems"]
        faults = [one for one in problems if one["severity"] == "error"]
        if faults:
            first = faults[0]
            raise ConfigInvalid(first["text"], file=first["file"], remediation=first["remediation"])
        bundle = client.post("policies", "preview")["bundle"]
        told = client.post("policies", "apply", bundle=bundle, reason="remit suggest")
    except (RemitError, OSError):
        # What is in force and what lies in the folder stay the same.
        for one in made.files:
            _restore(root / one.name, one.old)
        raise
    if terminal.is_json():
        shown = {key: told[key] for key in ("digest", "tasks", "proposed")}
        terminal.answer(shown | {"files": [one.name for one in made.files]})
        return 0
    if told["proposed"]:
        show_applied(told, "Still in force")
        return 0
    show_unsettled(told["tasks"])
    terminal.say("In force now: ", terminal.text(told["digest"], "bold"))
    terminal.remark("to refuse instead of observe: set `mode: enforce` in remit.yaml, then `remit reload`")
    return 0


def _say_nothing_new(client: Client) -> None:
    waits = client.get("policies", "history", limit=1)["proposed"]
    if terminal.is_json():
        terminal.answer({"files": [], "proposed": waits["bundle"] if waits else None})
    elif waits:
        terminal.say("The files hold everything that was observed. A second administrator has to confirm it:")
        terminal.copyable(f"  remit policy confirm {waits['bundle']}", style="dim")
    else:
        terminal.remark("everything that was observed is in force already")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _restore(path: Path, old: str) -> None:
    if old:
        path.write_text(old, encoding="utf-8")
    else:
        path.unlink(missing_ok=True)
