# SPDX-License-Identifier: Apache-2.0
"""`remit finding`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.text import Text

from remit.cli.global_options import current
from remit.cli.output import terminal
from remit.cli.parser import Several, Switch, noun
from remit.cli.rest_client import connect
from remit.core.json_value import Json

if TYPE_CHECKING:
    from remit.cli.findings.fix import DraftChange
    from remit.core.discovery.fix_drafts import FixDraft
    from remit.core.findings.finding import Finding

app = noun("finding", "Findings: observations that need an explanation, and how they are closed.")

_COLORS = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "dim"}


@app.command(name="list")
def listed(
    *,
    about: str | None = None,
    state: Literal["open", "accepted", "false", "resolved"] = "open",
    resolved: Switch = False,
    severity: Literal["critical", "high", "medium", "low"] | None = None,
    owner: str | None = None,
    kind: str | None = None,
) -> None:
    """List open findings, the most severe first; without a role, those about your own agents.

    For example, see whether an agent's key is in use in two places, which means that a copy of it exists.

    Parameters
    ----------
    about
        List only findings about this, as `agent:name`.
    state
        List the findings in this state.
    resolved
        List the findings that were resolved instead.
    severity
        List only findings of this severity.
    owner
        List only findings of this owner, as the scan named it.
    kind
        List only findings of this kind, such as `secret-exposed`.
    """
    found = connect().get(
        "findings",
        about=about,
        state="resolved" if resolved else state,
        severity=severity,
        owner=owner,
        kind=kind,
    )
    if terminal.is_json():
        terminal.answer(found)
        return
    ranks = list(_COLORS)
    terminal.table(
        ("FINDING", "SEVERITY", "KIND", "ABOUT", "OWNER", "SEEN", "LAST"),
        (
            (
                one["id"],
                terminal.text(one["severity"], _COLORS[one["severity"]]),
                terminal.text(one["kind"], "" if one["state"] == "open" else "dim"),
                one["about"],
                one["owner"],
                str(one["count"]),
                terminal.moment(one["last_seen"]),
            )
            for one in sorted(found["items"], key=lambda one: ranks.index(one["severity"]))
        ),
        empty="no findings",
    )
    if found["items"]:
        terminal.say("`remit finding show FINDING` shows what was seen and what to do", style="dim")


@app.command(name="show")
def shown(finding: str, /) -> None:
    """Show a finding: what was observed, and how to deal with it.

    For example, read what happened before you decide between `remit finding resolve` and `remit lock`.

    Parameters
    ----------
    finding
        The finding's id, from `remit finding list`.
    """
    _one(connect().get("findings", finding))


@app.command(name="resolve")
def resolve(finding: str, resolution: str, /) -> None:
    """Mark a finding as resolved. If it is observed again, it opens again.

    For example, resolve the finding about a changed manifest once you have reviewed the change and registered
    the new digest.

    Parameters
    ----------
    finding
        The finding's id, from `remit finding list`.
    resolution
        How it was resolved; it goes into the evidence.
    """
    _one(connect().post("findings", finding, "resolve", resolution=resolution))


@app.command(name="accept")
def accepted(finding: str, reason: str, /, *, until: str) -> None:
    """Take the risk of a finding until a day, with a reason. It opens again then, or when its facts change.

    For example, accept the password of a test database until the tests have moved.

    Parameters
    ----------
    finding
        The finding's id, from `remit finding list`.
    reason
        Why the risk is taken; it goes into the evidence.
    until
        The last day, as `2027-01-31`, or a time; at most a year from now.
    """
    _one(connect().post("findings", finding, "accept", reason=reason, until=_moment(until).isoformat()))


def _moment(text: str) -> datetime:
    from remit.core.errors import Malformed

    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Malformed(
            f"`{text[:40]}` is neither a day nor a time", remediation="write it as `2027-01-31`"
        ) from None
    whole = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    return whole + timedelta(days=1) if len(text) == len("2027-01-31") else whole


@app.command(name="false")
def rejected(finding: str, reason: str, /) -> None:
    """Say that a finding is none, with a reason. It opens again only when its facts change.

    For example, mark a password in a document as an example.

    Parameters
    ----------
    finding
        The finding's id, from `remit finding list`.
    reason
        Why it is none; it goes into the evidence.
    """
    _one(connect().post("findings", finding, "false", reason=reason))


@app.command(name="reopen")
def reopened(finding: str, reason: str, /) -> None:
    """Open a finding again that was accepted, called false or resolved.

    For example, take an acceptance back before its time is over.

    Parameters
    ----------
    finding
        The finding's id, from `remit finding list`.
    reason
        Why it is a question again; it goes into the evidence.
    """
    _one(connect().post("findings", finding, "reopen", reason=reason))


@app.command(name="fix")
def fixed(
    finding: str,
    /,
    *,
    apply: Switch = False,
    name: str = "",
    server: str = "",
    command: Several = (),
    tool: str = "query",
    argument: str = "sql",
    table: Several = (),
    agent: str = "",
    requested_by: str = "",
    version: str = "",
    root: Path = Path("."),
    remove_secret: Switch = False,
    yes: Switch = False,
) -> None:
    """Draft the governed replacement of what a finding is about: print it as a patch, or apply it.

    A credential becomes a source in `remit.yaml` that leases one to each task, with a tool and a task type; a
    server of a client is put behind remit; a package gets its version. For example, replace a database
    password of a prompt by a role for each task.

    Parameters
    ----------
    finding
        The finding's id, from `remit finding list`.
    apply
        Write the draft, after it has been read with the real readers.
    name
        Name of the new upstream.
    server
        Address of the MCP server that uses the credential.
    command
        Its command instead, one word each; may be given several times.
    tool
        The server's tool.
    argument
        The argument of that tool.
    table
        A table that the role of a task may read; may be given several times.
    agent
        The agent that runs the tasks.
    requested_by
        The person or `group:name` who may ask for such a task.
    version
        For a package without one: the version that you have checked.
    root
        The folder that was scanned.
    remove_secret
        Also take the secret out of the finding's files. No copy of it is kept.
    yes
        Do not ask before the secret is taken out.
    """
    from remit.core.discovery.fix_drafts import FixChoices, drafted

    known = connect().get("findings", finding)
    choices = FixChoices(
        name=name,
        server=server,
        command=command,
        tool=tool,
        argument=argument,
        tables=table,
        agent=agent,
        requested_by=requested_by,
    )
    draft = drafted(_as_finding(known), choices, _taken(current().config_file))
    _carry_out(draft, known, root.expanduser().absolute(), version, apply=apply)
    if remove_secret and apply:
        _remove_secret(known, root.expanduser().absolute(), draft.upstream, yes=yes)


def _as_finding(known: Json) -> Finding:
    import msgspec

    from remit.core.findings.finding import Finding

    given = {name: known[name] for name in ("id", "kind", "about", "facts", "first_seen", "last_seen")}
    return msgspec.convert({"tenant": "", **given}, Finding)


def _taken(config: Path) -> frozenset[str]:
    from remit.config import load_config

    return frozenset(load_config(config).upstreams) if config.is_file() else frozenset()


def _carry_out(draft: FixDraft, known: Json, root: Path, version: str, *, apply: bool) -> None:
    """Show a draft, or write it; what `remit wrap` does, it tells itself."""
    from remit.cli.findings import fix
    from remit.core.errors import ConfigInvalid

    config = current().config_file
    changes: list[fix.DraftChange] = []
    folder = config.parent
    if draft.upstream:
        if not config.is_file():
            raise ConfigInvalid("does not exist", file=str(config), remediation="run `remit init` first")
        changes = fix.changes_of(draft, config)
    elif draft.pin and (version or apply):
        folder, changes = root, [_pin(draft, known, root, version)]
    if draft.wrap:
        return _wrap(draft, known, root, apply=apply)
    if apply and draft.upstream:
        fix.apply(changes, config)
    elif apply and draft.pin:
        from remit.cli.findings.secret_search import replace_below

        replace_below(root, changes[0].path, changes[0].after.encode("utf-8"))
    if terminal.is_json():
        files = {str(one.path): one.after for one in changes}
        terminal.answer({"says": draft.says, "files": files, "notes": list(draft.notes), "applied": apply})
        return
    if changes and not apply:
        terminal.copyable(fix.patch_of(changes, folder))
    terminal.remark(f"this {draft.says}", style="")
    if changes and apply:
        terminal.remark(f"written: {', '.join(str(one.path) for one in changes)}", style="green")
    for number, note in enumerate(draft.notes, 1):
        terminal.remark(f"{number}. {note}", style="")
    if changes and not apply:
        terminal.remark("nothing was changed: `--apply` writes this")


def _pin(draft: FixDraft, known: Json, root: Path, version: str) -> DraftChange:
    from remit.cli.findings import fix
    from remit.cli.findings.secret_search import place_below, read_file
    from remit.core.errors import Malformed

    if not version:
        raise Malformed(
            "the version is missing", remediation="give one that you have checked with `--version`"
        )
    path = place_below(root, _first_place(known))
    before = read_file(path).decode("utf-8")
    return fix.DraftChange(path, before, fix.pinned(before, draft, version, path.name))


def _first_place(known: Json) -> str:
    from remit.core.errors import NotFound

    places = known["facts"].get("places") or []
    if not places:
        raise NotFound("the finding names no file", remediation="follow `what to do`")
    return str(places[0].get("file", ""))


def _wrap(draft: FixDraft, known: Json, root: Path, *, apply: bool) -> None:
    """Put the one server of a client's file behind remit, as `remit wrap` does."""
    from remit.cli.findings.secret_search import place_below, read_file
    from remit.cli.wrap.client_file import read
    from remit.cli.wrap.command import wrap
    from remit.core.errors import NotFound

    path = place_below(root, _first_place(known))
    entries = read(read_file(path), path).entries
    if draft.wrap not in entries:
        raise NotFound(
            f"`{path}` has no server `{draft.wrap[:80]}`", remediation="give the scanned folder with `--root`"
        )
    wrap(path, dry_run=not apply, skip=tuple(name for name in entries if name != draft.wrap))


