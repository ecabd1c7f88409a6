# SPDX-License-Identifier: Apache-2.0
"""`remit suggest`: from what was observed to rules that can be enforced."""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from remit.cli.decisions.confirmation import confirmed
from remit.cli.exit_codes import UsageFault
from remit.cli.global_options import current
from remit.cli.output import terminal
from remit.cli.parser import Several, Switch, verb
from remit.cli.rest_client import Client, connect
from remit.core.canonical import digest
from remit.core.json_value import Json

if TYPE_CHECKING:
    from remit.core.tools.suggestions import GrantDraft, ObservedCall, ToolDraft, TypeDraft

app = verb("suggest")

PAGE: Final = 1_000
#: Rules that judge what the call is and carries, by labels and effects that may be assumed as yet. They hold
#: whatever is granted, so their objection says nothing of what the work needs.
_BESIDE: Final = ("tools/", "data/", "effects/", "identity/")
_KINDS: Final = "task.opened,decision.made"


class FileChange(msgspec.Struct, frozen=True):
    """A file as it is, and as it is suggested; an empty `old` is a new file."""

    name: str
    old: str
    new: str


class Suggestions(msgspec.Struct, frozen=True, kw_only=True):
    """What is suggested: drafts of task types and of tools, and the files that hold them.

    `kept` are task types that are left as they are, each with the reason.
    """

    types: tuple[TypeDraft, ...]
    tools: dict[str, tuple[ToolDraft, ...]]
    files: tuple[FileChange, ...]
    kept: dict[str, str]
    calls: int

    @property
    def digest(self) -> str:
        """The digest of the suggested files, which a person confirms."""
        return digest([[one.name, one.old, one.new] for one in self.files])


@app.default
def suggest(
    *,
    since: str = "",
    audience: Several = (),
    data_class: Several = (),
    trusted: Several = (),
    diff: Switch = False,
    apply: Switch = False,
    confirm: str = "",
) -> int:
    """Suggest descriptions and grants that fit what was observed, each with its evidence.

    Shows one screen for review and changes nothing. A call that a rule of flow objected to, a value that was
    seen once, and a tool that was hardly ever called become no permission: they are listed. Each task type
    keeps its name and everything except its grants. For example, observe a client for a week, read this
    screen, add `--apply`, and set `mode: enforce`.

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
    diff
        Show how the files in remit's folder would change.
    apply
        Show that, ask you, write the files, check them, and put them in force.
    confirm
        The digest of the suggestion that you reviewed; needed with `--apply` without a terminal.
    """
    client = connect()
    made = _suggested(
        client, since, _pairs(audience, "--audience"), _pairs(data_class, "--data-class"), trusted
    )
    if apply:
        return _apply(client, made, confirm)
    if terminal.is_json():
        terminal.answer(_wire(made))
    elif diff:
        _show_diff(made)
    else:
        _show(made, _same(since, audience, data_class, trusted))
    return 0


def _same(since: str, audience: Iterable[str], data_class: Iterable[str], trusted: Iterable[str]) -> str:
    """Return the command with the facts that were given, to go on with."""
    words = ["remit suggest", *(["--since", since] if since else [])]
    for option, values in (("--audience", audience), ("--data-class", data_class), ("--trusted", trusted)):
        words += [f"{option} {one}" for one in values]
    return " ".join(words)


def _pairs(given: tuple[str, ...], option: str) -> dict[str, str]:
    found = {}
    for one in given:
        name, separator, value = one.partition("=")
        if not (separator and name and value):
            raise UsageFault(f"`{one[:80]}` is not a pair", remediation=f"write `{option} UPSTREAM=VALUE`")
        found[name] = value
    return found


# What was observed.


