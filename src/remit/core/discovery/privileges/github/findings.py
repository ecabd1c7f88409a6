# SPDX-License-Identifier: Apache-2.0
"""What is wrong with the workflows, tokens, apps and keys of GitHub."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from remit.core.discovery.declared import PermissionExport, PermissionSource
from remit.core.discovery.discovered import MOST_PLACES, Discovered, FilePlace
from remit.core.discovery.privileges.github.tokens import (
    ADMINISTERING,
    GAINING,
    TokenHolder,
    holders,
    listed,
    trusts,
)
from remit.core.discovery.privileges.github.workflows import (
    OUTSIDE,
    Job,
    Workflow,
    is_guarded,
    is_pinned,
    runs_head,
    runs_text,
    third_party,
    workflow_of,
)
from remit.core.discovery.privileges.paths import PathStep, StepPath, path_finding
from remit.core.discovery.privileges.values import current, mapping, quoted, text
from remit.core.findings.kinds import FindingKind, Severity

#: After this long without a use a token counts as unused.
UNUSED_AFTER: Final = timedelta(days=90)
_WIDE: Final = FindingKind.WIDE_AUTHORITY
_ACTIONS: Final = "pin the action to the full digest of a commit"


class _Settings:
    """What exports say of a repository's settings; None where they say nothing."""

    def __init__(self) -> None:
        self.default_write: bool | None = None
        self.public: bool | None = None
        self.protected: bool | None = None

    def read(self, item: dict[str, object]) -> None:
        """Learn from an object of the API; of several repositories the weakest setting counts."""
        if text(item, "default_workflow_permissions"):
            self.default_write = bool(self.default_write) or item["default_workflow_permissions"] == "write"
        if isinstance(item.get("private"), bool) and "full_name" in item:
            self.public = bool(self.public) or item["private"] is False
        if "required_pull_request_reviews" in item:
            self.protected = bool(mapping(item, "required_pull_request_reviews"))


def github_findings(exports: Sequence[PermissionExport], *, now: datetime) -> list[Discovered]:
    """Return what is wrong with what exports describe, in a fixed order. `now` tells what is unused."""
    settings, workflows, items = _Settings(), [], []
    for export in current(exports, PermissionSource.GITHUB):
        workflow = workflow_of(export.document, export.place) if isinstance(export.document, dict) else None
        if workflow is not None:
            workflows.append(workflow)
            continue
        for item in listed(export.document):
            settings.read(item)
            items.append((item, export.place))
    found = [finding for workflow in workflows for finding in _workflow(workflow, settings)]
    found += _actions(workflows)
    for item, place in items:
        for holder in holders(item, place):
            found += _holder(holder, workflows, settings, now)
        for name, subject in trusts(item):
            found += _trust(name, subject, place)
    if settings.default_write:
        places = [p for item, p in items if text(item, "default_workflow_permissions") == "write"]
        says = "The token of each workflow may write to the repository unless the workflow says otherwise."
        remedy = "set the default workflow permissions to read"
        found.append(_wide("settings:github", "default permissions", says, places, Severity.MEDIUM, remedy))
    unique = {finding.id: finding for finding in found}
    return sorted(unique.values(), key=lambda f: (f.weight.rank, f.kind, f.about, f.which))


def _workflow(workflow: Workflow, settings: _Settings) -> Iterator[Discovered]:
    about = f"workflow:{workflow.place.file}"
    outside = sorted(workflow.events & set(OUTSIDE))
    for job in workflow.jobs:
        if is_guarded(job):
            continue
        if {"pull_request_target", "issue_comment"} & set(outside) and (step := runs_head(job)):
            ran = (step.run.strip().splitlines() or [step.uses])[0][:80] or step.uses
            does = f"have job {quoted(job.name)} check out the pull request and run {quoted(ran)}"
            who = "a person who opens a pull request"
            if "pull_request_target" not in outside:
                who += " and comments on it"
            yield from _outsider(workflow, job, settings, "pull-request-code", who, does)
        elif "workflow_run" in workflow.events and (step := runs_head(job)):
            does = f"have job {quoted(job.name)} check out the head of the run before it and execute it"
            who = "a person who opens a pull request"
            yield from _outsider(workflow, job, settings, "workflow-run-code", who, does)
        if outside and runs_text(job):
            does = f"write commands into the script of job {quoted(job.name)}"
            who = f"a person who {OUTSIDE[outside[0]]}"
            yield from _outsider(workflow, job, settings, "script-injection", who, does)
        if job.self_hosted and "pull_request" in workflow.events and settings.public is not False:
            unknown = "" if settings.public else "the repository is public"
            does = f"run its code on the self-hosted runner of job {quoted(job.name)}"
            technique, remedy = "self-hosted-runner", "run pull requests on runners of GitHub"
            start, end = "a person who opens a pull request", "the self-hosted runner and its network"
            yield _path(
                workflow.place, about, technique, start, end, does, Severity.HIGH, unknown, remedy, job.name
            )
        if "*" in job.secrets:
            says = f"Job {quoted(job.name)} of {quoted(workflow.place.file)} hands over all secrets at once."
            yield _wide(
                about, f"secrets {job.name}", says, [workflow.place], Severity.HIGH, "name each secret"
            )
    if workflow.write_all:
        says = f"Workflow {quoted(workflow.place.file)} gives its jobs a token that may write everything."
        remedy = "name the permissions of each job"
        yield _wide(about, "write-all", says, [workflow.place], Severity.MEDIUM, remedy)


