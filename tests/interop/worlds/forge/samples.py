# SPDX-License-Identifier: Apache-2.0
"""Sample calls of the code host's tools."""

from tests.interop.worlds.tool import Call, State

KIT = "tidewater/gaugekit"


def samples(state: State) -> list[Call]:
    """Return calls of each tool, which together show each place."""
    issues = [{"repository": one["repository"], "number": one["number"]} for one in state["issues"]]
    pulls = [
        {"repository": one["repository"], "number": one["number"]}
        for one in state["issues"]
        if one["kind"] == "pull_request"
    ]
    return [
        ("list_repositories", {}),
        ("list_repositories", {"visibility": "private"}),
        ("search_issues", {"query": "datum", "repository": KIT, "state": "all", "sort": "updated"}),
        ("search_issues", {}),
        *(("get_issue", one) for one in issues),
        *(("list_pull_requests", {"repository": name}) for name in state["repositories"]),
        *(("list_pull_request_files", one) for one in pulls),
        *(("list_workflow_runs", {"repository": name}) for name in state["repositories"]),
        *(("list_run_steps", {"run_id": run["id"]}) for run in state["runs"]),
        *(("list_collaborators", {"repository": name}) for name in state["repositories"]),
        ("get_file_contents", {"repository": KIT}),
        ("get_file_contents", {"repository": KIT, "path": "docs/known-stations.md"}),
        *(("fetch_page", {"url": url}) for url in state["pages"]),
        (
            "create_issue",
            {"repository": KIT, "title": "Release 0.9.3", "body": "By Friday.", "labels": ["release"]},
        ),
        ("update_issue", {"repository": KIT, "number": 203, "state": "closed", "assignees": ["nwalther"]}),
        ("add_comment", {"repository": KIT, "number": 206, "body": "Approved."}),
        ("delete_comment", {"repository": KIT, "comment_id": 2720001944}),
        ("merge_pull_request", {"repository": KIT, "number": 204, "merge_method": "squash"}),
        ("write_file", {"repository": KIT, "path": "NEWS.md", "content": "# 0.9.3\n", "message": "News"}),
        ("add_collaborator", {"repository": KIT, "login": "marisol-dev", "permission": "triage"}),
        ("update_repository", {"repository": KIT, "topics": ["python", "tides"]}),
    ]
