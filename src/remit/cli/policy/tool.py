# SPDX-License-Identifier: Apache-2.0
"""`remit tool`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from remit.cli.decisions.confirmation import confirmed
from remit.cli.output import terminal
from remit.cli.parser import noun
from remit.cli.rest_client import connect
from remit.core.errors import ConfigInvalid, NotFound
from remit.core.json_value import Json

_MARKS = ("secret", "sensitive", "personal", "hands_over")

app = noun("tool", "Tools: what each one does, and its changes since the last review.")


@app.command(name="list")
def tools(*, upstream: str = "") -> None:
    """List registered tools. Tools whose state is not `pinned` are refused until a person reviews them.

    For example, find the tool that an upstream's update has changed, and that agents can no longer call.

    Parameters
    ----------
    upstream
        List only the tools of this upstream.
    """
    found = connect().get("tools")
    # The upstreams' order is the order of their answers, which differs at each start.
    items = sorted(
        (one for one in found["items"] if upstream in ("", one["upstream"])), key=lambda one: one["upstream"]
    )
    if terminal.is_json():
        terminal.answer({"items": items})
        return
    terminal.table(
        ("TOOL", "STATE", "TIER", "EFFECT", "AUDIENCE", "RESULTS CARRY", "MODE"),
        (
            (
                one["tool"],
                terminal.state(one["state"]),
                one["tier"],
                one["effect"]
                if one["described"]
                else terminal.text(f"{one['effect']} (not described)", "yellow"),
                one["audience"],
                terminal.label(one["label"]),
                terminal.state("observe") if one["observed"] else "enforce",
            )
            for one in items
        ),
        empty="no tools; is an upstream reachable?",
    )


@app.command(name="show")
def shown(tool: str, /) -> None:
    """Show a tool's description: effect and audience of a call, its results, and its arguments.

    For example, check which arguments can carry data to an external audience before you grant the tool.

    Parameters
    ----------
    tool
        The tool, as `upstream/name`.
    """
    items = connect().get("tools")["items"]
    found = next((one for one in items if one["tool"] == tool), None)
    if found is None:
        raise NotFound(f"tool `{tool}` does not exist", remediation="see `remit tool list`")
    if terminal.is_json():
        terminal.answer(found)
        return
    words = ("production", "financial", "repeats", "single", "sanitizes", "observed")
    terminal.picture(
        terminal.facts(
            [
                ("tool", terminal.text(found["tool"], "bold")),
                ("state", terminal.state(found["state"])),
                (
                    "described",
                    "yes" if found["described"] else terminal.text(_undescribed(tool), "yellow"),
                ),
                ("tier", found["tier"]),
                ("effect", found["effect"]),
                ("audience", found["audience"]),
                ("results carry", terminal.label(found["label"])),
                ("record", found["record"]),
                ("target", found["target"]),
                ("resource", found["resource"]),
                ("asked by", ", ".join(found["asked_by"])),
                ("also", ", ".join(word for word in words if found[word])),
                (
                    "not listed",
                    terminal.text(", ".join(found["unlisted"]) if found["described"] else "", "yellow"),
                ),
                ("not offered", terminal.text(", ".join(found["strange"]), "red")),
                ("says", found["description"]),
            ]
        )
    )
    _described(found)


def _undescribed(tool: str) -> str:
    return f"no: the worst case is assumed; `remit tool suggest {tool.partition('/')[0]}` drafts it"


def _described(found: Json) -> None:
    """Show arguments, fields and variants, as far as there are some."""
    if found["arguments"]:
        rows = ((name, one["role"], ", ".join(_marks(one))) for name, one in found["arguments"].items())
        terminal.say("")
        terminal.table(("ARGUMENT", "ROLE", ""), rows, empty="")
    if found["fields"]:
        fields = ((one["path"], terminal.label(one["label"]), _rules(one["when"])) for one in found["fields"])
        terminal.say("")
        terminal.table(("FIELD", "CARRIES", "WHERE"), fields, empty="")
    if found["when"]:
        variants = ((_rules(one["arguments"]), one["effect"], one["audience"]) for one in found["when"])
        terminal.say("")
        terminal.table(("WHERE", "EFFECT", "AUDIENCE"), variants, empty="")


def _marks(one: Json) -> Iterator[str]:
    """Yield what is special about an argument, and in which calls it is less."""
    yield from (mark.replace("_", " ") for mark in _MARKS if one.get(mark))
    if one["least"]:
        yield f"least: {terminal.compact(one['least'])}"
    if one["within"]:
        yield f"within {one['within']}"
    for case in one["when"]:
        less = [case["role"]] if case["role"] != one["role"] else []
        less += [f"not {mark.replace('_', ' ')}" for mark in _MARKS if one[mark] and not case.get(mark, True)]
        yield f"{' and '.join(less)} where {_rules(case['arguments'])}"


def _rules(rules: Json) -> str:
    return ", ".join(f"{name}: {terminal.compact(rule)}" for name, rule in rules.items())


@app.command(name="suggest")
def suggest(
    upstream: str,
    /,
    *,
    out: Path | None = None,
    all_: Annotated[bool, Parameter(name="--all")] = False,
    audience: str = "",
    data_class: Annotated[str, Parameter(name="--class")] = "",
    force: bool = False,
) -> int:
    """Draft a file for `tools/` from an upstream's descriptions of its tools, for your review.

    The draft states the reason of each guess and marks each guess that needs a review. An upstream's own
    claims never make a guess more favourable; without any indication the worst case stays. For example, add a
    server with forty tools and review forty guesses instead of writing forty descriptions.

    Parameters
    ----------
    upstream
        The upstream, as named in `remit.yaml`.
    out
        The file to write, such as `tools/mail.yaml`; without it, the draft is printed.
    all_
        Also draft tools that are already described.
    audience
        The audience of data sent to these tools, if you know it: `self`, `internal` or `group:NAME`. A tool
        that leads outside stays `external`.
    data_class
        The highest data class that the upstream holds, if you know it.
    force
        Overwrite the file.
    """
    if out is not None and out.exists() and not force:
        raise ConfigInvalid(
            "already exists",
            file=str(out),
            remediation="give another file (an upstream may have several), or add `--force`",
        )
    found = connect().get("tools", upstream, "draft", audience=audience, data_class=data_class, every=all_)
    if out is not None and found["text"]:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(found["text"], encoding="utf-8")
    if terminal.is_json():
        terminal.answer({**found, "file": str(out) if out and found["text"] else None})
        return 0
    if not found["text"]:
        terminal.remark(f"every tool of `{upstream}` is described; `--all` drafts them again")
    elif out is None:
        sys.stdout.write(found["text"])
    else:
        count = sum(one["review"] for one in found["tools"])
        terminal.say("Wrote ", terminal.text(str(out), "bold"), f": {len(found['tools'])} tools")
        terminal.say(
            f"{count} guesses are marked `# review`; then `remit policy check` and `remit policy apply`"
        )
    for name in found["unnamed"]:
        terminal.remark(f"no file can hold the name `{name}`; the tool remains undescribed")
    return 0


@app.command(name="diff")
def diff(tool: str, /) -> int:
    """Show how an upstream's current offer of a tool differs from the accepted one; exits 1 if it does.

    For example, see whether an update changed only the wording of a description, or hid instructions in it.

    Parameters
    ----------
    tool
        The tool, as `upstream/name`.
    """
    found = connect().get("tools", tool, "diff")
    if terminal.is_json():
        terminal.answer(found)
    else:
        _lines(found)
    return 1 if found["changed"] else 0


@app.command(name="accept")
def accept(tool: str, /, *, confirm: str = "") -> int:
    """Accept an upstream's current offer of a tool. Shows the difference first and asks you.

    For example, accept a new optional argument after you have reviewed it, so that agents can call the tool
    again.

    Parameters
    ----------
    tool
        The tool, as `upstream/name`.
    confirm
        The digest of the offer that you reviewed; needed without a terminal.
    """
    client = connect()
    found = client.get("tools", tool, "diff")
    if not terminal.is_json():
        _lines(found)
    if not confirmed("Accept this?", found["offered_digest"], confirm):
        terminal.remark("nothing was accepted")
        return 1
    accepted = client.post("tools", tool, "accept", digest=found["offered_digest"])
    if terminal.is_json():
        terminal.answer(accepted)
    else:
        terminal.say(
            "Accepted ", terminal.text(accepted["tool"], "bold"), "  ", terminal.state(accepted["state"])
        )
    return 0


def _lines(found: Json) -> None:
    if not found["changed"]:
        terminal.say(found["tool"], terminal.text("is unchanged since it was accepted", "green"))
        return
    terminal.say(terminal.text(found["tool"], "bold"), " has changed since it was accepted:")
    for line in found["lines"]:
        style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "dim")
        terminal.say(terminal.text(line, style))
    for name in ("accepted", "offered"):
        terminal.copyable(terminal.text(f"{name:<10}", "dim"), found[f"{name}_digest"])
