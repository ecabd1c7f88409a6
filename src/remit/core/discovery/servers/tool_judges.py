# SPDX-License-Identifier: Apache-2.0
"""Judges of declared tools: their text, their changes, their names and their arguments."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from remit.core.canonical import digest
from remit.core.credentials.known_secrets import without_secrets
from remit.core.discovery.declared import DeclaredTool
from remit.core.discovery.discovered import MOST_PLACES, Discovered
from remit.core.discovery.servers.instructions import Sign, is_poisoned, signs_in, weight_of
from remit.core.discovery.servers.meaning_forms import SignKind
from remit.core.discovery.servers.tool_text import folded
from remit.core.errors import RemitError
from remit.core.findings.kinds import FindingKind, Severity
from remit.core.json_value import Json
from remit.core.safe_text import plain
from remit.core.tools.suggestions import vocabulary
from remit.core.tools.suggestions.inference import argument
from remit.core.tools.suggestions.schema import SchemaPart, parts
from remit.core.tools.tool import Effect

#: Texts of one tool that are judged.
MAX_TEXTS: Final = 400
_DEPTH: Final = 12
_SHORTEST_NAME: Final = 6
_SPEAKS: Final = frozenset(
    {SignKind.OTHER_TOOLS, SignKind.REDIRECT, SignKind.OVERRIDE, SignKind.CONCEAL, SignKind.HANDOVER}
)
_ORDERS: Final = re.compile(
    r"\b(?:do not use|don't use|never use|instead of|rather than|replaces?|deprecated|"
    r"insecure|broken|compromised|must|always|before|after|whenever)\b"
)
_FIELDS: Final = ("description", "title", "default", "const", "$comment", "examples")


def tool_key(tool: DeclaredTool) -> str:
    """Return the key of a tool over scans: its file, server and name."""
    return f"{tool.place.file}#{tool.server}/{tool.name}"


def tool_digests(tools: Sequence[DeclaredTool]) -> dict[str, str]:
    """Return the digest of each tool by its key, for a later scan to compare with."""
    return {tool_key(one): _digest(one) for one in tools}


def _digest(tool: DeclaredTool) -> str:
    try:
        return digest(
            {"description": tool.description, "schema": tool.schema, "annotations": tool.annotations}
        )
    except (RemitError, ValueError, TypeError, RecursionError):
        return digest({"description": repr(tool.description), "schema": repr(tool.schema)[:100_000]})


def poisoned(tool: DeclaredTool) -> Discovered | None:
    """Return the finding of a tool whose text holds instructions, or hides something."""
    worst: tuple[list[Sign], str] | None = None
    for where, text in _texts(tool):
        found = signs_in(text, parameter=where != "description")
        if is_poisoned(found) and (worst is None or weight_of(found) > weight_of(worst[0])):
            worst = (found, where)
    if worst is None:
        return None
    signs, where = worst
    told = list(dict.fromkeys(one.kind.value for one in sorted(signs, key=lambda one: -one.weight)))[:4]
    return Discovered(
        kind=FindingKind.POISONED_TOOL,
        about=_about(tool),
        # Who has accepted one text has not accepted another one.
        which=f"{tool.server}/{tool.name} {_digest(tool)[:16]}",
        says=plain(f"the {where} of tool `{tool.name}` {_in_words(told)}"),
        places=(tool.place,),
        evidence={
            "where": plain(where),
            "signs": [plain(f"{one.kind.value}: {without_secrets(one.excerpt)}") for one in signs[:8]],
        },
        steps=("the client gives the text to its model as it stands", "the model follows it in any task"),
        remediation=f"disconnect `{plain(tool.server or tool.name)}` until its publisher has "
        "explained the text",
    )


def _in_words(told: list[str]) -> str:
    verbs = [f"holds {one}" if one == SignKind.HIDDEN.value else one for one in told]
    return verbs[0] if len(verbs) == 1 else f"{', '.join(verbs[:-1])} and {verbs[-1]}"


def _about(tool: DeclaredTool) -> str:
    return f"server:{tool.server}" if tool.server else f"tool:{tool.name}"


def _texts(tool: DeclaredTool) -> Iterator[tuple[str, str]]:
    """Yield the texts of a tool that a model reads, with where they stand."""
    yield "description", tool.description
    for name, value in tool.annotations.items():
        if isinstance(value, str):
            yield f"annotation `{name[:60]}`", value
    waiting: list[tuple[str, Json, int]] = [("", tool.schema, 0)]
    for _ in range(MAX_TEXTS * 10):
        if not waiting:
            return
        name, value, depth = waiting.pop()
        if isinstance(value, list) and depth < _DEPTH:
            waiting += [(name, one, depth + 1) for one in value[:200]]
        if not isinstance(value, dict) or depth >= _DEPTH:
            continue
        for key, one in value.items():
            if isinstance(one, str):
                if key in _FIELDS:
                    yield f"parameter `{name[:60]}`", one
            else:
                waiting.append(
                    (name if key in ("properties", "items", "$defs", "anyOf") else str(key), one, depth + 1)
                )
        if len(name) > 40 and " " in name:
            yield "name of a parameter", name


def changed(tool: DeclaredTool, earlier: Mapping[str, str]) -> Discovered | None:
    """Return the finding of a tool that is not as an earlier scan saw it."""
    before, now = earlier.get(tool_key(tool)), _digest(tool)
    if before is None or before == now:
        return None
    return Discovered(
        kind=FindingKind.TOOL_CHANGED,
        about=_about(tool),
        which=f"{tool.server}/{tool.name} {now}",
        says=plain(f"tool `{tool.name}` has another description or schema than in an earlier scan"),
        places=(tool.place,),
        evidence={"before": before, "now": now},
        remediation="compare both descriptions, then accept the change",
    )


def shadowed(tools: Sequence[DeclaredTool]) -> Iterator[Discovered]:
    """Yield names that two servers of one file offer, and orders about the tools of other servers."""
    by_file: dict[str, list[DeclaredTool]] = defaultdict(list)
    for tool in tools:
        if tool.server:
            by_file[tool.place.file].append(tool)
    for those in by_file.values():
        owners: dict[str, dict[str, DeclaredTool]] = defaultdict(dict)
        for tool in those:
            owners[folded(tool.name)].setdefault(tool.server, tool)
        for servers in owners.values():
            if len(servers) > 1:
                yield _same_name(list(servers.values()))
        yield from _spoken_of(those, owners)


def _same_name(tools: list[DeclaredTool]) -> Discovered:
    first = tools[0]
    servers = ", ".join(f"`{one.server}`" for one in tools[:6])
    return Discovered(
        kind=FindingKind.SHADOWED_NAME,
        about=f"tool:{first.name}",
        which=" ".join(sorted(one.server for one in tools)),
        says=plain(f"tool `{first.name}` is offered by several servers of one client: {servers}"),
        places=tuple(one.place for one in tools[:MOST_PLACES]),
        severity=Severity.MEDIUM,
        remediation="rename or remove one of them; behind remit each name begins with its server's",
    )


def _spoken_of(
    tools: list[DeclaredTool], owners: Mapping[str, Mapping[str, DeclaredTool]]
) -> Iterator[Discovered]:
    names = {
        name: servers
        for name, servers in owners.items()
        if len(name) >= _SHORTEST_NAME and len(vocabulary.tokens(next(iter(servers.values())).name)) > 1
    }
    if not names:
        return
    form = re.compile(
        r"(?<![\w-])(?:"
        + "|".join(re.escape(one) for one in sorted(names, key=len, reverse=True))
        + r")(?![\w-])"
    )
    for tool in tools:
        text = folded(tool.description)
        for found in form.finditer(text):
            theirs = names[found[0]]
            if tool.server in theirs:
                continue
            near = text[max(0, found.start() - 120) : found.end() + 120]
            orders = _ORDERS.search(near) or any(one.kind in _SPEAKS for one in signs_in(tool.description))
            if orders:
                other = next(iter(theirs.values()))
                yield Discovered(
                    kind=FindingKind.SHADOWED_NAME,
                    about=_about(tool),
                    which=f"{tool.server}/{tool.name} of {other.server}/{other.name}",
                    says=plain(
                        f"tool `{tool.name}` of `{tool.server}` gives orders about `{other.name}` "
                        f"of `{other.server}`"
                    ),
                    places=(tool.place, other.place),
                    evidence={"words": plain(without_secrets(near))},
                    remediation=f"remove `{plain(tool.server)}`, or have its publisher explain the text",
                )
                break


def unbounded(tools: Sequence[DeclaredTool]) -> Iterator[Discovered]:
    """Yield, for each server, the arguments that take code, commands and addresses without a limit."""
    found: dict[str, list[tuple[DeclaredTool, SchemaPart, str]]] = defaultdict(list)
    for tool in tools:
        name = vocabulary.tokens(tool.name)
        for part in parts(tool.schema):
            if part.leaf and "string" in part.types and not _is_bounded(part):
                guess = argument(part, name, Effect.IRREVERSIBLE)
                if guess.role.value == "code":
                    found[_about(tool)].append((tool, part, "code"))
                elif guess.word in ("path", "file", "filename", "filepath") or guess.word in ("url", "uri"):
                    found[_about(tool)].append((tool, part, "place"))
    for about, those in found.items():
        code = [one for one in those if one[2] == "code"]
        shown = [f"{tool.name}({part.path})" for tool, part, _ in (code or those)]
        what = "code or commands" if code else "paths or addresses"
        yield Discovered(
            kind=FindingKind.UNBOUNDED_ARGUMENTS,
            about=about,
            which="arguments",
            says=plain(
                f"any caller chooses {what} in {', '.join(shown[:5])}{' ...' if len(shown) > 5 else ''}"
            ),
            places=tuple(dict.fromkeys(tool.place for tool, _, _ in those))[:MOST_PLACES],
            severity=Severity.MEDIUM if code else Severity.LOW,
            evidence={"arguments": [plain(one) for one in shown[:50]]},
            remediation="draft descriptions with `remit suggest`, and bound these arguments in a task type",
        )


def _is_bounded(part: SchemaPart) -> bool:
    about = part.about
    return isinstance(about.get("enum"), list) or "const" in about or isinstance(about.get("pattern"), str)