def _observed(client: Client, since: str) -> list[ObservedCall]:
    """Return the calls in the evidence, with the type of their task."""
    from remit.cli.evidence.time_bounds import time_of
    from remit.core.tools.suggestions import ObservedCall

    at = time_of(since, "--since")
    kinds: dict[str, str] = {one["id"]: one["type"] for one in _all(client, "tasks")}
    found: list[ObservedCall] = []
    start: int | None = 0
    while start is not None:
        wanted = {"kinds": _KINDS, "since": at.isoformat() if at is not None else None}
        page = client.get("events", start=start, limit=PAGE, **wanted)
        for event in page["items"]:
            facts, task = event.get("facts", {}), event.get("task", "")
            if event.get("kind") == "task.opened":
                kinds[task] = facts.get("task_type", "")
            arguments = event.get("values", {}).get("arguments")
            # Values that can no longer be read, and arguments that were kept as a digest, are no evidence.
            if event.get("kind") != "decision.made" or not isinstance(arguments, dict) or not kinds.get(task):
                continue
            rules = [str(rule[0]) for rule in facts.get("rules", ()) if rule]
            permitted = facts["outcome"] == "permit"
            found.append(
                ObservedCall(
                    tool=facts["tool"],
                    arguments=arguments,
                    task=task,
                    task_type=kinds[task],
                    agent=event.get("agent", ""),
                    at=event["at"],
                    permitted=permitted or bool(facts.get("observed")),
                    objections=()
                    if permitted
                    else tuple(one for one in rules if not one.startswith(_BESIDE)),
                )
            )
        start = page["next"]
    return found


def _all(client: Client, *path: str) -> list[Json]:
    return list(client.get(*path)["items"])


# What is suggested.


def _suggested(
    client: Client,
    since: str,
    audience: Mapping[str, str],
    classes: Mapping[str, str],
    trusted: Iterable[str],
) -> Suggestions:
    from remit.core.errors import NotFound
    from remit.core.tools.suggestions import grants_of, grants_text, with_grants

    calls = _observed(client, since)
    if not calls:
        raise NotFound(
            "no calls were observed", remediation="use the client for a while, then run this command again"
        )
    known = {one["tool"]: one for one in _all(client, "tools")}
    surfaces = {tool: _surface(client, tool) for tool in sorted({one.tool for one in calls}) if tool in known}
    required = {tool: _required(surface) for tool, surface in surfaces.items()}
    by_type: dict[str, list[ObservedCall]] = defaultdict(list)
    for one in calls:
        by_type[one.task_type].append(one)
    types, files, kept = [], [], {}
    folder = _Folder()
    for view in _all(client, "task-types"):
        name = view["name"]
        draft = grants_of(name, by_type.pop(name, ()), required, view["tools"])
        if not draft.calls:
            kept[name] = "no calls"
            continue
        types.append(draft)
        if view["parameters"]:
            kept[name] = "its parameters narrow it already"
        elif (place := folder.type_file(name)) is None:
            kept[name] = "no file in tasks/ holds it"
        else:
            new = _softened(with_grants(place.old, grants_text(draft)), view)
            files.append(FileChange(place.name, place.old, new))
    kept |= dict.fromkeys(by_type, "no such type any more")
    bare = {tool: surface for tool, surface in surfaces.items() if not known[tool]["described"]}
    tools = _drafts(bare, calls, audience, classes, set(trusted))
    files += [folder.tool_file(upstream, drafts) for upstream, drafts in tools.items()]
    changed = tuple(one for one in files if one.old != one.new)
    return Suggestions(types=tuple(types), tools=tools, files=changed, kept=kept, calls=len(calls))


def _surface(client: Client, tool: str) -> dict[str, Json]:
    from remit.core.errors import NotFound

    try:
        return dict(client.get("tools", tool, "diff")["accepted"])
    except NotFound:
        return {}


def _required(surface: Mapping[str, Json]) -> tuple[str, ...]:
    schema = surface.get("inputSchema")
    wanted = schema.get("required") if isinstance(schema, dict) else None
    return tuple(str(one) for one in wanted) if isinstance(wanted, list) else ()


def _drafts(
    bare: Mapping[str, dict[str, Json]],
    calls: Iterable[ObservedCall],
    audience: Mapping[str, str],
    classes: Mapping[str, str],
    trusted: set[str],
) -> dict[str, tuple[ToolDraft, ...]]:
    """Draft the undescribed tools that were called, by upstream."""
    from remit.core.tools.suggestions import Guess, UpstreamFacts, drafted, with_observed
    from remit.core.tools.tool import Tool, is_tool_name

    top = current().load_config().data_classes.top
    uses: dict[str, dict[str, list[Json]]] = defaultdict(lambda: defaultdict(list))
    for one in calls:
        for name, value in one.arguments.items():
            uses[one.tool][name].append(value)
    found: dict[str, list[ToolDraft]] = defaultdict(list)
    for tool, surface in bare.items():
        upstream, _, name = tool.partition("/")
        if not is_tool_name(name):
            continue
        facts = UpstreamFacts(audience=audience.get(upstream, ""), data_class=classes.get(upstream, ""))
        draft = with_observed(
            drafted(Tool(upstream=upstream, name=name, surface=surface), facts, top), uses[tool]
        )
        if upstream in trusted:
            given = Guess("trusted", "as given for this upstream")
            draft = msgspec.structs.replace(draft, trust=given)
        found[upstream].append(draft)
    return {upstream: tuple(drafts) for upstream, drafts in found.items()}


