# SPDX-License-Identifier: Apache-2.0
"""Exports of permissions are recognized by their content, and manifests and templates become such."""

import json

import pytest

from remit.core.discovery.declared import PermissionSource
from tests.clients.file_reads import exports_of, pieces_of

ADMIN = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "*"}],
}
ROLE = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "r"},
    "rules": [],
}


@pytest.mark.parametrize(
    ("provider", "document"),
    [
        ("aws", {"UserDetailList": [], "RoleDetailList": [], "Policies": []}),
        ("aws", ADMIN),
        ("aws", {"PolicyVersion": {"Document": ADMIN, "VersionId": "v1"}}),
        ("aws", {"Role": {"RoleName": "r", "AssumeRolePolicyDocument": TRUST}}),
        ("aws", {"Roles": [{"RoleName": "r", "AssumeRolePolicyDocument": TRUST}]}),
        ("kubernetes", ROLE),
        ("kubernetes", {"apiVersion": "v1", "kind": "List", "items": [ROLE]}),
        ("azure", [{"roleDefinitionName": "Owner", "principalId": "p", "scope": "/"}]),
        ("azure", [{"roleName": "Custom", "assignableScopes": ["/"], "permissions": []}]),
        ("azure", [{"type": "Microsoft.KeyVault/vaults", "properties": {"accessPolicies": []}}]),
        (
            "azure",
            {
                "value": [
                    {"properties": {"principalId": "p"}, "type": "Microsoft.Authorization/roleAssignments"}
                ]
            },
        ),
        ("gcp", {"bindings": [{"role": "roles/owner", "members": ["user:a@example.com"]}], "etag": "x"}),
        ("gcp", [{"name": "roles/x", "includedPermissions": ["a.b.c"]}]),
        ("gcp", [{"keyType": "USER_MANAGED", "validAfterTime": "2026-01-01T00:00:00Z"}]),
        (
            "github",
            {"total_count": 1, "installations": [{"app_slug": "a", "permissions": {"contents": "write"}}]},
        ),
        ("github", {"default_workflow_permissions": "write"}),
        ("github", [{"full_name": "o/r", "permissions": {"admin": True}}]),
    ],
)
def test_each_form_of_a_provider_is_recognized(provider: str, document: object) -> None:
    """The document is the provider's own, unchanged, whatever the file's name is."""
    (export,) = exports_of("export.json", json.dumps(document, indent=1))
    assert export.provider is PermissionSource(provider)
    assert export.document == document


@pytest.mark.parametrize(
    "document",
    [{"name": "app", "permissions": ["camera"]}, {"Statement": "hello"}, {"bindings": []}, [], [1], "x"],
)
def test_other_documents_are_no_exports(document: object) -> None:
    """A word in common is not enough."""
    assert exports_of("package.json", document) == []


def test_manifests_become_one_list_without_the_values_of_secrets() -> None:
    """Objects of one file come together; data, and environments, are left out."""
    text = """
kind: Secret
apiVersion: v1
metadata: {name: s}
stringData: {password: swordfish}
---
kind: RoleBinding
apiVersion: rbac.authorization.k8s.io/v1
metadata: {name: b}
subjects: [{kind: ServiceAccount, name: a}]
---
kind: Pod
apiVersion: v1
metadata: {name: p}
spec:
  automountServiceAccountToken: false
  containers: [{name: c, env: [{name: KEY, value: swordfish}]}]
"""
    (export,) = exports_of("all.yaml", text)
    secret, binding, pod = export.document["items"]
    assert "swordfish" not in json.dumps(export.document)
    assert secret["metadata"] == {"name": "s"}
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "a"}]
    assert pod["spec"]["automountServiceAccountToken"] is False


def test_workflows_are_exports_of_github() -> None:
    """A workflow states the permissions of its token."""
    text = "on: push\npermissions: write-all\njobs: {build: {runs-on: x, steps: []}}\n"
    (export,) = exports_of(".github/workflows/ci.yml", text)
    assert export.provider is PermissionSource.GITHUB
    assert export.document["permissions"] == "write-all"
    assert exports_of("other/ci.yml", text) == []


def test_the_credential_report_of_aws_is_an_export() -> None:
    """It is CSV; its rows come with the names of their columns."""
    text = "user,arn,user_creation_time,password_enabled\nana,arn:aws:iam::1:user/ana,2020,true\n"
    (export,) = exports_of("report.csv", text)
    assert export.document["CredentialReport"][0]["user"] == "ana"
    assert pieces_of("report.csv", text)


TERRAFORM = """
resource "aws_iam_role_policy" "inline" {
  role   = aws_iam_role.r.name
  policy = jsonencode({
    Version = "2012-10-17" # the language
    Statement = [{ Effect = "Allow", Action = ["*"], Resource = aws_s3_bucket.b.arn }]
  })
}
data "aws_iam_policy_document" "doc" {
  statement {
    actions   = ["iam:PassRole"]
    resources = ["*"]
    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ec2.amazonaws.com"]
    }
  }
}
resource "aws_iam_policy" "text" {
  policy = <<EOF
{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
EOF
}
"""


def test_policies_in_terraform_are_exports_at_their_resource() -> None:
    """Literal policies are read in each of the ways to write them."""
    inline, built, text = exports_of("main.tf", TERRAFORM)
    assert [one.place.inside for one in (inline, built, text)] == [
        "aws_iam_role_policy.inline",
        "aws_iam_policy_document.doc",
        "aws_iam_policy.text",
    ]
    assert [one.place.line for one in (inline, built, text)] == [4, 9, 21]
    assert inline.document["Statement"][0]["Resource"] == "${aws_s3_bucket.b.arn}"
    (statement,) = built.document["Statement"]
    assert statement["Action"] == ["iam:PassRole"]
    assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": ["ec2.amazonaws.com"]}}
    assert text.document == ADMIN


def _attributes(kind: str, title: str, /, **attributes: object) -> dict[str, object]:
    return {"mode": "managed", "type": kind, "name": title, "instances": [{"attributes": attributes}]}


def test_state_and_templates_become_authorization_details() -> None:
    """Roles have their trust, their inline policies and the managed ones that are attached."""
    arn = "arn:aws:iam::1:policy/p"
    state = {
        "version": 4,
        "resources": [
            _attributes(
                "aws_iam_role",
                "r",
                name="r",
                arn="arn:aws:iam::1:role/r",
                assume_role_policy=json.dumps(TRUST),
            ),
            _attributes("aws_iam_role_policy", "i", name="i", role="r", policy=json.dumps(ADMIN)),
            _attributes("aws_iam_policy", "p", name="p", arn=arn, policy=json.dumps(ADMIN)),
            _attributes("aws_iam_role_policy_attachment", "a", role="r", policy_arn=arn),
        ],
    }
    template = {
        "Resources": {
            "r": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "AssumeRolePolicyDocument": TRUST,
                    "Policies": [{"PolicyName": "i", "PolicyDocument": ADMIN}],
                    "ManagedPolicyArns": [{"Ref": "p"}],
                },
            },
            "p": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": ADMIN}},
        }
    }
    for file, document in (("terraform.tfstate", state), ("stack.template", template)):
        (export,) = exports_of(file, document)
        (role,) = export.document["RoleDetailList"]
        (managed,) = export.document["Policies"]
        assert role["AssumeRolePolicyDocument"] == TRUST
        assert role["RolePolicyList"] == [{"PolicyName": "i", "PolicyDocument": ADMIN}]
        assert [one["PolicyArn"] for one in role["AttachedManagedPolicies"]] == [managed["Arn"]]
        assert managed["PolicyVersionList"][0]["Document"] == ADMIN
