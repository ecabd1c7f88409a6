# SPDX-License-Identifier: Apache-2.0
"""Workflows, tokens and trusts with and without escalation paths.

The facts are those of GitHub's documentation.
"""

from __future__ import annotations

from typing import Final

from remit.core.discovery.declared import PermissionSource
from remit.core.json_value import Json
from tests.samples.privileges.case import Case

HEAD: Final = "${{ github.event.pull_request.head.sha }}"
SHA: Final = "0123456789abcdef0123456789abcdef01234567"
CHECKOUT: Final = {"uses": "actions/checkout@v4", "with": {"ref": HEAD}}
BUILD: Final = {"run": "npm ci && npm test", "env": {"TOKEN": "${{ secrets.NPM_TOKEN }}"}}
PLAIN: Final = {"run": "npm ci && npm test"}
TITLE: Final = {"run": 'echo "${{ github.event.issue.title }}"'}


def workflow(on: Json, *steps: Json, job: dict[str, Json] | None = None, **fields: Json) -> dict[str, Json]:
    """Return a workflow with one job."""
    return {
        "on": on,
        "jobs": {"build": {"runs-on": "ubuntu-latest", "steps": [*steps], **(job or {})}},
        **fields,
    }


def app(**permissions: str) -> dict[str, Json]:
    """Return an installed app as `GET /orgs/ORG/installations` lists it."""
    installed = {"app_slug": "bot", "permissions": permissions, "repository_selection": "selected"}
    return {"installations": [installed]}


def classic(*scopes: str) -> list[dict[str, Json]]:
    """Return a classic token as `GET /orgs/ORG/credential-authorizations` lists it."""
    kind = "personal access token"
    return [{"login": "jane", "credential_type": kind, "token_last_eight": "EXAMPLE0", "scopes": [*scopes]}]


def fine(expired: bool = False, **repository: str) -> list[dict[str, Json]]:
    """Return a fine-grained token as `GET /orgs/ORG/personal-access-tokens` lists it."""
    permissions = {"repository": repository, "organization": {}}
    return [
        {
            "owner": {"login": "jane"},
            "token_name": "t",
            "token_expired": expired,
            "permissions": permissions,
            "token_expires_at": "2027-01-01T00:00:00Z",
            "repository_selection": "subset",
        }
    ]


def _case(name: str, paths: str, document: Json, **more: Json) -> Case:
    file = ".github/workflows/w.yml" if isinstance(document, dict) and "jobs" in document else "github.json"
    return Case(
        name=name,
        provider=PermissionSource.GITHUB,
        documents={file: document, **{f"{key}.json": value for key, value in more.items()}},
        paths=frozenset(paths.split(",") if paths else ()),
        source="GitHub Docs",
    )


_WORKFLOW: Final = ".github/workflows/w.yml"
_DEFAULT: Final = {"default_workflow_permissions": "read", "can_approve_pull_request_reviews": False}
_MEMBER: Final = "github.event.pull_request.author_association == 'MEMBER'"
_PUBLIC: Final = [{"full_name": "acme/web", "private": False}]
_PRIVATE: Final = [{"full_name": "acme/web", "private": True}]
_DEPLOY: Final = workflow("push", CHECKOUT, BUILD)
_TRUST: Final = {"name": "deploy", "issuer": "https://token.actions.githubusercontent.com"}