def _softened(text: str, view: Json) -> str:
    """Return a type's file with `without_words: ask`, where no person ever states what its tasks are for."""
    alone = not view["requires_person"] and all(one.startswith("agent:") for one in view["requested_by"])
    if not alone or re.search(r"^without_words:", text, re.MULTILINE):
        return text
    line = "# remit never sees the words of the person: what only words could permit is asked about."
    return re.sub(
        r"^# Suggested from ", f"{line}\nwithout_words: ask\n\\g<0>", text, count=1, flags=re.MULTILINE
    )


class _Folder:
    """remit's folder: where files of task types and of tools are, and go."""

    def __init__(self) -> None:
        config = current().load_config()
        self._root = current().config_file.parent
        self._tasks, self._tools = config.tasks, config.tools

    def type_file(self, name: str) -> FileChange | None:
        """Return the file of a task type."""
        line = re.compile(rf"^task:[ \t]*[\"']?{re.escape(name)}[\"']?[ \t]*(?:#.*)?$", re.MULTILINE)
        for path in sorted((self._root / self._tasks).rglob("*.y*ml")):
            text = path.read_text(encoding="utf-8")
            if line.search(text):
                return FileChange(path.relative_to(self._root).as_posix(), text, text)
        return None

    def tool_file(self, upstream: str, drafts: tuple[ToolDraft, ...]) -> FileChange:
        """Return a new file that describes tools: no file of a person is changed."""
        from remit.core.tools.suggestions import tools_text

        number, name = 1, f"{self._tools}/{upstream}.yaml"
        while (self._root / name).exists():
            number += 1
            name = f"{self._tools}/{upstream}-{number}.yaml"
        return FileChange(name, "", tools_text(upstream, drafts))


# What is shown.


def _show(made: Suggestions, command: str) -> None:
    for one in made.types:
        _show_type(one, made.kept.get(one.name, ""))
    if made.tools:
        terminal.say("")
        rows = (
            (
                f"{upstream}/{draft.name}",
                draft.effect.value,
                draft.audience.value,
                f"{draft.data_class.value}, {draft.trust.value}",
                terminal.text(str(draft.to_review) if draft.to_review else "", "yellow"),
            )
            for upstream, drafts in made.tools.items()
            for draft in drafts
        )
        terminal.table(("NEWLY DESCRIBED", "EFFECT", "AUDIENCE", "RESULTS", "TO REVIEW"), rows, empty="")
        _show_unsaid(made, command)
    idle = [name for name, why in made.kept.items() if why == "no calls"]
    if idle:
        terminal.say("")
        terminal.say("Not used: ", ", ".join(idle), style="dim")
    terminal.say("")
    if not made.files:
        terminal.say("Everything that was observed is in force already.")
        return
    terminal.say("Nothing is changed yet. ", f"{terminal.counted(len(made.files), 'file')} would change:")
    terminal.copyable(f"  {command} --diff", style="dim")
    terminal.copyable(f"  {command} --apply", style="dim")


def _show_unsaid(made: Suggestions, command: str) -> None:
    """Say which upstreams have the worst properties only because nothing is known of them."""
    options: list[str] = []
    distrusted: list[str] = []
    for upstream, drafts in made.tools.items():
        if any(one.audience.review for one in drafts):
            options.append(f"--audience {upstream}=internal")
        if any(one.data_class.review for one in drafts):
            options.append(f"--data-class {upstream}=internal")
        if any(one.trust.review for one in drafts):
            distrusted.append(upstream)
    if options:
        terminal.say("")
        terminal.say(
            "The worst is assumed of these until you say who learns what is sent there, and what it holds:"
        )
        terminal.copyable(f"  {command} {' '.join(options)}", style="dim")
    if distrusted:
        terminal.say(
            "Outsiders may have written what comes from ",
            terminal.text(", ".join(distrusted), "bold"),
            "; if none can, add `--trusted UPSTREAM`.",
        )


