# SPDX-License-Identifier: Apache-2.0
"""A workflow of GitHub Actions: who starts it, what it runs, and what its jobs hold.

Source: GitHub, "Workflow syntax", "Secure use reference", "Automatic token authentication".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from remit.core.discovery.discovered import FilePlace
from remit.core.discovery.privileges.values import mapping, members, objects, text, texts
from remit.core.json_value import Json

#: Events that people without any right in the repository cause, and that run with its secrets.
OUTSIDE: Final = {
    "pull_request_target": "opens a pull request",
    "issue_comment": "comments on an issue or pull request",
    "issues": "opens an issue",
    "discussion": "starts a discussion",
    "discussion_comment": "comments on a discussion",
    "fork": "forks the repository",
    "watch": "stars the repository",
}
#: Values that such people write freely.
_WRITTEN: Final = re.compile(
    r"\$\{\{[^}]{0,200}?github\.(?:head_ref|event\.(?:(?:issue|pull_request|discussion)\.(?:title|body)"
    r"|pull_request\.head\.(?:ref|label)|(?:comment|review)\.body|head_commit\.message|commits\b"
    r"|workflow_run\.head_branch))"
)
_HEAD: Final = re.compile(
    r"github\.event\.pull_request\.head|github\.head_ref|refs/pull/|github\.event\.workflow_run\.head"
    r"|gh pr checkout|pull/\$\{\{|steps\.[\w-]{1,50}\.outputs\.head"
)
_SECRET: Final = re.compile(
    r"\bsecrets\s{0,5}(?:\.\s{0,5}([A-Za-z0-9_]{1,100})|\[)|toJSON\(\s{0,5}secrets\s{0,5}\)", re.IGNORECASE
)
_SAME: Final = re.compile(
    r"head\.repo\.full_name\s{0,5}==|==\s{0,5}github\.event\.pull_request\.head\.repo\.full_name"
    r"|head\.repo\.fork\s{0,5}==\s{0,5}false|!\s{0,5}github\.event\.pull_request\.head\.repo\.fork"
    r"|author_association|github\.actor\s{0,5}==|\.merged\b|user\.login\s{0,5}=="
)
#: Actions that run or build what is checked out.
_BUILDING: Final = (
    "./",
    "docker/build-push-action",
    "gradle/",
    "pre-commit/action",
    "golangci/golangci-lint-action",
    "goreleaser/goreleaser-action",
    "cypress-io/github-action",
)
_PINNED: Final = re.compile(r"@[0-9a-f]{40}$|@sha256:[0-9a-f]{64}$")
#: Commands that run nothing of a checked out tree.
_INERT: Final = (
    " echo printf git gh cat ls grep diff jq test [ [[ exit if fi then else elif for do done while cd wc "
    "sort head tail mkdir cp mv rm export set true false sha256sum curl "
    "sed awk tee sleep date chmod unzip tar zip base64 tr cut "
)
_MOST_NODES: Final = 20_000


class JobStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step of a job."""

    uses: str
    run: str
    inputs: tuple[str, ...]
    condition: str
    holds: tuple[str, ...]


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A job. `writes` are the scopes that its token may write; None where only settings say it.

    `secrets` are the names of secrets in its text, `*` for all of them.
    """

    name: str
    steps: tuple[JobStep, ...]
    writes: frozenset[str] | None
    secrets: frozenset[str]
    condition: str
    environment: bool
    self_hosted: bool
    uses: str
    inherits: bool


class Workflow(msgspec.Struct, frozen=True, kw_only=True):
    """A workflow file."""

    place: FilePlace
    events: frozenset[str]
    labeled: bool
    every_branch: bool
    write_all: bool
    jobs: tuple[Job, ...]


def workflow_of(document: dict[str, Json], place: FilePlace) -> Workflow | None:
    """Return the workflow of a document; None if it is none."""
    # YAML 1.1 reads the key `on` as true.
    started = next((document[key] for key in ("on", True, "true") if key in document), None)
    jobs = mapping(document, "jobs")
    if started is None or not jobs:
        return None
    events = {started} if isinstance(started, str) else set(texts(started) or mapping(started))
    target = mapping(started, "pull_request_target") if isinstance(started, dict) else {}
    push = started.get("push") if isinstance(started, dict) else None
    outer = _writes(document.get("permissions"))
    secrets = _secrets(document.get("env"))
    found = [_job(str(name), mapping(job), outer, secrets) for name, job in list(jobs.items())[:500]]
    return Workflow(
        place=place,
        events=frozenset(str(event) for event in events),
        labeled=set(texts(target, "types")) == {"labeled"},
        every_branch="push" in events and not (members(push, "branches") or members(push, "tags")),
        write_all=document.get("permissions") == "write-all"
        or any(mapping(job).get("permissions") == "write-all" for job in jobs.values()),
        jobs=tuple(found),
    )


def third_party(uses: str) -> bool:
    """Return whether an action or reusable workflow belongs neither to GitHub nor to the repository."""
    return bool(uses) and not uses.startswith(("./", "actions/", "github/", "docker://"))


def is_pinned(uses: str) -> bool:
    """Return whether a use names one immutable version."""
    return bool(_PINNED.search(uses))


def runs_head(job: Job) -> JobStep | None:
    """Return the step by which a job runs the code of a pull request that it checked out."""
    out = False
    for step in job.steps:
        if out and (step.uses.startswith(_BUILDING) or _executes(step.run)):
            return step
        checkout = step.uses.startswith("actions/checkout") and any(_HEAD.search(i) for i in step.inputs)
        fetched = re.search(r"gh pr checkout|git (?:fetch|checkout|pull)", step.run) and _HEAD.search(
            step.run
        )
        if checkout or fetched:
            out = not _guards(step.condition)
            if fetched and _executes(step.run):
                return step
    return None


def runs_text(job: Job) -> JobStep | None:
    """Return the step that puts a text of outsiders into a script."""
    for step in job.steps:
        scripts = [step.run, *(step.inputs if step.uses.startswith("actions/github-script") else ())]
        if any(_WRITTEN.search(script) for script in scripts) and not _guards(step.condition):
            return step
    return None


def is_guarded(job: Job) -> bool:
    """Return whether a job runs only for known people or branches of the repository itself."""
    return _guards(job.condition)


def _guards(condition: str) -> bool:
    """Return whether each alternative of a condition asks for known people or the repository's branches."""
    return bool(condition) and all(_SAME.search(part) for part in condition.split("||"))