PATHS: Final = [
    _case(
        "a pull request's code with a secret",
        f"{_WORKFLOW} pull-request-code",
        workflow("pull_request_target", CHECKOUT, BUILD),
    ),
    _case(
        "a pull request's code with a token that writes",
        f"{_WORKFLOW} pull-request-code",
        workflow(["pull_request_target"], CHECKOUT, PLAIN, permissions="write-all"),
    ),
    _case(
        "a pull request's code with the default token",
        f"{_WORKFLOW} pull-request-code",
        workflow({"pull_request_target": {}}, CHECKOUT, PLAIN),
    ),
    _case(
        "a pull request fetched by commands",
        f"{_WORKFLOW} pull-request-code",
        workflow(
            "pull_request_target",
            {"run": "gh pr checkout 1\nmake", "env": {"T": "${{ secrets.T }}", "R": HEAD}},
        ),
    ),
    _case(
        "a local action of the pull request",
        f"{_WORKFLOW} pull-request-code",
        workflow("pull_request_target", CHECKOUT, {"uses": "./action", "with": {"t": "${{ secrets.T }}"}}),
    ),
    _case(
        "approved by a label",
        f"{_WORKFLOW} pull-request-code",
        workflow({"pull_request_target": {"types": ["labeled"]}}, CHECKOUT, BUILD),
    ),
    _case(
        "the head of another run",
        f"{_WORKFLOW} workflow-run-code",
        workflow(
            "workflow_run",
            {"uses": "actions/checkout@v4", "with": {"ref": "${{ github.event.workflow_run.head_sha }}"}},
            BUILD,
        ),
    ),
    _case(
        "the title of an issue in a script",
        f"{_WORKFLOW} script-injection",
        workflow("issues", TITLE, permissions="write-all"),
    ),
    _case(
        "a comment in a script of an action",
        f"{_WORKFLOW} script-injection",
        workflow(
            "issue_comment",
            {"uses": "actions/github-script@v7", "with": {"script": "x('${{ github.event.comment.body }}')"}},
            permissions={"contents": "write"},
        ),
    ),
    _case(
        "a pull request on a self-hosted runner",
        f"{_WORKFLOW} self-hosted-runner",
        workflow("pull_request", PLAIN, job={"runs-on": ["self-hosted", "linux"]}),
        repositories=_PUBLIC,
    ),
    _case("an app that writes workflows", "bot workflow-write", app(contents="write", workflows="write")),
    _case("a classic token that writes workflows", "jane/PLE0 workflow-write", classic("repo", "workflow")),
    _case(
        "a fine-grained token that writes workflows",
        "jane/t workflow-write",
        fine(contents="write", workflows="write"),
    ),
    _case(
        "a deploy key that writes",
        "ci workflow-write",
        [{"key": "ssh-ed25519 AAAA", "title": "ci", "read_only": False}],
    ),
    _case("code that a workflow runs with secrets", "bot code-write", _DEPLOY, app=app(contents="write")),
    _case("an app that administers", "bot administration", app(administration="write")),
    _case("an app that changes members", "bot members", app(members="write")),
    _case(
        "an app that registers runners",
        "bot organization-self-hosted-runners",
        app(organization_self_hosted_runners="write"),
    ),
    _case("a cloud that trusts every repository", "deploy open-trust", {**_TRUST, "subject": "repo:*"}),
    _case(
        "a provider without a condition",
        "p open-trust",
        {"name": "p", "oidc": {"issuerUri": "https://token.actions.githubusercontent.com"}},
    ),
    _case(
        "only forks",
        f"{_WORKFLOW} pull-request-code",
        workflow(
            "pull_request_target",
            CHECKOUT,
            BUILD,
            job={"if": "github.event.pull_request.head.repo.full_name != github.repository"},
        ),
    ),
    _case(
        "members or anyone",
        f"{_WORKFLOW} pull-request-code",
        workflow(
            "pull_request_target",
            CHECKOUT,
            BUILD,
            job={"if": "github.event.pull_request.author_association == 'MEMBER' || always()"},
        ),
    ),
    _case(
        "a pull request's code by a comment",
        f"{_WORKFLOW} pull-request-code",
        workflow(
            "issue_comment",
            {
                "uses": "actions/checkout@v4",
                "with": {"ref": "refs/pull/${{ github.event.issue.number }}/head"},
            },
            BUILD,
        ),
    ),
    _case(
        "an image built of a pull request",
        f"{_WORKFLOW} pull-request-code",
        workflow(
            "pull_request_target",
            CHECKOUT,
            {"uses": f"docker/build-push-action@{SHA}", "with": {"secrets": "${{ secrets.T }}"}},
        ),
    ),
]

