# SPDX-License-Identifier: Apache-2.0
"""Accounts of AWS in which a principal can gain rights, and accounts in which a small difference prevents it.

The facts (which permissions, which role) are those of the paths that pathfinding.cloud publishes, named by
their ids; the accounts and all words are ours. `agent` begins, `boss` and `machine` are administrators.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from remit.core.discovery.declared import PermissionExport, PermissionSource
from remit.core.discovery.discovered import Discovered, FilePlace
from remit.core.discovery.privileges.aws.findings import aws_findings
from remit.core.findings.kinds import FindingKind

ACCOUNT = "111122223333"
NOW = datetime(2026, 12, 2, tzinfo=UTC)
IAM = f"arn:aws:iam::{ACCOUNT}:"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
Document = dict[str, Any]


class KnownPath(msgspec.Struct, frozen=True):
    """One path: the permissions that it needs together, and the service whose role it takes, if any.

    `optional` permissions make it certain, or are needed for convenience alone.
    """

    id: str
    needs: str
    service: str = ""
    optional: str = ""

    @property
    def actions(self) -> list[str]:
        """All permissions of the path."""
        return [*self.needs.split(), *self.optional.split()]


#: The published paths. Where one lists a permission that only helps, it stands under `optional`.
PATHS = [
    KnownPath("apprunner-001", "iam:PassRole apprunner:CreateService", "tasks.apprunner"),
    KnownPath("apprunner-002", "apprunner:UpdateService", "tasks.apprunner"),
    KnownPath("batch-001", "iam:PassRole batch:RegisterJobDefinition batch:SubmitJob", "ecs-tasks"),
    KnownPath("batch-003", "batch:SubmitJob", "ecs-tasks"),
    KnownPath(
        "bedrock-001",
        "iam:PassRole bedrock-agentcore:CreateCodeInterpreter bedrock-agentcore:StartCodeInterpreterSession"
        " bedrock-agentcore:InvokeCodeInterpreter",
        "bedrock-agentcore",
    ),
    KnownPath(
        "bedrock-002",
        "bedrock-agentcore:StartCodeInterpreterSession bedrock-agentcore:InvokeCodeInterpreter",
        "bedrock-agentcore",
    ),
    KnownPath(
        "bedrock-003",
        "iam:PassRole bedrock-agentcore:CreateAgentRuntime bedrock-agentcore:CreateAgentRuntimeEndpoint"
        " bedrock-agentcore:CreateWorkloadIdentity bedrock-agentcore:InvokeAgentRuntimeCommand",
        "bedrock-agentcore",
    ),
    KnownPath("bedrock-004", "bedrock-agentcore:InvokeAgentRuntimeCommand", "bedrock-agentcore"),
    KnownPath(
        "bedrock-006",
        "iam:PassRole bedrock-agentcore:CreateBrowser bedrock-agentcore:StartBrowserSession"
        " bedrock-agentcore:ConnectBrowserAutomationStream",
        "bedrock-agentcore",
    ),
    KnownPath(
        "bedrock-007",
        "bedrock-agentcore:StartBrowserSession bedrock-agentcore:ConnectBrowserAutomationStream",
        "bedrock-agentcore",
    ),
    KnownPath("braket-001", "iam:PassRole braket:CreateJob", "braket"),
    KnownPath("cloudformation-001", "iam:PassRole cloudformation:CreateStack", "cloudformation"),
    KnownPath("cloudformation-002", "cloudformation:UpdateStack", "cloudformation"),
    KnownPath(
        "cloudformation-003",
        "iam:PassRole cloudformation:CreateStackSet cloudformation:CreateStackInstances",
        "cloudformation",
    ),
    KnownPath("cloudformation-004", "iam:PassRole cloudformation:UpdateStackSet", "cloudformation"),
    KnownPath(
        "cloudformation-005",
        "cloudformation:CreateChangeSet cloudformation:ExecuteChangeSet",
        "cloudformation",
    ),
    KnownPath("codebuild-001", "iam:PassRole codebuild:CreateProject codebuild:StartBuild", "codebuild"),
    KnownPath("codebuild-002", "codebuild:StartBuild", "codebuild"),
    KnownPath("codebuild-003", "codebuild:StartBuildBatch", "codebuild"),
    KnownPath("codebuild-004", "iam:PassRole codebuild:CreateProject codebuild:StartBuildBatch", "codebuild"),
    KnownPath(
        "codedeploy-001",
        "codedeploy:CreateDeployment codedeploy:RegisterApplicationRevision",
        "ec2",
        "codedeploy:GetDeploymentConfig",
    ),
    KnownPath(
        "cognitoidentity-001", "iam:PassRole cognito-identity:SetIdentityPoolRoles", "cognito-identity"
    ),
    KnownPath(
        "datapipeline-001",
        "iam:PassRole datapipeline:CreatePipeline datapipeline:PutPipelineDefinition"
        " datapipeline:ActivatePipeline",
        "datapipeline",
    ),
    KnownPath("ec2-001", "iam:PassRole ec2:RunInstances", "ec2"),
    KnownPath("ec2-002", "ec2:ModifyInstanceAttribute ec2:StopInstances ec2:StartInstances", "ec2"),
    KnownPath("ec2-003", "ec2-instance-connect:SendSSHPublicKey", "ec2", "ec2:DescribeInstances"),
    KnownPath("ec2-004", "iam:PassRole ec2:RequestSpotInstances", "ec2"),
    KnownPath("ec2-005", "ec2:CreateLaunchTemplateVersion ec2:ModifyLaunchTemplate", "ec2"),
    KnownPath(
        "ecs-001",
        "iam:PassRole ecs:RegisterTaskDefinition ecs:CreateService",
        "ecs-tasks",
        "ecs:CreateCluster",
    ),
    KnownPath("ecs-002", "iam:PassRole ecs:RunTask", "ecs-tasks", "ecs:RegisterTaskDefinition"),
    KnownPath("ecs-003", "iam:PassRole ecs:RegisterTaskDefinition ecs:CreateService", "ecs-tasks"),
    KnownPath("ecs-004", "iam:PassRole ecs:RunTask", "ecs-tasks", "ecs:RegisterTaskDefinition"),
    KnownPath("ecs-005", "iam:PassRole ecs:StartTask", "ecs-tasks", "ecs:RegisterTaskDefinition"),
    KnownPath("ecs-006", "ecs:ExecuteCommand", "ecs-tasks", "ecs:DescribeTasks"),
    KnownPath("ecs-008", "iam:PassRole ecs:RunTask", "ecs-tasks"),
    KnownPath("ecs-009", "iam:PassRole ecs:StartTask", "ecs-tasks"),
    KnownPath("emr-001", "iam:PassRole elasticmapreduce:RunJobFlow", "ec2"),
    KnownPath(
        "emrserverless-001",
        "iam:PassRole emr-serverless:StartJobRun",
        "emr-serverless",
        "emr-serverless:CreateApplication",
    ),
    KnownPath("gamelift-001", "iam:PassRole gamelift:CreateBuild gamelift:CreateFleet", "gamelift"),
    KnownPath("glue-001", "iam:PassRole glue:CreateDevEndpoint", "glue"),
    KnownPath("glue-002", "glue:UpdateDevEndpoint", "glue"),
    KnownPath("glue-003", "iam:PassRole glue:CreateJob glue:StartJobRun", "glue"),
    KnownPath("glue-004", "iam:PassRole glue:CreateJob glue:CreateTrigger", "glue"),
    KnownPath("glue-005", "iam:PassRole glue:UpdateJob glue:StartJobRun", "glue"),
    KnownPath("glue-006", "iam:PassRole glue:UpdateJob glue:CreateTrigger", "glue"),
    KnownPath("glue-007", "iam:PassRole glue:CreateSession glue:RunStatement", "glue"),
    KnownPath("iam-001", "iam:CreatePolicyVersion"),
    KnownPath("iam-002", "iam:SetDefaultPolicyVersion"),
    KnownPath("iam-003", "iam:CreatePolicyVersion", "", "iam:SetDefaultPolicyVersion"),
    KnownPath("iam-004", "iam:CreateAccessKey"),
    KnownPath("iam-005", "iam:CreateLoginProfile"),
    KnownPath("iam-006", "iam:UpdateLoginProfile"),
    KnownPath("iam-007", "iam:AttachUserPolicy"),
    KnownPath("iam-008", "iam:AttachGroupPolicy"),
    KnownPath("iam-009", "iam:AttachRolePolicy sts:AssumeRole"),
    KnownPath("iam-010", "iam:PutUserPolicy"),
    KnownPath("iam-011", "iam:PutGroupPolicy"),
    KnownPath("iam-012", "iam:PutRolePolicy sts:AssumeRole"),
    KnownPath("iam-013", "iam:AddUserToGroup"),
    KnownPath("iam-014", "iam:UpdateAssumeRolePolicy"),
    KnownPath("iam-015", "iam:CreateUser iam:PutUserPolicy", "", "iam:CreateAccessKey"),
    KnownPath("iam-016", "iam:CreateUser iam:AddUserToGroup", "", "iam:CreateAccessKey"),
    KnownPath("iam-017", "iam:CreateUser iam:AttachUserPolicy", "", "iam:CreateAccessKey"),
    KnownPath("iam-018", "iam:CreateUser iam:PutUserPolicy", "", "iam:CreateAccessKey"),
    KnownPath("iam-019", "iam:AttachRolePolicy iam:UpdateAssumeRolePolicy"),
    KnownPath("iam-020", "iam:CreatePolicyVersion sts:AssumeRole"),
    KnownPath("iam-021", "iam:PutRolePolicy iam:UpdateAssumeRolePolicy"),
    KnownPath("iam-022", "iam:DeleteUserPermissionsBoundary"),
    KnownPath("iam-024", "iam:PutUserPermissionsBoundary"),
    KnownPath("iam-026", "iam:DeleteUserPolicy"),
    KnownPath(
        "imagebuilder-001",
        "iam:PassRole imagebuilder:CreateComponent"
        " imagebuilder:CreateInfrastructureConfiguration imagebuilder:CreateImage",
        "ec2",
    ),
    KnownPath(
        "kinesisanalytics-001",
        "iam:PassRole kinesisanalytics:CreateApplication kinesisanalytics:StartApplication",
        "kinesisanalytics",
    ),
    KnownPath("lambda-001", "iam:PassRole lambda:CreateFunction lambda:InvokeFunction", "lambda"),
    KnownPath("lambda-002", "iam:PassRole lambda:CreateFunction lambda:CreateEventSourceMapping", "lambda"),
    KnownPath("lambda-003", "lambda:UpdateFunctionCode", "lambda"),
    KnownPath("lambda-004", "lambda:UpdateFunctionCode", "lambda", "lambda:InvokeFunction"),
    KnownPath("lambda-005", "lambda:UpdateFunctionCode", "lambda", "lambda:AddPermission"),
    KnownPath("lambda-006", "iam:PassRole lambda:CreateFunction lambda:AddPermission", "lambda"),
    KnownPath("omics-001", "iam:PassRole omics:CreateWorkflow omics:StartRun", "omics"),
    KnownPath("sagemaker-001", "iam:PassRole sagemaker:CreateNotebookInstance", "sagemaker"),
    KnownPath("sagemaker-002", "iam:PassRole sagemaker:CreateTrainingJob", "sagemaker"),
    KnownPath("sagemaker-003", "iam:PassRole sagemaker:CreateProcessingJob", "sagemaker"),
    KnownPath("sagemaker-004", "sagemaker:CreatePresignedNotebookInstanceUrl", "sagemaker"),
    KnownPath(
        "sagemaker-005",
        "sagemaker:CreateNotebookInstanceLifecycleConfig sagemaker:StopNotebookInstance"
        " sagemaker:UpdateNotebookInstance sagemaker:StartNotebookInstance",
        "sagemaker",
    ),
    KnownPath("ssm-001", "ssm:StartSession", "ec2"),
    KnownPath("ssm-002", "ssm:SendCommand", "ec2"),
    KnownPath("ssm-003", "iam:PassRole ssm:CreateDocument ssm:StartAutomationExecution", "ssm"),
    KnownPath("sts-001", "sts:AssumeRole"),
]


def statement(actions: object, resource: object = "*", **more: object) -> Document:
    """Return a statement that permits, unless `Effect` says otherwise."""
    return {"Effect": "Allow", "Action": actions, "Resource": resource, **more}


def policy(*statements: Document) -> Document:
    """Return a policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def trust(**principals: object) -> Document:
    """Return a trust policy."""
    return policy(
        {
            "Effect": "Allow",
            "Principal": principals,
            "Action": "sts:AssumeRoleWithWebIdentity" if "Federated" in principals else "sts:AssumeRole",
        }
    )


