# SPDX-License-Identifier: Apache-2.0
"""Find records of the code host and show them as its API does."""

import hashlib
from typing import Any

from tests.interop.worlds.tool import State, ToolError

HOST = "https://forge.example"
COLOURS = {"bug": "d73a4a", "datum": "5319e7", "enhancement": "a2eeef", "release": "0e8a16"}


def repository_of(state: State, name: str) -> dict[str, Any]:
    """Return a repository by its full name."""
    found: dict[str, Any] | None = state["repositories"].get(name)
    if found is None:
        raise ToolError(f"404 Not Found: repository `{name}`")
    return found


def issue_of(state: State, repository: str, number: int) -> dict[str, Any]:
    """Return an issue or pull request."""
    repository_of(state, repository)
    issues: list[dict[str, Any]] = state["issues"]
    for found in issues:
        if (found["repository"], found["number"]) == (repository, number):
            return found
    raise ToolError(f"404 Not Found: #{number} in `{repository}`")


def pull_of(state: State, repository: str, number: int) -> dict[str, Any]:
    """Return a pull request."""
    found = issue_of(state, repository, number)
    if "pull" not in found:
        raise ToolError(f"404 Not Found: #{number} in `{repository}` is not a pull request")
    return found


def sha_of(*parts: object) -> str:
    """Return a stable identifier."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def user_of(state: State, login: str) -> dict[str, Any]:
    """Return how a user is shown in other records."""
    if login not in state["users"]:
        raise ToolError(f"404 Not Found: user `{login}`")
    return {"id": state["users"][login]["id"], "login": login, "html_url": f"{HOST}/{login}"}


def association_of(state: State, repository: str, login: str) -> str:
    """Return how a user relates to a repository."""
    if str(state["users"][login]["company"]) == "Tidewater Instruments":
        return "MEMBER"
    return "COLLABORATOR" if login in state["repositories"][repository]["collaborators"] else "NONE"


def labels_of(names: list[str]) -> list[dict[str, str]]:
    """Return labels with their colours."""
    return [{"name": name, "color": COLOURS.get(name, "ededed")} for name in names]


def link_of(found: dict[str, Any]) -> str:
    """Return the address of an issue or pull request."""
    part = "pull" if found["kind"] == "pull_request" else "issues"
    return f"{HOST}/{found['repository']}/{part}/{found['number']}"


def comments_of(state: State, issue: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the comments on an issue or pull request."""
    key = (issue["repository"], issue["number"])
    return [found for found in state["comments"] if (found["repository"], found["number"]) == key]


def issue_shown(state: State, found: dict[str, Any]) -> dict[str, Any]:
    """Return an issue as the API shows one."""
    repository = found["repository"]
    same = ("id", "number", "kind", "title", "body", "state", "milestone", "created_at", "updated_at")
    return {name: found[name] for name in same} | {
        "repository": {
            "full_name": repository,
            "visibility": state["repositories"][repository]["visibility"],
        },
        "user": user_of(state, found["author"]),
        "author_association": association_of(state, repository, found["author"]),
        "labels": labels_of(found["labels"]),
        "assignees": [user_of(state, login) for login in found["assignees"]],
        "comments": len(comments_of(state, found)),
        "html_url": link_of(found),
    }


def comment_shown(state: State, issue: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """Return a comment as the API shows one."""
    return {
        "id": found["id"],
        "user": user_of(state, found["author"]),
        "author_association": association_of(state, issue["repository"], found["author"]),
        "body": found["body"],
        "created_at": found["created_at"],
        "html_url": f"{link_of(issue)}#comment-{found['id']}",
    }


def overview_of(state: State, name: str) -> dict[str, Any]:
    """Return a repository as the API shows one."""
    found = state["repositories"][name]
    mine = found["collaborators"].get(state["viewer"])
    issues = [one for one in state["issues"] if one["repository"] == name and one["state"] == "open"]
    same = (
        "id",
        "description",
        "homepage",
        "visibility",
        "archived",
        "default_branch",
        "topics",
        "pushed_at",
    )
    return {key: found[key] for key in same} | {
        "full_name": name,
        "owner": {"login": name.partition("/")[0], "type": "Organization"},
        "stargazers_count": found["stars"],
        "open_issues_count": len(issues),
        "permissions": {"admin": mine == "admin", "push": mine in {"admin", "write"}},
        "html_url": f"{HOST}/{name}",
    }
