# SPDX-License-Identifier: Apache-2.0
"""The governed replacement of what a finding is about, as a draft: a section of `remit.yaml` and new files.

The names and targets of a finding come from a scan, and a scan reads what others wrote: here they become
plain names, or are left out. What only a person knows is a placeholder with a note.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

import msgspec

from remit.core.findings.finding import Finding
from remit.core.findings.kinds import FindingKind
from remit.core.json_value import Json
from remit.core.safe_text import escaped, plain

#: Kinds whose subject is a credential.
CREDENTIALS: Final = frozenset(
    {
        FindingKind.SECRET_EXPOSED,
        FindingKind.SECRET_SHARED,
        FindingKind.PERSONAL_CREDENTIAL,
        FindingKind.CREDENTIAL_OUTLIVES,
        FindingKind.LONG_LIVED_CREDENTIAL,
    }
)
_PLAIN_NAME: Final = re.compile(r"[^a-z0-9-]+")
_TABLE: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}(\.[a-z_][a-z0-9_]{0,62})?")
#: Texts that are compared with a fingerprint before the search gives up: some seconds.
MOST_CANDIDATES: Final = 1_000_000
IsSecret = Callable[[str], bool]
_DATABASES: Final = frozenset({"postgresql", "postgres", "password"})


class FixChoices(msgspec.Struct, frozen=True, kw_only=True):
    """What a person says of the replacement.

    `server` is the MCP server that uses the credential: its address, or its command. `tool` is its tool,
    `tables` what a database role reads, `requested_by` who states the intent of its tasks.
    """

    name: str = ""
    server: str = ""
    command: tuple[str, ...] = ()
    tool: str = "query"
    argument: str = "sql"
    tables: tuple[str, ...] = ()
    agent: str = ""
    requested_by: str = ""


class FixDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A draft. `upstream` and `section` go into `remit.yaml`, `files` are new files beside it.

    `wrap` is the server of a client's file that `remit wrap` puts behind remit. `pin` is the argument that
    wants a version, and `pinned` what it becomes before the version itself. `notes` are what a person does
    besides, in order.
    """

    says: str
    upstream: str = ""
    section: dict[str, Json] = {}
    files: dict[str, str] = {}
    wrap: str = ""
    pin: str = ""
    pinned: str = ""
    notes: tuple[str, ...] = ()

    @property
    def yaml(self) -> str:
        """The section as it stands in `remit.yaml`; empty without one."""
        if not self.upstream:
            return ""
        return "\n".join(["upstreams:", f"  {self.upstream}:", *yaml_lines(self.section, "    ")]) + "\n"


def drafted(finding: Finding, choices: FixChoices, taken: frozenset[str] = frozenset()) -> FixDraft:
    """Return the draft for a finding; `taken` are the upstreams that exist."""
    if finding.kind in CREDENTIALS:
        return _credential(finding, choices, taken)
    subject = finding.about.partition(":")[2]
    if finding.kind is FindingKind.UNGOVERNED_SERVER:
        return FixDraft(
            says="puts the server behind remit, in observe mode: nothing is refused yet",
            wrap=subject,
            notes=("work as usual, then run `remit suggest` and change `mode` to `enforce`",),
        )
    if finding.kind is FindingKind.UNPINNED_COMMAND:
        return _pinned(finding)
    if finding.kind is FindingKind.ESCALATION_PATH:
        steps = finding.facts.get("steps")
        lines = [str(one) for one in steps] if isinstance(steps, list) else []
        advice = finding.facts.get("advice")
        notes = [f"the path: {'; '.join(line.rstrip('.') for line in lines)}"] if lines else []
        notes.append(advice if isinstance(advice, str) and advice else _REMOVE)
        return FixDraft(says="removes the first step of the path at the provider", notes=tuple(notes))
    return FixDraft(says="there is no draft for this kind", notes=(_remediation(finding),))


def _pinned(finding: Finding) -> FixDraft:
    package, version = evidence_of(finding, "package"), evidence_of(finding, "version")
    said = finding.facts.get("advice")
    advice = said if isinstance(said, str) else ""
    mark = "==" if f"{package}==" in advice else "@"
    by_hand = not package or "@sha256:" in advice or "@COMMIT" in advice
    return FixDraft(
        says="writes the version that you have checked into the client's file",
        pin="" if by_hand else f"{package}{mark}{version}" if version else package,
        pinned="" if by_hand else f"{package}{mark}",
        notes=(advice or "write the version into the command by hand",) if by_hand else (),
    )


_REMOVE: Final = "remove the permission that the first step needs, or limit it to fixed resources"


def _remediation(finding: Finding) -> str:
    advice = finding.facts.get("advice")
    return advice if isinstance(advice, str) and advice else "follow `what to do` of the finding"


def evidence_of(finding: Finding, name: str) -> str:
    """Return a text of the finding's evidence; empty if there is none."""
    evidence = finding.facts.get("evidence")
    value = evidence.get(name) if isinstance(evidence, dict) else None
    return plain(value)[:300] if isinstance(value, str) else ""