def user(name: str, *documents: Document, attached: tuple[str, ...] = (), **more: object) -> Document:
    """Return a user as `get-account-authorization-details` has it."""
    return {
        "UserName": name,
        "UserId": f"AIDA{name.upper()}",
        "Arn": f"{IAM}user/{name}",
        "UserPolicyList": [
            {"PolicyName": f"{name}-{n}", "PolicyDocument": d} for n, d in enumerate(documents)
        ],
        "AttachedManagedPolicies": _attached(attached),
        "GroupList": [],
        **more,
    }


def role(
    name: str, trusts: Document, *documents: Document, attached: tuple[str, ...] = (), **more: object
) -> Document:
    """Return a role as `get-account-authorization-details` has it, with an instance profile."""
    return {
        "RoleName": name,
        "RoleId": f"AROA{name.upper()}",
        "Arn": f"{IAM}role/{name}",
        "AssumeRolePolicyDocument": trusts,
        "RolePolicyList": [
            {"PolicyName": f"{name}-{n}", "PolicyDocument": d} for n, d in enumerate(documents)
        ],
        "AttachedManagedPolicies": _attached(attached),
        "InstanceProfileList": [{"Arn": f"{IAM}instance-profile/{name}"}],
        **more,
    }


def _attached(arns: tuple[str, ...]) -> list[Document]:
    return [{"PolicyArn": arn, "PolicyName": arn.rpartition("/")[2]} for arn in arns]