NEAR_MISSES: Final = [
    _case("a pull request's code without rights", "", workflow("pull_request", CHECKOUT, BUILD)),
    _case("the base's code", "", workflow("pull_request_target", {"uses": "actions/checkout@v4"}, BUILD)),
    _case(
        "checked out and never run",
        "",
        workflow(
            "pull_request_target",
            CHECKOUT,
            {"run": "git diff --stat | head"},
            {"uses": "actions/labeler@v5"},
            permissions="write-all",
        ),
    ),
    _case("run before the checkout", "", workflow("pull_request_target", BUILD, CHECKOUT)),
    _case(
        "a token that reads, and no secrets",
        "",
        workflow("pull_request_target", CHECKOUT, PLAIN, permissions={"contents": "read"}),
    ),
    _case(
        "a token that reads by default",
        "",
        workflow("pull_request_target", CHECKOUT, PLAIN),
        settings=_DEFAULT,
    ),
    _case(
        "only branches of the repository",
        "",
        workflow(
            "pull_request_target",
            CHECKOUT,
            BUILD,
            job={"if": "github.event.pull_request.head.repo.full_name == github.repository"},
        ),
    ),
    _case(
        "only members",
        "",
        workflow(
            "issue_comment", TITLE, BUILD, job={"if": "github.event.comment.author_association == 'MEMBER'"}
        ),
    ),
    _case(
        "a title passed by the environment",
        "",
        workflow(
            "issues",
            {"run": 'echo "$TITLE"', "env": {"TITLE": "${{ github.event.issue.title }}"}},
            permissions="write-all",
        ),
    ),
    _case(
        "a number is no text",
        "",
        workflow("issues", {"run": "echo ${{ github.event.issue.number }}"}, permissions="write-all"),
    ),
    _case(
        "a text of the repository's own branch",
        "",
        workflow("push", {"run": "echo ${{ github.event.head_commit.message }}"}, permissions="write-all"),
    ),
    _case(
        "a private repository's self-hosted runner",
        "",
        workflow("pull_request", PLAIN, job={"runs-on": "self-hosted"}),
        repositories=_PRIVATE,
    ),
    _case("repo without workflow", "", classic("repo")),
    _case("workflow without repo", "", classic("workflow", "read:org")),
    _case("an app that reads", "", app(contents="read", administration="read", workflows="read")),
    _case("an app that writes code that nothing runs", "", app(contents="write")),
    _case("code that runs without secrets", "", workflow("push", CHECKOUT, PLAIN), app=app(contents="write")),
    _case(
        "code that runs on protected branches",
        "",
        workflow({"push": {"branches": ["main"]}}, CHECKOUT, BUILD),
        app=app(contents="write"),
        protection={"required_pull_request_reviews": {"required_approving_review_count": 1}},
    ),
    _case("a token that ended", "", fine(expired=True, contents="write", workflows="write")),
    _case("a deploy key that reads", "", [{"key": "ssh-ed25519 AAAA", "title": "ci", "read_only": True}]),
    _case(
        "a cloud that trusts one environment",
        "",
        {**_TRUST, "subject": "repo:acme/web:environment:production"},
    ),
    _case(
        "a provider with a condition",
        "",
        {
            "name": "p",
            "attributeCondition": "assertion.repository_owner=='acme'",
            "oidc": {"issuerUri": "https://token.actions.githubusercontent.com"},
        },
    ),
    _case(
        "members or owners",
        "",
        workflow(
            "pull_request_target",
            CHECKOUT,
            BUILD,
            job={"if": f"{_MEMBER} || {_MEMBER}"},
        ),
    ),
    _case(
        "text tools run nothing",
        "",
        workflow(
            "pull_request_target",
            CHECKOUT,
            {"run": "sed -n 1p README.md | tee out", "env": {"T": "${{ secrets.T }}"}},
        ),
    ),
]