def _outsider(
    workflow: Workflow, job: Job, settings: _Settings, technique: str, who: str, does: str
) -> Iterator[Discovered]:
    """Yield the path of a person without rights; none if the job holds nothing worth taking."""
    writes = job.writes if job.writes is not None else {"contents"} if settings.default_write else None
    ends = ["the secrets " + ", ".join(sorted(job.secrets))] if job.secrets else []
    ends += ["write access to the repository"] if writes and writes - {"id-token"} else []
    ends += ["the cloud roles that trust the workflow"] if writes and "id-token" in writes else []
    unknown: list[str] = []
    if not ends and writes is None and settings.default_write is None:
        ends, unknown = ["write access to the repository"], ["the default token may write"]
    if workflow.labeled or job.environment:
        unknown.append("a person approves it, or it changes after the approval")
    if not ends and job.self_hosted:
        ends = ["the self-hosted runner and its network"]
    if ends:
        end = " and ".join(ends)
        remedy = "run such code under `pull_request`, and pass texts through `env`"
        about = f"workflow:{workflow.place.file}"
        severity = Severity.CRITICAL
        yield _path(
            workflow.place,
            about,
            technique,
            who,
            end,
            does,
            severity,
            " and ".join(unknown),
            remedy,
            job.name,
        )


def _actions(workflows: Iterable[Workflow]) -> Iterator[Discovered]:
    """Yield each action of others that may change under its name, once."""
    places: dict[str, list[FilePlace]] = {}
    secrets: dict[str, set[str]] = {}
    strong: set[str] = set()
    for workflow in workflows:
        for job in workflow.jobs:
            uses = [(step.uses, step.holds) for step in job.steps]
            uses += [(job.uses, ("*",) if job.inherits else tuple(job.secrets))] if job.uses else []
            for used, holds in uses:
                if third_party(used) and not is_pinned(used):
                    places.setdefault(used, []).append(workflow.place)
                    secrets.setdefault(used, set()).update(holds)
                    if job.writes or job.secrets:
                        strong.add(used)
    for used, where in sorted(places.items()):
        name = used.partition("@")[0]
        given = sorted(secrets[used])
        what = (
            f" and gets {'all secrets' if '*' in given else 'secret ' + ', '.join(map(quoted, given))}"
            if given
            else ""
        )
        yield Discovered(
            kind=FindingKind.UNPINNED_COMMAND,
            about=f"action:{name}",
            which=used.partition("@")[2],
            says=f"Action {quoted(used)} can change under its name{what}.",
            places=tuple(dict.fromkeys(where))[:MOST_PLACES],
            severity=Severity.HIGH if given else Severity.MEDIUM if used in strong else Severity.LOW,
            evidence={"secrets": [*given]},
            remediation=_ACTIONS,
        )