def details(
    *,
    users: Sequence[Document] = (),
    roles: Sequence[Document] = (),
    groups: Sequence[Document] = (),
    policies: Sequence[Document] = (),
) -> Document:
    """Return what `get-account-authorization-details` answers."""
    return {
        "UserDetailList": list(users),
        "RoleDetailList": list(roles),
        "GroupDetailList": list(groups),
        "Policies": list(policies),
    }


def managed(name: str, *versions: Document) -> Document:
    """Return a policy of the account with versions, the first of which is its default."""
    return {
        "PolicyName": name,
        "Arn": f"{IAM}policy/{name}",
        "PolicyVersionList": [
            {"VersionId": f"v{n}", "Document": each, "IsDefaultVersion": n == 1}
            for n, each in enumerate(versions, 1)
        ],
    }


def export(document: object, file: str = "details.json") -> PermissionExport:
    """Return a document as a reader yields it."""
    return PermissionExport(provider=PermissionSource.AWS, place=FilePlace(file=file), document=document)


def account(path: KnownPath) -> Document:
    """Return the account of a path: a role of a service and a user `boss` are administrators."""
    service = f"{path.service}.amazonaws.com"
    federated = path.service == "cognito-identity"
    groups: list[Document] = [
        {
            "GroupName": "bosses",
            "Arn": f"{IAM}group/bosses",
            "GroupPolicyList": [],
            "AttachedManagedPolicies": _attached((ADMINISTRATOR,)),
        },
        {"GroupName": "agents", "Arn": f"{IAM}group/agents", "GroupPolicyList": []},
    ]
    agent = user("agent", policy(statement(path.actions, Sid="Agent")), GroupList=["agents"])
    roles = []
    policies = [managed("tools", policy(statement("s3:ListAllMyBuckets")))]
    agent["AttachedManagedPolicies"] = _attached((f"{IAM}policy/tools",))
    if path.service:
        trusts = trust(Federated=service) if federated else trust(Service=service)
        roles.append(role("machine", trusts, attached=(ADMINISTRATOR,)))
    if path.id == "iam-002":
        policies = [managed("tools", policy(statement("s3:ListAllMyBuckets")), policy(statement("*")))]
    if path.id == "iam-014":
        roles.append(role("machine", trust(Service="ec2.amazonaws.com"), attached=(ADMINISTRATOR,)))
    if path.id == "sts-001":
        roles.append(role("machine", trust(AWS=f"{IAM}root"), attached=(ADMINISTRATOR,)))
    if path.id in ("iam-009", "iam-012", "iam-019", "iam-020", "iam-021"):
        trusts = (
            trust(AWS=f"{IAM}root")
            if "sts:AssumeRole" in path.actions
            else trust(Service="ec2.amazonaws.com")
        )
        tools = (f"{IAM}policy/tools",)
        roles.append(role("worker", trusts, attached=tools if path.id == "iam-020" else ()))
        if path.id == "iam-020":
            agent["AttachedManagedPolicies"] = []
    if path.id in ("iam-022", "iam-024"):
        agent["AttachedManagedPolicies"] = _attached((ADMINISTRATOR,))
        agent["PermissionsBoundary"] = {"PermissionsBoundaryArn": f"{IAM}policy/tools"}
        policies = [managed("tools", policy(statement(path.actions)))]
    if path.id == "iam-026":
        agent["AttachedManagedPolicies"] = _attached((ADMINISTRATOR,))
        agent["UserPolicyList"].append(
            {
                "PolicyName": "guard",
                "PolicyDocument": policy(
                    {"Effect": "Deny", "NotAction": "iam:DeleteUserPolicy", "Resource": "*"}
                ),
            }
        )
    return details(
        users=[agent, user("boss", attached=(ADMINISTRATOR,))], roles=roles, groups=groups, policies=policies
    )


