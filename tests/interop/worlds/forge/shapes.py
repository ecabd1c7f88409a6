# SPDX-License-Identifier: Apache-2.0
"""Shapes of the code host's results."""

from tests.interop.worlds.tool import array, boolean, integer, nullable, record, string

TIME = string("ISO 8601 timestamp in UTC.", format="date-time")
REPOSITORY = string("Full name of the repository, `owner/name`.")
NUMBER = integer("Number of the issue or pull request within its repository.")
USER = record({"id": integer(), "login": string(), "html_url": string(format="uri")})
LABEL = record({"name": string(), "color": string("Hexadecimal colour without `#`.")})

ISSUE = record(
    {
        "id": string("Node id."),
        "number": NUMBER,
        "repository": record({"full_name": string(), "visibility": string(enum=["public", "private"])}),
        "kind": string(enum=["issue", "pull_request"]),
        "title": string(),
        "body": string("Text in Markdown."),
        "state": string(enum=["open", "closed"]),
        "user": USER,
        "author_association": string(
            "Relation of the author to the repository.", enum=["MEMBER", "COLLABORATOR", "NONE"]
        ),
        "labels": array(LABEL),
        "assignees": array(USER),
        "milestone": nullable(string()),
        "comments": integer("Count of comments."),
        "created_at": TIME,
        "updated_at": TIME,
        "html_url": string(format="uri"),
    }
)
COMMENT = record(
    {
        "id": integer(),
        "user": USER,
        "author_association": string(enum=["MEMBER", "COLLABORATOR", "NONE"]),
        "body": string("Text in Markdown."),
        "created_at": TIME,
        "html_url": string(format="uri"),
    }
)
PULL = record(
    {
        "id": string("Node id."),
        "number": integer(),
        "title": string(),
        "body": string("Text in Markdown."),
        "state": string(enum=["open", "closed"]),
        "draft": boolean(),
        "merged": boolean(),
        "mergeable": boolean(),
        "user": USER,
        "head": record({"label": string("Owner and branch."), "ref": string("Branch.")}),
        "base": record({"ref": string("Branch.")}),
        "labels": array(LABEL),
        "requested_reviewers": array(USER),
        "created_at": TIME,
        "updated_at": TIME,
        "html_url": string(format="uri"),
    }
)
CHANGED_FILE = record(
    {
        "filename": string(),
        "status": string(enum=["added", "modified", "removed"]),
        "additions": integer(),
        "deletions": integer(),
        "patch": string("Unified diff."),
    }
)
RUN = record(
    {
        "id": integer("Identifier of the run."),
        "name": string("Name of the workflow."),
        "event": string(enum=["push", "pull_request", "schedule"]),
        "status": string(enum=["queued", "in_progress", "completed"]),
        "conclusion": nullable(string()),
        "head_branch": string(),
        "head_sha": string(),
        "actor": USER,
        "pull_requests": array(record({"number": integer()})),
        "run_started_at": TIME,
        "html_url": string(format="uri"),
    }
)
STEP = record(
    {
        "number": integer(),
        "name": string(),
        "conclusion": string(),
        "duration_s": integer(),
        "log": string("Output of the step, the last lines."),
    }
)
PROFILE = record(
    {
        "user": USER,
        "name": string(),
        "email": nullable(string("Public e-mail address.")),
        "company": string(),
        "bio": string(),
        "permission": string(enum=["triage", "write", "admin"]),
    }
)
OVERVIEW = record(
    {
        "id": string("Node id."),
        "full_name": string(),
        "description": string(),
        "homepage": string(),
        "visibility": string(enum=["public", "private"]),
        "archived": boolean(),
        "default_branch": string(),
        "owner": record({"login": string(), "type": string()}),
        "topics": array(string()),
        "stargazers_count": integer(),
        "open_issues_count": integer("Count of open issues and pull requests."),
        "pushed_at": TIME,
        "permissions": record({"admin": boolean(), "push": boolean()}),
        "html_url": string(format="uri"),
    }
)
COMMIT = record(
    {
        "content": record({"path": string(), "sha": string(), "size": integer("Bytes.")}),
        "commit": record({"sha": string(), "message": string(), "author": USER, "branch": string()}),
    }
)
INVITATION = record(
    {
        "id": integer(),
        "repository": record({"full_name": string()}),
        "invitee": USER,
        "inviter": USER,
        "permissions": string(),
        "created_at": TIME,
    }
)
MERGE = record({"sha": string(), "merged": boolean(), "message": string()})