def _remove_secret(known: Json, root: Path, upstream: str, *, yes: bool) -> None:
    """Take a secret out of the files that the finding names.

    The old content is kept nowhere: a copy would be another exposed secret.
    """
    from remit.cli.findings.secret_search import copies_of, find_secret, read_file, replace_below, scan_key
    from remit.core.errors import Conflict, Malformed

    if not upstream:
        raise Malformed("the finding is not about a credential", remediation="leave `--remove-secret` out")
    found = find_secret(known, root, _key_or_refuse(scan_key(current().config_file)))
    copies = copies_of(found, known, root)
    told = ", ".join(f"{path} ({len(starts)}x)" for path, _, starts in copies)
    if not _consents(f"Take the secret out of {told}? No copy is kept; history and backups stay.", yes=yes):
        terminal.remark("nothing was taken out")
        return
    length = found.end - found.start
    for path, content, starts in copies:
        text = content.decode("utf-8", "surrogateescape")
        for start in reversed(starts):
            text = f"{text[:start]}leased-by-remit:{upstream}{text[start + length :]}"
        if read_file(path) != content:
            raise Conflict(f"`{path}` was changed by another program meanwhile", remediation="do it again")
        replace_below(root, path, text.encode("utf-8", "surrogateescape"))
    terminal.remark(f"taken out of {told}: rotate it, as others may have read it", style="green")