def agent_of(finding: Finding) -> str:
    """Return the agent that the finding's evidence names, the first of several; empty if there is none."""
    evidence = finding.facts.get("evidence")
    several = evidence.get("agents") if isinstance(evidence, dict) else None
    first = several[0] if isinstance(several, list) and several else ""
    return evidence_of(finding, "agent") or (plain(first)[:300] if isinstance(first, str) else "")


def _credential(finding: Finding, choices: FixChoices, taken: frozenset[str]) -> FixDraft:
    kind, target = evidence_of(finding, "type").lower(), evidence_of(finding, "target")
    agent = _plain(choices.agent or agent_of(finding)) or "my-agent"
    name = _free(choices.name or _host_name(target) or kind or "service", taken)
    notes = []
    if not choices.server and not choices.command:
        notes.append("name the MCP server that uses the credential with `--server` or `--command`")
    if kind in _DATABASES:
        lease, carried, more = _postgres(name, choices)
    elif kind.startswith("github"):
        lease, carried, more = _github(name, choices)
    elif kind.startswith("aws"):
        lease, carried, more = _aws(name, choices)
    elif kind.startswith(("openbao", "vault", "hashicorp")):
        lease, carried, more = _openbao(name, target, choices)
    else:
        lease, carried, more = _oauth(name, target, choices)
    section: dict[str, Json] = {}
    if choices.command:
        section["command"] = list(choices.command)
    else:
        section["url"] = choices.server or f"https://{name}-mcp.example.com/mcp"
    given = {"env" if choices.command else "headers": carried} if carried else {}
    section["lease"] = {**lease, **given}
    files = {
        f"tools/{name}.yaml": _tools(name, choices),
        f"tasks/use-{name}.yaml": _task(name, agent, choices),
    }
    notes += more
    run = f"remit run --agent {agent} --task use-{name} -- COMMAND"
    notes += [
        f"let `{agent}` work through remit: `remit wrap FILE` changes its client's entries, or `{run}`",
        "rotate the old credential at its source, then run `remit finding prove` with this finding",
    ]
    return FixDraft(
        says=f"lets remit lease a credential to each task of `use-{name}`: the agent sees no standing secret",
        upstream=name,
        section=section,
        files=files,
        notes=tuple(notes),
    )


_Lease = tuple[dict[str, Json], dict[str, Json], list[str]]


def _postgres(name: str, choices: FixChoices) -> _Lease:
    tables = [one for one in choices.tables if _TABLE.fullmatch(one)]
    grants = [f"grant select on {one} to {{role}}" for one in tables] or [
        "grant usage on schema public to {role}"
    ]
    address = "postgresql://{user}:{password}@{host}:{port}/{database}"
    variable = f"{_variable(name)}_ADMIN"
    form = "`postgresql://remit_admin:...@host:port/database`"
    notes = [f"put the database with a role that may create roles into `{variable}`: {form}"]
    if not tables:
        notes.append("say what a task may read with `--table NAME`: the drafted role reads no table")
    carried = {"DATABASE_URL" if choices.command else "X-Database": address}
    return {"postgres": {"admin": f"env:{_variable(name)}_ADMIN", "grants": grants}}, carried, notes


def _github(name: str, choices: FixChoices) -> _Lease:
    lease = {
        "app": "Iv1.0000000000000000",
        "installation": 1,
        "private_key": f"env:{_variable(name)}_APP_KEY",
        "owner": "your-organisation",
        "repositories": ["your-repository"],
        "permissions": {"contents": "read"},
    }
    notes = [
        "register a GitHub App, and write its `app`, `installation`, `owner` and `repositories`",
        f"put its private key into `{_variable(name)}_APP_KEY`",
    ]
    return {"github": lease}, _token("GITHUB_TOKEN", choices), notes


