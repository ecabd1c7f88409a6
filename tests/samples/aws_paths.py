# SPDX-License-Identifier: Apache-2.0
"""Accounts of AWS in which a principal can gain rights, and accounts in which a small difference prevents it.

The facts (which permissions, which role) are those of the paths that pathfinding.cloud publishes, named by
their ids, each read in its catalogue; the accounts and all words are ours. `agent` begins, `boss` and
`machine` are administrators.
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
TOOLS = f"{IAM}policy/tools"
ABROAD = "444455556666"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
Document = dict[str, Any]


class KnownPath(msgspec.Struct, frozen=True):
    """One path: the permissions that it needs together, and the service whose role it takes, if any.

    `optional` permissions make it certain, or are needed for convenience alone. `role` is the kind of a role
    beside it (see `_worker`), `by` the kind of the agent, `on` the resource that limits its permissions.
    """

    id: str
    needs: str
    service: str = ""
    optional: str = ""
    role: str = ""
    by: str = "user"
    on: str = "*"

    @property
    def actions(self) -> list[str]:
        """All permissions of the path."""
        return [*self.needs.split(), *self.optional.split()]


#: The published paths. Where one lists a permission that only helps, it stands under `optional`. A role
#: trusts the service that AWS documents: GameLift, where the catalogue has EC2.
CATALOGUE = [
    KnownPath("apprunner-001", "iam:PassRole apprunner:CreateService", "tasks.apprunner"),
    KnownPath("apprunner-002", "apprunner:UpdateService", "tasks.apprunner"),
    KnownPath("batch-001", "iam:PassRole batch:RegisterJobDefinition batch:SubmitJob", "ecs-tasks"),
    KnownPath("batch-002", "batch:SubmitJob", "ecs-tasks"),
    KnownPath(
        "batch-003",
        "iam:PassRole batch:RegisterJobDefinition batch:SubmitJob",
        "ecs-tasks",
        "batch:CreateComputeEnvironment batch:CreateJobQueue",
    ),
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
        "bedrock-005",
        "iam:PassRole bedrock-agentcore:CreateHarness bedrock-agentcore:CreateAgentRuntime"
        " bedrock-agentcore:CreateAgentRuntimeEndpoint bedrock-agentcore:CreateWorkloadIdentity"
        " bedrock-agentcore:InvokeAgentRuntimeCommand",
        "bedrock-agentcore",
        "bedrock-agentcore:GetAgentRuntime bedrock-agentcore:GetHarness",
        on=f"arn:aws:bedrock-agentcore:eu-west-1:{ACCOUNT}:harness/*",
    ),
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
    KnownPath("ec2-003", "iam:PassRole ec2:RequestSpotInstances", "ec2"),
    KnownPath("ec2-004", "ec2:CreateLaunchTemplateVersion ec2:ModifyLaunchTemplate", "ec2"),
    KnownPath(
        "ec2-005", "ec2:CreateLaunchTemplateVersion ec2:ModifyLaunchTemplate", "ec2", "ec2:RunInstances"
    ),
    KnownPath(
        "ec2instanceconnect-003", "ec2-instance-connect:SendSSHPublicKey", "ec2", "ec2:DescribeInstances"
    ),
    KnownPath(
        "ecs-001",
        "iam:PassRole ecs:RegisterTaskDefinition ecs:CreateService",
        "ecs-tasks",
        "ecs:CreateCluster",
    ),
    KnownPath(
        "ecs-002", "iam:PassRole ecs:RunTask", "ecs-tasks", "ecs:CreateCluster ecs:RegisterTaskDefinition"
    ),
    KnownPath("ecs-003", "iam:PassRole ecs:RegisterTaskDefinition ecs:CreateService", "ecs-tasks"),
    KnownPath("ecs-004", "iam:PassRole ecs:RunTask", "ecs-tasks", "ecs:RegisterTaskDefinition"),
    KnownPath("ecs-005", "iam:PassRole ecs:StartTask", "ecs-tasks", "ecs:RegisterTaskDefinition"),
    KnownPath("ecs-006", "ecs:ExecuteCommand", "ecs-tasks", "ecs:DescribeTasks"),
    KnownPath("ecs-007", "iam:PassRole ecs:StartTask", "ecs-tasks", "ecs:RegisterContainerInstance"),
    KnownPath("ecs-008", "iam:PassRole ecs:RunTask", "ecs-tasks"),
    KnownPath("ecs-009", "iam:PassRole ecs:StartTask", "ecs-tasks"),
    KnownPath("emr-001", "iam:PassRole elasticmapreduce:RunJobFlow", "ec2"),
    KnownPath(
        "emrserverless-001",
        "iam:PassRole emr-serverless:StartJobRun",
        "emr-serverless",
        "emr-serverless:CreateApplication",
    ),
    KnownPath(
        "gamelift-001",
        "iam:PassRole gamelift:CreateBuild gamelift:CreateFleet",
        "gamelift",
        "gamelift:RequestUploadCredentials",
    ),
    KnownPath("glue-001", "iam:PassRole glue:CreateDevEndpoint", "glue"),
    KnownPath("glue-002", "glue:UpdateDevEndpoint", "glue"),
    KnownPath("glue-003", "iam:PassRole glue:CreateJob glue:StartJobRun", "glue"),
    KnownPath("glue-004", "iam:PassRole glue:CreateJob glue:CreateTrigger", "glue"),
    KnownPath("glue-005", "iam:PassRole glue:UpdateJob glue:StartJobRun", "glue"),
    KnownPath("glue-006", "iam:PassRole glue:UpdateJob glue:CreateTrigger", "glue"),
    KnownPath("glue-007", "iam:PassRole glue:CreateSession glue:RunStatement", "glue"),
    KnownPath("iam-001", "iam:CreatePolicyVersion"),
    KnownPath("iam-002", "iam:CreateAccessKey"),
    KnownPath("iam-003", "iam:CreateAccessKey", "", "iam:DeleteAccessKey"),
    KnownPath("iam-004", "iam:CreateLoginProfile"),
    KnownPath("iam-005", "iam:PutRolePolicy", by="role"),
    KnownPath("iam-006", "iam:UpdateLoginProfile"),
    KnownPath("iam-007", "iam:PutUserPolicy"),
    KnownPath("iam-008", "iam:AttachUserPolicy"),
    KnownPath("iam-009", "iam:AttachRolePolicy", by="role"),
    KnownPath("iam-010", "iam:AttachGroupPolicy"),
    KnownPath("iam-011", "iam:PutGroupPolicy"),
    KnownPath("iam-012", "iam:UpdateAssumeRolePolicy", role="strong"),
    KnownPath("iam-013", "iam:AddUserToGroup"),
    KnownPath("iam-014", "iam:AttachRolePolicy sts:AssumeRole", role="weak open"),
    KnownPath("iam-015", "iam:AttachUserPolicy iam:CreateAccessKey", on=f"{IAM}user/other"),
    KnownPath("iam-016", "iam:CreatePolicyVersion sts:AssumeRole", role="weak open"),
    KnownPath("iam-017", "iam:PutRolePolicy sts:AssumeRole", role="weak open"),
    KnownPath("iam-018", "iam:PutUserPolicy iam:CreateAccessKey", on=f"{IAM}user/other"),
    KnownPath("iam-019", "iam:AttachRolePolicy iam:UpdateAssumeRolePolicy", role="weak"),
    KnownPath("iam-020", "iam:CreatePolicyVersion iam:UpdateAssumeRolePolicy", role="weak"),
    KnownPath("iam-021", "iam:PutRolePolicy iam:UpdateAssumeRolePolicy", role="weak"),
    KnownPath("iam-022", "iam:DeleteUserPermissionsBoundary"),
    KnownPath("iam-023", "iam:DeleteRolePermissionsBoundary sts:AssumeRole", role="bounded open"),
    KnownPath("iam-024", "iam:PutUserPermissionsBoundary"),
    KnownPath("iam-025", "iam:DetachUserPolicy"),
    KnownPath("iam-026", "iam:DeleteUserPolicy"),
    KnownPath(
        "imagebuilder-001",
        "iam:PassRole imagebuilder:CreateComponent imagebuilder:CreateImageRecipe"
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
    KnownPath("omics-001", "iam:PassRole omics:CreateWorkflow omics:StartRun", "omics", "s3:GetObject"),
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
    KnownPath("scheduler-001", "iam:PassRole scheduler:CreateSchedule", "scheduler"),
    KnownPath("ssm-001", "ssm:StartSession", "ec2"),
    KnownPath("ssm-002", "ssm:SendCommand", "ec2"),
    KnownPath("ssm-003", "iam:PassRole ssm:CreateDocument ssm:StartAutomationExecution", "ssm"),
    KnownPath("stepfunctions-001", "iam:PassRole states:CreateStateMachine states:StartExecution", "states"),
    KnownPath("stepfunctions-002", "states:UpdateStateMachine", "states", "states:StartExecution"),
    KnownPath("sts-001", "sts:AssumeRole", role="strong open"),
    KnownPath("sts-002", "sts:AssumeRole", role="strong abroad"),
    KnownPath("sts-003", "", "", "sts:AssumeRole", role="strong public"),
    KnownPath("sts-004", "iam:UpdateAssumeRolePolicy", role="strong"),
]

#: Paths that the catalogue does not list: of Rhino Security Labs' methods, and of new users.
FURTHER = [
    KnownPath("default-version", "iam:SetDefaultPolicyVersion"),
    KnownPath("new-user-inline", "iam:CreateUser iam:PutUserPolicy", "", "iam:CreateAccessKey"),
    KnownPath("new-user-member", "iam:CreateUser iam:AddUserToGroup", "", "iam:CreateAccessKey"),
    KnownPath("new-user-attached", "iam:CreateUser iam:AttachUserPolicy", "", "iam:CreateAccessKey"),
]
PATHS = [*CATALOGUE, *FURTHER]


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


def _worker(path: KnownPath) -> Document:
    """Return the role beside a path: strong, bounded or weak, trusting EC2, its account, or every account."""
    _, _, trusted = path.role.partition(" ")
    trusts = {
        "open": trust(AWS=f"{IAM}root"),
        "abroad": trust(AWS=f"{IAM}root"),
        "public": trust(AWS="*"),
    }.get(trusted, trust(Service="ec2.amazonaws.com"))
    strong = (ADMINISTRATOR,) if not path.role.startswith("weak") else ()
    tools = (TOOLS,) if "iam:CreatePolicyVersion" in path.actions else ()
    worker = role("worker", trusts, attached=(*strong, *tools))
    if path.role.startswith("bounded"):
        worker["PermissionsBoundary"] = {"PermissionsBoundaryArn": TOOLS}
    if trusted == "abroad":
        worker["Arn"] = worker["Arn"].replace(ACCOUNT, ABROAD)
    return worker


def _guarded(path: KnownPath, agent: Document) -> list[Document]:
    """Make the agent an administrator limited by a boundary or a denial, and return the policies for it."""
    [action] = path.actions
    guard = policy({"Effect": "Deny", "NotAction": action, "Resource": "*"})
    agent["AttachedManagedPolicies"] = _attached((ADMINISTRATOR,))
    if path.id in ("iam-022", "iam-024"):
        agent["PermissionsBoundary"] = {"PermissionsBoundaryArn": TOOLS}
        return [managed("tools", policy(statement(path.actions)))]
    if path.id == "iam-025":
        agent["AttachedManagedPolicies"] += _attached((f"{IAM}policy/guard",))
        return [managed("guard", guard)]
    agent["UserPolicyList"].append({"PolicyName": "guard", "PolicyDocument": guard})
    return []


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
    permits = [statement(path.actions, path.on, Sid="Agent")]
    if path.service and path.on != "*":
        elsewhere = ("iam:PassRole", "bedrock-agentcore:CreateWorkloadIdentity")
        permits.append(statement([each for each in path.actions if each in elsewhere], Sid="Agent"))
    roles = []
    policies = [managed("tools", policy(statement("s3:ListAllMyBuckets")))]
    if path.by == "role":
        agent = role("agent", trust(Service="ec2.amazonaws.com"), policy(*permits), attached=(TOOLS,))
    else:
        agent = user("agent", policy(*permits), GroupList=["agents"])
        agent["AttachedManagedPolicies"] = [] if path.role else _attached((TOOLS,))
    if path.service:
        trusts = trust(Federated=service) if federated else trust(Service=service)
        roles.append(role("machine", trusts, attached=(ADMINISTRATOR,)))
    if path.role:
        roles.append(_worker(path))
    if path.id == "default-version":
        policies = [managed("tools", policy(statement("s3:ListAllMyBuckets")), policy(statement("*")))]
    if path.id in ("iam-022", "iam-024", "iam-025", "iam-026"):
        policies = _guarded(path, agent)
    users = [user("boss", attached=(ADMINISTRATOR,)), user("other")]
    (roles if path.by == "role" else users).append(agent)
    return details(users=users, roles=roles, groups=groups, policies=policies)


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
        if action == "iam:CreatePolicyVersion" or "iam:CreatePolicyVersion" not in path.actions:
            # Who may write versions of each policy also rewrites its boundary.
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
    if path.service or " " in path.role:
        changed = account(path)
        changed["RoleDetailList"][0]["AssumeRolePolicyDocument"] = trust(Service=_ELSEWHERE)
        yield "the role trusts another service", [export(changed)]
    if path.service or path.role.startswith(("strong", "bounded")):
        changed = account(path)
        changed["RoleDetailList"][0]["AttachedManagedPolicies"] = []
        yield "the role has no rights", [export(changed)]


def _other_is_left(path: KnownPath, action: str) -> bool:
    """Return whether another known path needs only what is left without an action."""
    left = set(path.actions) - {action}
    return any(
        (each.service, each.role, each.by) == (path.service, path.role, path.by)
        and (each.on == path.on or path.service)
        and set(each.needs.split()) <= left
        for each in PATHS
    )


def _denial(action: str) -> Document:
    return {"Effect": "Deny", "Action": action, "Resource": "*"}


def _agent(path: KnownPath, change: Callable[[Document], None]) -> Document:
    changed = copy.deepcopy(account(path))
    # The agent is the last of its kind.
    change(changed["RoleDetailList" if path.by == "role" else "UserDetailList"][-1])
    return changed


def _inline(agent: Document) -> list[Document]:
    found: list[Document] = agent.get("UserPolicyList") or agent["RolePolicyList"]
    return found


def _adding(*statements: Document) -> Callable[[Document], None]:
    def change(agent: Document) -> None:
        # In a policy that the agent cannot remove, and above each that it has.
        _inline(agent).append({"PolicyName": "more", "PolicyDocument": policy(*statements)})

    return change


def _without(action: str) -> Callable[[Document], None]:
    def change(agent: Document) -> None:
        agent["AttachedManagedPolicies"] = [
            each for each in agent["AttachedManagedPolicies"] if each["PolicyArn"] != ADMINISTRATOR
        ]
        for each in _inline(agent)[0]["PolicyDocument"]["Statement"]:
            actions = [each["Action"]] if isinstance(each["Action"], str) else each["Action"]
            each["Action"] = [one for one in actions if one != action]

    return change


def _conditioned(action: str, **more: object) -> Callable[[Document], None]:
    """Permit one action only under a condition or on a resource."""

    def change(agent: Document) -> None:
        _without(action)(agent)
        _inline(agent)[0]["PolicyDocument"]["Statement"].append({**statement(action), **more})

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