def _typed() -> str:
    """Return the secret from the standard input; on a terminal it is not shown."""
    import getpass

    return getpass.getpass("Secret: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")


def _key_or_refuse(key: bytes) -> bytes:
    from remit.core.errors import NotFound

    if not key:
        raise NotFound(
            "this machine has no key of fingerprints: no scan ran here",
            code="no-key",
            remediation="run this where `remit discover` ran, or give the secret with `--stdin`",
        )
    return key


def _consents(question: str, *, yes: bool) -> bool:
    """Ask a person on a terminal; without one, only `--yes` consents."""
    from remit.cli.exit_codes import UsageFault

    if yes:
        return True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageFault("no terminal: cannot prompt", remediation="consent with `--yes`")
    terminal.err().print(Text.assemble((question, "bold"), " [y/N] "), end="")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


@app.command(name="prove")
def proven(
    finding: str,
    /,
    *,
    at: str = "",
    account: str = "",
    stdin: Switch = False,
    root: Path = Path("."),
    yes: Switch = False,
) -> None:
    """Show that the exposed secret of a finding opens nothing any more: it is tried once, and not kept.

    It is tried only where `remit.yaml` says that such secrets are accepted, by a sign-in or by asking who it
    is; a place that only the finding names is sent nothing. A clear refusal resolves the finding.

    For example, prove that a password of a prompt is dead after its rotation.

    Parameters
    ----------
    finding
        The finding's id, from `remit finding list`.
    at
        The upstream whose database or issuer it opened, if several could be meant; or, tried from here,
        `postgresql://host:port/database`.
    account
        The account at a database that you name with `--at`, if the finding names none.
    stdin
        Read the secret from the standard input, not from the finding's file.
    root
        The folder that was scanned.
    yes
        Consent without a question.
    """
    from remit.cli.findings.prove import WORDS, account_of, try_here
    from remit.cli.findings.secret_search import find_secret, scan_key
    from remit.core.discovery.secret_fingerprint import is_fingerprint_of
    from remit.core.errors import Malformed, RemitError, VerificationFailed

    client, key = connect(), scan_key(current().config_file)
    known = client.get("findings", finding)
    here = "://" in at
    if here:
        place, who = at, account_of(known, account)
    else:
        planned = client.get("findings", finding, "proof", at=at or None)
        place, who = f"{planned['place']} ({planned['at']})", planned["account"]
    if not _consents(f"Try the secret once at {place}{f' as {who}' if who else ''}?", yes=yes):
        terminal.remark("nothing was tried")
        return
    if stdin:
        secret = _typed()
    else:
        secret = find_secret(known, root.expanduser().absolute(), _key_or_refuse(key)).secret
    compared = bool(key) and is_fingerprint_of(known["about"], key, secret)
    if here:
        if not compared:
            raise Malformed("this is not the secret of the finding", code="another-secret")
        outcome = try_here(at, who, secret)
        if outcome == "refused":
            words = f"a person tried the secret at {at} as {who}, and it was refused"
            client.post("findings", finding, "resolve", resolution=words)
    else:
        outcome = client.post("findings", finding, "proof", secret=secret, at=at, compared=compared)[
            "outcome"
        ]
    if terminal.is_json():
        terminal.answer({"finding": finding, "at": at or place, "outcome": outcome})
    else:
        terminal.say(WORDS[outcome], style="green" if outcome == "refused" else "yellow")
    if outcome == "works":
        raise VerificationFailed("the secret still works", remediation="rotate it at its source")
    if outcome != "refused":
        raise RemitError("it is not known whether the secret still works", remediation="try again later")