def paths_of(exports: list[PermissionExport], name: str = "agent") -> list[Discovered]:
    """Return the escalation paths of a user or role."""
    return [
        each
        for each in aws_findings(exports, now=NOW)
        if each.kind is FindingKind.ESCALATION_PATH and each.about.endswith(f"/{name}")
    ]


#: The service of a role that no path of the other services can take.
_ELSEWHERE = "polly.amazonaws.com"


def near_misses(path: KnownPath) -> Iterator[tuple[str, list[PermissionExport]]]:
    """Yield accounts that differ from a path's in one point, and that point: no known path is left."""
    for action in path.needs.split():
        if _other_is_left(path, action):
            continue
        yield f"a denial of {action}", [export(_agent(path, _adding(_denial(action))))]
        yield f"without {action}", [export(_agent(path, _without(action)))]
        scp = policy(statement("*"), _denial(action))
        yield f"a service control policy denies {action}", [export(account(path)), export(scp, "scp.json")]
        yield f"a boundary without {action}", [export(_bounded(path, action))]
        yield (
            f"{action} elsewhere",
            [export(_agent(path, _conditioned(action, Resource="arn:aws:polly:::x")))],
        )
        past = {"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}
        yield f"{action} in the past", [export(_agent(path, _conditioned(action, Condition=past)))]
        tagged = {"StringEquals": {"aws:PrincipalTag/team": "red"}}
        yield f"{action} with another tag", [export(_agent(path, _conditioned(action, Condition=tagged)))]
        yield (
            f"{action} by another account",
            [
                export(
                    _agent(
                        path,
                        _conditioned(action, Condition={"StringEquals": {"aws:PrincipalAccount": "9" * 12}}),
                    )
                )
            ],
        )
        no = {"Bool": {"aws:SecureTransport": "true"}}
        yield (
            f"{action} denied with encryption",
            [export(_agent(path, _adding(_denial(action), {**_denial(action), "Condition": no})))],
        )
    if "iam:PassRole" in path.actions and not _other_is_left(path, "iam:PassRole"):
        to_other = {"StringEquals": {"iam:PassedToService": _ELSEWHERE}}
        yield (
            "the role is passed to another service",
            [export(_agent(path, _conditioned("iam:PassRole", Condition=to_other)))],
        )
        yield (
            "another role is passed",
            [export(_agent(path, _conditioned("iam:PassRole", Resource=f"{IAM}role/worker")))],
        )
    if path.service:
        changed = account(path)
        changed["RoleDetailList"][0]["AssumeRolePolicyDocument"] = trust(Service=_ELSEWHERE)
        yield "the role trusts another service", [export(changed)]
        changed = account(path)
        changed["RoleDetailList"][0]["AttachedManagedPolicies"] = []
        yield "the role has no rights", [export(changed)]


def _other_is_left(path: KnownPath, action: str) -> bool:
    """Return whether another known path needs only what is left without an action."""
    left = set(path.actions) - {action}
    return any(each.service == path.service and set(each.needs.split()) <= left for each in PATHS)


def _denial(action: str) -> Document:
    return {"Effect": "Deny", "Action": action, "Resource": "*"}


def _agent(path: KnownPath, change: Callable[[Document], None]) -> Document:
    changed = copy.deepcopy(account(path))
    change(changed["UserDetailList"][0])
    return changed


def _adding(*statements: Document) -> Callable[[Document], None]:
    def change(agent: Document) -> None:
        # In a policy that the agent cannot remove, and above each that it has.
        agent["UserPolicyList"].append({"PolicyName": "more", "PolicyDocument": policy(*statements)})

    return change


def _without(action: str) -> Callable[[Document], None]:
    def change(agent: Document) -> None:
        agent["AttachedManagedPolicies"] = [
            each for each in agent["AttachedManagedPolicies"] if each["PolicyArn"] != ADMINISTRATOR
        ]
        for each in agent["UserPolicyList"][0]["PolicyDocument"]["Statement"]:
            each["Action"] = [one for one in each["Action"] if one != action]

    return change


def _conditioned(action: str, **more: object) -> Callable[[Document], None]:
    """Permit one action only under a condition or on a resource."""

    def change(agent: Document) -> None:
        _without(action)(agent)
        agent["UserPolicyList"][0]["PolicyDocument"]["Statement"].append({**statement(action), **more})

    return change


def _bounded(path: KnownPath, action: str) -> Document:
    def change(agent: Document) -> None:
        _without("")(agent)
        agent["PermissionsBoundary"] = {"PermissionsBoundaryArn": f"{IAM}policy/bound"}

    changed = _agent(path, change)
    changed["Policies"].append(
        managed("bound", policy({"Effect": "Allow", "NotAction": action, "Resource": "*"}))
    )
    return changed