def _job(name: str, job: dict[str, Json], outer: frozenset[str] | None, secrets: frozenset[str]) -> Job:
    permissions = job.get("permissions")
    runner = job.get("runs-on")
    labels = (
        {text(runner)} | set(texts(runner)) | set(texts(runner, "labels") if isinstance(runner, dict) else ())
    )
    return Job(
        name=name,
        steps=tuple(_step(step) for step in objects(job, "steps")),
        writes=_writes(permissions) if permissions is not None else outer,
        secrets=secrets | _secrets(job),
        condition=text(job, "if"),
        environment=bool(job.get("environment")),
        self_hosted="self-hosted" in labels,
        uses=text(job, "uses"),
        inherits=job.get("secrets") == "inherit",
    )


def _step(step: dict[str, Json]) -> JobStep:
    inputs = mapping(step, "with")
    run = step.get("run")
    return JobStep(
        uses=text(step, "uses"),
        run=run[:20_000] if isinstance(run, str) else "",
        inputs=tuple(value[:20_000] for value in inputs.values() if isinstance(value, str)),
        condition=text(step, "if"),
        holds=tuple(sorted(_secrets([inputs, step.get("env")]))),
    )


def _writes(permissions: Json) -> frozenset[str] | None:
    if permissions is None:
        return None
    if permissions == "write-all":
        return frozenset({"contents", "*"})
    if not isinstance(permissions, dict):
        return frozenset()
    return frozenset(str(scope) for scope, level in permissions.items() if level == "write")


def _secrets(value: Json) -> frozenset[str]:
    names: set[str] = set()
    for found in (match for text_ in _texts_in(value) for match in _SECRET.finditer(text_)):
        names.add((found[1] or "*").upper())
    return frozenset(names - {"GITHUB_TOKEN"})


def _texts_in(value: Json) -> Iterator[str]:
    waiting, seen = [value], 0
    while waiting and seen < _MOST_NODES:
        seen += 1
        one = waiting.pop()
        if isinstance(one, str):
            yield one[:20_000]
        elif isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one[:_MOST_NODES]


def _executes(run: str) -> bool:
    """Return whether a script runs more than commands that run nothing of a checked out tree."""
    for line in re.split(r"[\n;|&]+", run[:20_000]):
        words = [word for word in line.split() if not re.match(r"[A-Za-z_]\w*=", word)]
        if words and not words[0].startswith(("#", "-", ">", "$(", "\\")) and f" {words[0]} " not in _INERT:
            return True
    return False