def _aws(name: str, choices: FixChoices) -> _Lease:
    lease = {
        "region": "eu-central-1",
        "role": "arn:aws:iam::000000000000:role/remit-tasks",
        "access_key_id": f"env:{_variable(name)}_KEY",
        "secret_access_key": f"env:{_variable(name)}_SECRET",
        "statements": [
            {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::your-probe-bucket"}
        ],
        "probe_url": "https://your-probe-bucket.s3.eu-central-1.amazonaws.com/?list-type=2&max-keys=0",
        "probe_service": "s3",
    }
    names = ("access_key_id", "secret_access_key", "session_token")
    carried: dict[str, Json] = {
        f"AWS_{one.upper()}" if choices.command else f"X-Aws-{one.title().replace('_', '-')}": f"{{{one}}}"
        for one in names
    }
    return {"aws": lease}, carried, ["write the role, its region, and statements for what tasks need"]


def _openbao(name: str, target: str, choices: FixChoices) -> _Lease:
    lease = {
        "address": _origin(target) or "https://bao.example.com",
        "token": f"env:{_variable(name)}_TOKEN",
        "tokens": {"role": "remit-tasks", "policies": ["read-only"]},
    }
    return (
        {"openbao": lease},
        _token("VAULT_TOKEN", choices),
        ["write the token role and the policies that tasks need"],
    )


def _oauth(name: str, target: str, choices: FixChoices) -> _Lease:
    origin = _origin(target) or "https://login.example.com"
    lease = {
        "token_url": f"{origin}/oauth/token",
        "revoke_url": f"{origin}/oauth/revoke",
        "probe_url": f"{origin}/whoami",
        "client_id": "remit",
        "client_secret": f"env:{_variable(name)}_CLIENT_SECRET",
        "scopes": ["read"],
    }
    return (
        {"oauth": lease},
        _token(f"{_variable(name)}_TOKEN", choices),
        ["write the addresses of the authorization server, and the scopes of tasks"],
    )


def _token(variable: str, choices: FixChoices) -> dict[str, Json]:
    """Return how a program gets a token; a call over HTTP carries it by itself."""
    return {variable: "{token}"} if choices.command else {}


def _tools(name: str, choices: FixChoices) -> str:
    tool, argument = _word(choices.tool, "query"), _word(choices.argument, "sql")
    return (
        "# SPDX-License-Identifier: Apache-2.0\n"
        "# Drafted from a finding: check effect, audience and labels before you rely on them.\n"
        f"upstream: {_json(name)}\n"
        "tools:\n"
        f"  {_json(tool)}:\n"
        "    effect: none\n"
        "    audience: self\n"
        "    labels: {class: internal, trust: untrusted}\n"
        "    arguments:\n"
        f"      {_json(argument)}: {{role: code}}\n"
    )


def _task(name: str, agent: str, choices: FixChoices) -> str:
    tool, argument = _word(choices.tool, "query"), _word(choices.argument, "sql")
    person = choices.requested_by
    who = person or f"agent:{agent}"
    return (
        "# SPDX-License-Identifier: Apache-2.0\n"
        "# Drafted from a finding: name who may ask for such a task, and bound its arguments.\n"
        f"task: {_json(f'use-{name}')}\n"
        f"purpose: {_json(f'Work with {name} by a credential of the task')}\n"
        f"run_by: [{_json(agent)}]\n"
        f"requested_by: [{_json(who)}]\n"
        f"requires_person: {'true' if person else 'false'}\n"
        "deadline: 1h\n"
        "budgets: {calls: 200}\n"
        "grants:\n"
        f"  - tool: {_json(f'{name}/{tool}')}\n"
        f"    arguments: {{{_json(argument)}: {{length: {{max: 4000}}}}}}\n"
    )


def _word(text: str, other: str) -> str:
    return text if re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", text) else other


def _plain(text: str) -> str:
    return _PLAIN_NAME.sub("-", text.lower()).strip("-")[:48]


def _free(name: str, taken: frozenset[str]) -> str:
    base = _plain(name) or "service"
    wanted, number = base, 2
    while wanted in taken:
        wanted, number = f"{base}-{number}", number + 1
    return wanted


def _variable(name: str) -> str:
    upper = re.sub(r"[^A-Z0-9]+", "_", name.upper())
    return upper if upper[:1].isalpha() else f"REMIT_{upper}"


def _host_name(target: str) -> str:
    """Return a name for a target: its database, else the first part of its host."""
    try:
        parts = urlsplit(target if "://" in target else f"//{target}")
        return _plain(parts.path.strip("/")) or _plain((parts.hostname or "").partition(".")[0])
    except ValueError:
        return ""


def _origin(target: str) -> str:
    """Return the `https` origin of a target; empty if it is none."""
    try:
        parts = urlsplit(target)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    if parts.scheme != "https" or not re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?", host):
        return ""
    return f"https://{host}{f':{port}' if port else ''}"


def _json(value: Json) -> str:
    return escaped(json.dumps(value, ensure_ascii=False), yaml=True)


def yaml_lines(section: dict[str, Json], margin: str) -> list[str]:
    """Return a section as lines of YAML; JSON values are YAML values."""
    out = []
    for key, value in section.items():
        if isinstance(value, dict) and value:
            out += [
                f"{margin}{_json(key) if not key.isidentifier() else key}:",
                *yaml_lines(value, margin + "  "),
            ]
        else:
            out.append(f"{margin}{key if key.isidentifier() else _json(key)}: {_json(value)}")
    return out


def secret_in(text: str, tail: str, is_it: IsSecret, *, most: int = 8_192) -> tuple[int, int] | None:
    """Return where in a text the secret of a finding stands, by its last characters and its fingerprint.

    `is_it` compares a candidate's fingerprint. Only texts that end with `tail` are candidates.
    """
    if len(tail) < 2:
        return None
    left = MOST_CANDIDATES
    at = text.find(tail)
    while at >= 0:
        end = at + len(tail)
        for start in range(at, max(-1, end - most), -1):
            left -= 1
            if left < 0:
                return None
            if is_it(text[start:end]):
                return start, end
        at = text.find(tail, at + 1)
    return None