def _one(finding: Json) -> None:
    if terminal.is_json():
        terminal.answer(finding)
        return
    pairs = [
        ("finding", terminal.text(finding["id"], "bold")),
        ("kind", terminal.text(finding["kind"], "yellow")),
        ("severity", terminal.text(finding["severity"], _COLORS[finding["severity"]])),
        ("about", finding["about"]),
        ("owner", finding["owner"]),
        ("controls", ", ".join(finding["controls"])),
        ("says", finding["says"]),
        *((name, _plainly(name, value)) for name, value in finding["facts"].items()),
        ("first seen", terminal.moment(finding["first_seen"])),
        ("last seen", terminal.moment(finding["last_seen"])),
        ("times", str(finding["count"])),
        ("what to do", finding["remediation"] if finding["state"] == "open" else ""),
        ("state", finding["state"]),
        ("until", terminal.moment(finding["until"])),
        ("since", terminal.moment(finding["resolved"])),
        ("by", finding["resolved_by"]),
        ("how", finding["resolution"]),
    ]
    terminal.picture(terminal.facts(pairs))


def _plainly(name: str, value: Json) -> Text | str:
    """Return a fact in readable form: a list of words without brackets, a time in the local time zone."""
    if name == "since" and isinstance(value, str):
        return terminal.moment(value)
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    return value if isinstance(value, str) else terminal.compact(value)
