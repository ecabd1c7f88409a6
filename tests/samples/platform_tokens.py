# SPDX-License-Identifier: Apache-2.0
"""Tokens in the shape of each platform: its issuer, claims, a binding, and the instance that it names."""

from __future__ import annotations

from typing import Any

#: Issuer, claims as the platform's own documentation shows them, and a binding that names the workload.
SHAPES: dict[str, tuple[str, dict[str, Any], dict[str, Any], str]] = {
    "kubernetes": (
        "https://kubernetes.default.svc.cluster.local",
        {
            "sub": "system:serviceaccount:agents:contract-bot",
            "jti": "ea28ed49-2e11-4280-9ec5-bc3d1d84661a",
            "kubernetes.io": {
                "namespace": "agents",
                "node": {"name": "node-7", "uid": "58456cb0-dd00-45ed-b797-5578fdceaced"},
                "pod": {
                    "name": "contract-bot-69cbfb9798-jv9gn",
                    "uid": "778a530c-b3f4-47c0-9cd5-ab018fb64f33",
                },
                "serviceaccount": {"name": "contract-bot", "uid": "a087d5a0-e1dd-43ec-93ac-f13d89cd13af"},
                "warnafter": 1700081020,
            },
        },
        {
            "/kubernetes.io/namespace": "agents",
            "/kubernetes.io/serviceaccount/uid": "a087d5a0-e1dd-43ec-93ac-f13d89cd13af",
        },
        "778a530c-b3f4-47c0-9cd5-ab018fb64f33",
    ),
    "github-actions": (
        "https://token.actions.githubusercontent.com",
        {
            "sub": "repo:example/agents:environment:production",
            "jti": "example-id",
            "repository": "example/agents",
            "repository_id": "74",
            "repository_owner": "example",
            "repository_owner_id": "65",
            "repository_visibility": "private",
            "environment": "production",
            "ref": "refs/heads/main",
            "ref_type": "branch",
            "ref_protected": "true",
            "sha": "example-sha",
            "workflow": "agent",
            "workflow_ref": "example/agents/.github/workflows/agent.yml@refs/heads/main",
            "job_workflow_ref": "example/shared/.github/workflows/run.yml@refs/tags/v2.3",
            "event_name": "workflow_dispatch",
            "runner_environment": "github-hosted",
            "run_id": "1681384041",
            "run_attempt": "2",
            "actor": "someone",
            "actor_id": "12",
        },
        {
            "repository_id": "74",
            "repository_owner_id": "65",
            "environment": "production",
            "job_workflow_ref": "example/shared/.github/workflows/run.yml@refs/tags/v2.*",
        },
        "1681384041",
    ),
    "gitlab": (
        "https://gitlab.com",
        {
            "sub": "project_path:my-group/my-project:ref_type:branch:ref:main",
            "jti": "235b3a54-b797-45c7-ae9a-f72d7bc6ef5b",
            "namespace_id": "72",
            "namespace_path": "my-group",
            "project_id": "20",
            "project_path": "my-group/my-project",
            "user_id": "1",
            "user_login": "sample-user",
            "pipeline_id": "574",
            "pipeline_source": "push",
            "job_id": "302",
            "ref": "main",
            "ref_type": "branch",
            "ref_path": "refs/heads/main",
            "ref_protected": "true",
            "runner_id": 1,
            "runner_environment": "gitlab-hosted",
            "ci_config_ref_uri": "gitlab.com/my-group/my-project//.gitlab-ci.yml@refs/heads/main",
            "groups_direct": ["my-group", "my-group/sub"],
        },
        {
            "project_id": "20",
            "ref_protected": "true",
            "ref_path": "refs/heads/*",
            "groups_direct": "my-group",
            "runner_id": "1",
        },
        "302",
    ),
    "aws": (
        "https://abc123-def456-ghi789.tokens.sts.global.api.aws",
        {
            "sub": "arn:aws:iam::123456789012:role/ContractBot",
            "jti": "xyz123",
            "https://sts.amazonaws.com/": {
                "aws_account": "123456789012",
                "source_region": "eu-central-1",
                "org_id": "o-abc1234567",
                "principal_tags": {"team": "legal"},
                "lambda_source_function_arn": "arn:aws:lambda:eu-central-1:123456789012:function:bot",
                "request_tags": {"job-id": "7"},
            },
        },
        {
            "/https:~1~1sts.amazonaws.com~1/aws_account": "123456789012",
            "/https:~1~1sts.amazonaws.com~1/principal_tags/team": ["legal", "tax"],
        },
        "arn:aws:lambda:eu-central-1:123456789012:function:bot",
    ),
    "gcp": (
        "https://accounts.google.com",
        {
            "sub": "107517467455664443765",
            "azp": "107517467455664443765",
            "email": "contract-bot@my-project.iam.gserviceaccount.com",
            "email_verified": True,
            "google": {
                "compute_engine": {
                    "project_id": "my-project",
                    "project_number": 739419398126,
                    "zone": "europe-west3-a",
                    "instance_id": "152986662232938449",
                    "instance_name": "example",
                    "instance_creation_timestamp": 1496952205,
                }
            },
        },
        {
            "email": "contract-bot@my-project.iam.gserviceaccount.com",
            "email_verified": "true",
            "/google/compute_engine/project_number": "739419398126",
        },
        "152986662232938449",
    ),
    "azure": (
        "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0",
        {
            "sub": "cde39eb4-1a6a-4a0b-9d3c-1b2f3f4d5e6f",
            "oid": "cde39eb4-1a6a-4a0b-9d3c-1b2f3f4d5e6f",
            "tid": "72f988bf-86f1-41af-91ab-2d7cd011db47",
            "azp": "11111111-2222-3333-4444-555555555555",
            "azpacr": "2",
            "idtyp": "app",
            "uti": "abc",
            "ver": "2.0",
        },
        {"tid": "72f988bf-86f1-41af-91ab-2d7cd011db47", "idtyp": "app"},
        "",
    ),
}