def _show_type(one: TypeDraft, kept: str) -> None:
    head = f"  {one.calls:,} calls in {one.tasks:,} tasks of {', '.join(one.agents)}"
    terminal.say(terminal.text(one.name, "bold"), head)
    if kept:
        terminal.say(f"its file stays as it is: {kept}", style="yellow")
    rows = (
        (grant.tool, f"{grant.calls:,}", f"{grant.tasks:,}", name, _limit(grant, name))
        for grant in one.grants
        for name in (tuple(grant.arguments) or ("",))
    )
    terminal.table(("GRANTED", "CALLS", "TASKS", "ARGUMENT", "LIMITED TO"), _once(rows), empty="no grants")
    notes = (
        ("Drop, unused", one.unused),
        ("Not granted, hardly ever called", tuple(f"{tool} ({count})" for tool, count in one.rare.items())),
        ("Not granted, objected to", tuple(f"{tool} ({count})" for tool, count in one.objected.items())),
        (
            "Left out, seen once",
            tuple(
                f"{grant.tool} {name} {value[:60]}"
                for grant in one.grants
                for name, made in grant.arguments.items()
                for value in made.left_out[:3]
            ),
        ),
    )
    for what, names in notes:
        if names:
            terminal.say(terminal.text(f"{what}: ", "yellow"), ", ".join(names))


def _limit(grant: GrantDraft, name: str) -> object:
    if not name:
        return ""
    made = grant.arguments[name]
    return terminal.text(made.why, "yellow" if made.free else "")


def _once(rows: Iterable[tuple[object, ...]]) -> Iterator[tuple[object, ...]]:
    """Yield rows in which a tool is named once."""
    before: object = None
    for tool, calls, tasks, *rest in rows:
        yield ("", "", "", *rest) if tool == before else (tool, calls, tasks, *rest)
        before = tool


def _show_diff(made: Suggestions) -> None:
    for one in made.files:
        for line in difflib.unified_diff(
            one.old.splitlines(), one.new.splitlines(), f"a/{one.name}", f"b/{one.name}", lineterm=""
        ):
            style = "green" if line[:1] == "+" else "red" if line[:1] == "-" else "dim"
            terminal.copyable(line, style=style)


def _wire(made: Suggestions) -> Json:
    return {
        "digest": made.digest,
        "calls": made.calls,
        "task_types": [
            {
                "name": one.name,
                "agents": one.agents,
                "calls": one.calls,
                "tasks": one.tasks,
                "grants": [
                    {
                        **grant.spec,
                        "calls": grant.calls,
                        "tasks": grant.tasks,
                        "last": grant.last,
                        "evidence": {name: value.why for name, value in grant.arguments.items()},
                        "unlimited": grant.free,
                        "left_out": {
                            name: value.left_out for name, value in grant.arguments.items() if value.left_out
                        },
                    }
                    for grant in one.grants
                ],
                "unused": one.unused,
                "rare": one.rare,
                "objected": one.objected,
            }
            for one in made.types
        ],
        "kept": made.kept,
        "files": [{"file": one.name, "old": one.old, "new": one.new} for one in made.files],
    }


# What is applied.


def _apply(client: Client, made: Suggestions, confirm: str) -> int:
    from remit.cli.policy.bundle_status import show_unsettled
    from remit.core.errors import ConfigInvalid, RemitError

    if not made.files:
        terminal.remark("everything that was observed is in force already")
        return 0
    if not terminal.is_json():
        _show_diff(made)
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
        told = client.post("policies", "apply", bundle=bundle)
    except (RemitError, OSError):
        # What is in force and what lies in the folder stay the same.
        for one in made.files:
            _restore(root / one.name, one.old)
        raise
    if terminal.is_json():
        terminal.answer(
            {"digest": told["digest"], "files": [one.name for one in made.files], "tasks": told["tasks"]}
        )
        return 0
    show_unsettled(told["tasks"])
    terminal.say("In force now: ", terminal.text(told["digest"], "bold"))
    terminal.remark("to refuse instead of observe: set `mode: enforce` in remit.yaml, then `remit reload`")
    return 0


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _restore(path: Path, old: str) -> None:
    if old:
        path.write_text(old, encoding="utf-8")
    else:
        path.unlink(missing_ok=True)
