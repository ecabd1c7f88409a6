# SPDX-License-Identifier: Apache-2.0
"""Platforms whose workloads get OIDC tokens: the form of their tokens, with the exact names of claims.

A platform is a preset for an issuer (`trust.issuers`): its issuer, its signature algorithms, the claims that
are always in its tokens, and the claim that names one running copy. A preset permits nothing: an agent's
binding pins issuer, subject and any further claims.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from remit.core.errors import Unauthenticated
from remit.core.identity.workload import claim
from remit.core.json_value import Json


class Platform(msgspec.Struct, frozen=True, kw_only=True):
    """The form of the tokens of one kind of issuer.

    `required` are claims (names, or RFC 6901 pointers) that each token holds. `instance` are the claims that
    name one running copy; the first that is present counts. `claims` are those useful in a binding, with
    their meaning. `issuer` is empty where each installation has its own; then `issuer_pattern` describes it.
    """

    title: str
    algorithms: tuple[str, ...]
    subject_pattern: str
    subject_example: str
    issuer: str = ""
    issuer_pattern: str = ""
    required: tuple[str, ...] = ()
    instance: tuple[str, ...] = ()
    claims: Mapping[str, str] = {}

    def check(self, claims: Mapping[str, Json]) -> None:
        """Refuse a token that this platform would not issue: raise `Unauthenticated` (`token-claims`)."""
        missing = [name for name in self.required if claim(claims, name) in (None, "")]
        if missing or not re.fullmatch(self.subject_pattern, str(claims.get("sub", ""))):
            raise Unauthenticated(
                f"this is not a token of {self.title}",
                code="token-claims",
                remediation=f"present a token that the platform issued to a workload, with {self._needs()}",
                debug=f"missing: {missing}",
                step=1,
            )

    def instance_of(self, claims: Mapping[str, Json]) -> str:
        """Return the running copy that a token was issued to; empty where the platform does not name it."""
        for name in self.instance:
            found = claim(claims, name)
            if isinstance(found, str | int) and not isinstance(found, bool) and found != "":
                return str(found)[:200]
        return ""

    def _needs(self) -> str:
        named = ", ".join(f"`{name}`" for name in self.required)
        return f"a subject like `{self.subject_example}`" + (f" and {named}" if named else "")


_STS: Final = "/https:~1~1sts.amazonaws.com~1"

PLATFORMS: Final[Mapping[str, Platform]] = {
    # Kubernetes, "Managing Service Accounts": bound service account tokens.
    "kubernetes": Platform(
        title="a Kubernetes cluster",
        algorithms=("RS256", "ES256", "ES384", "ES512"),
        subject_pattern=r"system:serviceaccount:[a-z0-9-]{1,63}:[a-z0-9.-]{1,253}",
        subject_example="system:serviceaccount:NAMESPACE:NAME",
        required=(
            "/kubernetes.io/namespace",
            "/kubernetes.io/serviceaccount/name",
            "/kubernetes.io/serviceaccount/uid",
        ),
        instance=("/kubernetes.io/pod/uid",),
        claims={
            "/kubernetes.io/namespace": "the namespace",
            "/kubernetes.io/serviceaccount/name": "the service account",
            "/kubernetes.io/serviceaccount/uid": "the exact service account, not a later one of the "
            "same name",
            "/kubernetes.io/pod/name": "the pod",
            "/kubernetes.io/node/name": "the node that the pod runs on",
        },
    ),
    # GitHub Docs, "OpenID Connect reference".
    "github-actions": Platform(
        title="GitHub Actions",
        issuer="https://token.actions.githubusercontent.com",
        algorithms=("RS256",),
        subject_pattern=r"[^\s]{1,2048}",
        subject_example="repo:OWNER/REPOSITORY:environment:NAME",
        required=("repository", "repository_id", "repository_owner_id", "workflow_ref", "run_id"),
        instance=("run_id",),
        claims={
            "repository_id": "the repository, even after a rename",
            "repository_owner_id": "its owner, even after a rename",
            "ref": "the git ref, such as `refs/heads/main`; `*` and `**` as in branch filters",
            "environment": "the deployment environment, with its protection rules",
            "job_workflow_ref": "the reusable workflow, with its ref",
            "workflow_ref": "the workflow, with its ref",
            "event_name": "what started the run; `pull_request` may come from an outsider",
            "runner_environment": "`github-hosted` or `self-hosted`",
        },
    ),
    # GitLab Docs, "OpenID Connect (OIDC) Authentication Using ID Tokens".
    "gitlab": Platform(
        title="GitLab CI/CD",
        issuer="https://gitlab.com",
        algorithms=("RS256",),
        subject_pattern=r"project_path:[^\s]{1,2048}",
        subject_example="project_path:GROUP/PROJECT:ref_type:branch:ref:main",
        required=("project_id", "namespace_id", "pipeline_id", "job_id", "ref", "ref_protected"),
        instance=("job_id",),
        claims={
            "project_id": "the project, even after a rename",
            "namespace_id": "its group",
            "ref_protected": "`true` on protected branches and tags",
            "ref_path": "the full git ref; `*` and `**` as in branch filters",
            "environment": "the deployment environment",
            "environment_protected": "`true` where the environment is protected",
            "ci_config_ref_uri": "the pipeline's definition, with its ref",
            "pipeline_source": "what started the pipeline",
        },
    ),
    # AWS IAM User Guide, "Understanding token claims" of outbound identity federation.
    "aws": Platform(
        title="AWS",
        issuer_pattern=r"https://[a-z0-9-]+\.tokens\.sts\.global\.api\.aws(\.[a-z.]+)?",
        algorithms=("ES384", "RS256"),
        subject_pattern=r"arn:aws[a-z-]*:iam::\d{12}:.{1,1024}",
        subject_example="arn:aws:iam::123456789012:role/NAME",
        required=(f"{_STS}/aws_account",),
        instance=(
            f"{_STS}/ec2_source_instance_arn",
            f"{_STS}/lambda_source_function_arn",
        ),
        claims={
            f"{_STS}/aws_account": "the account",
            f"{_STS}/org_id": "the organisation",
            f"{_STS}/source_region": "the calling region",
            f"{_STS}/lambda_source_function_arn": "the calling function",
            f"{_STS}/ec2_source_instance_arn": "the calling instance",
        },
    ),
    # Google Cloud Docs, "Verify the identity of Compute Engine instances"; `format=full`.
    "gcp": Platform(
        title="Google Cloud",
        issuer="https://accounts.google.com",
        algorithms=("RS256",),
        subject_pattern=r"\d{1,64}",
        subject_example="100147106996764479085",
        required=("azp",),
        instance=("/google/compute_engine/instance_id",),
        claims={
            "email": "the service account; give `email_verified: true` beside it",
            "email_verified": "`true` for service accounts",
            "/google/compute_engine/project_id": "the project of the instance",
            "/google/compute_engine/zone": "its zone",
            "/google/compute_engine/instance_id": "one exact instance",
        },
    ),
    # Microsoft Entra, "Access token claims reference": tokens of managed identities and applications.
    "azure": Platform(
        title="Microsoft Entra ID",
        issuer_pattern=r"https://(login\.microsoftonline\.com/[0-9a-f-]{36}/v2\.0|sts\.windows\.net/[0-9a-f-]{36}/)",
        algorithms=("RS256",),
        subject_pattern=r"[A-Za-z0-9_-]{1,128}",
        subject_example="the object ID of the managed identity",
        required=("tid", "oid"),
        instance=(),
        claims={
            "tid": "the tenant",
            "oid": "the object ID of the managed identity or application",
            "azp": "the client ID, in version 2 tokens",
            "appid": "the client ID, in version 1 tokens",
            "idtyp": "`app` for a token without a user",
            "xms_mirid": "the resource of the managed identity",
        },
    ),
}