def _holder(
    holder: TokenHolder, workflows: Sequence[Workflow], settings: _Settings, now: datetime
) -> Iterator[Discovered]:
    about = f"principal:github:{holder.kind.replace(' ', '-')}:{holder.name}"
    called = f"{holder.kind} {quoted(holder.name)}"
    if holder.expires is not None and holder.expires <= now:
        return
    start = f"{holder.kind} {holder.name}"
    secrets = "the secrets of every repository" if holder.everywhere else "the secrets of its repositories"
    if {"repo", "workflow"} <= holder.scopes or {"contents", "workflows"} <= holder.writes:
        does = "push a branch with a workflow that sends the secrets away"
        remedy = "take away writing workflows, and keep secrets in environments with protected branches"
        yield _path(
            holder.place,
            about,
            "workflow-write",
            start,
            secrets,
            does,
            Severity.CRITICAL,
            "",
            remedy,
            by=holder.by,
        )
    elif "contents" in holder.writes:
        yield from _by_code(holder, about, start, workflows, settings)
    for permission, does in GAINING.items():
        if permission in holder.writes:
            end = (
                "administrator of the organization"
                if "org" in permission or permission == "members"
                else ("administrator of its repositories")
            )
            remedy = f"remove writing {quoted(permission)}"
            yield _path(
                holder.place,
                about,
                permission.replace("_", "-"),
                start,
                end,
                does,
                Severity.CRITICAL,
                "",
                remedy,
                by=holder.by,
            )
    for scope, says in ADMINISTERING.items():
        if scope in holder.scopes:
            words = f"{called[0].upper()}{called[1:]} {says} (scope {quoted(scope)})."
            remedy = "use a GitHub App or a fine-grained token for the repositories that it needs"
            yield _wide(about, scope, words, [holder.place], Severity.HIGH, remedy, holder.owner)
    if "repo" in holder.scopes or (holder.everywhere and holder.writes):
        words = f"{called[0].upper()}{called[1:]} may write to every repository that its owner can reach."
        remedy = "select the repositories that it needs"
        yield _wide(about, "every repository", words, [holder.place], Severity.MEDIUM, remedy, holder.owner)
    if holder.endless:
        yield _aged(FindingKind.LONG_LIVED_CREDENTIAL, about, holder, f"{called} never expires")
    if holder.used is not None and now - holder.used > UNUSED_AFTER:
        yield _aged(FindingKind.UNUSED_AUTHORITY, about, holder, f"{called} was not used for 90 days")


def _by_code(
    holder: TokenHolder, about: str, start: str, workflows: Sequence[Workflow], settings: _Settings
) -> Iterator[Discovered]:
    """Yield the path of one who may push code: to the secrets of the workflows that run it."""
    for workflow in workflows:
        for job in workflow.jobs:
            runs = any(step.run for step in job.steps) and job.secrets and not job.environment
            if not runs or "push" not in workflow.events:
                continue
            protected = not workflow.every_branch and settings.protected is True
            unknown = (
                "the branch is not protected"
                if not workflow.every_branch and settings.protected is None
                else ""
            )
            if not protected:
                does = f"push code that job {quoted(job.name)} of {quoted(workflow.place.file)} runs"
                end = "the secrets " + ", ".join(sorted(job.secrets))
                remedy = "protect the branches whose pushes run with secrets"
                yield _path(
                    holder.place,
                    about,
                    "code-write",
                    start,
                    end,
                    does,
                    Severity.HIGH,
                    unknown,
                    remedy,
                    by=holder.by,
                )
                return


def _trust(name: str, subject: str, place: FilePlace) -> Iterator[Discovered]:
    about = f"trust:github:{name}"
    if subject == "*" or subject.startswith("repo:*"):
        end, does = f"the cloud role behind {name}", "sign in from a workflow of its own repository"
        remedy = "name the repository and the branch or environment in the condition"
        start = "a person who has a repository on GitHub"
        yield _path(place, about, "open-trust", start, end, does, Severity.CRITICAL, "", remedy)
    elif subject.endswith((":*", "/*")):
        says = f"{quoted(name)} trusts every branch of {quoted(subject)}."
        yield _wide(about, "branches", says, [place], Severity.MEDIUM, "name the branch or the environment")


def _path(
    place: FilePlace,
    about: str,
    technique: str,
    start: str,
    end: str,
    does: str,
    severity: Severity,
    unknown: str,
    remedy: str,
    which: str = "",
    by: str = "",
) -> Discovered:
    step = PathStep(
        technique=technique,
        target=end,
        says=does,
        by=by,
        remediation=remedy,
        unknown=unknown,
        places=(place,),
    )
    lower = list(Severity)[min(severity.rank + bool(unknown), 3)]
    path = StepPath(start=start, steps=(step,), severity=lower)
    return path_finding(path, about=about, name_of=str, which=which)


def _wide(
    about: str,
    which: str,
    says: str,
    places: Sequence[FilePlace],
    severity: Severity,
    remedy: str,
    owner: str = "",
) -> Discovered:
    return Discovered(
        kind=_WIDE,
        about=about,
        which=which,
        says=says,
        places=tuple(places)[:MOST_PLACES],
        severity=severity,
        owner=owner,
        remediation=remedy,
    )


def _aged(kind: FindingKind, about: str, holder: TokenHolder, says: str) -> Discovered:
    return Discovered(
        kind=kind,
        about=about,
        which=holder.kind,
        says=f"{says[0].upper()}{says[1:]}.",
        places=(holder.place,),
        owner=holder.owner,
        remediation="revoke it, or let remit lease tokens that end with the task",
    )
