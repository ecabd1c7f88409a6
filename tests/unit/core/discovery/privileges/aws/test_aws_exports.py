# SPDX-License-Identifier: Apache-2.0
"""Exports of AWS in the forms that its tools write, and hostile ones."""

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest

from remit.core.discovery.declared import PermissionExport, PermissionSource
from remit.core.discovery.privileges.aws.exports import read_exports
from remit.core.discovery.privileges.aws.findings import aws_findings
from remit.core.findings.kinds import FindingKind, Severity
from tests.samples.aws_paths import (
    ADMINISTRATOR,
    IAM,
    NOW,
    details,
    export,
    managed,
    paths_of,
    policy,
    role,
    statement,
    trust,
    user,
)

DEPLOY = ["iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction"]
MACHINE = role("machine", trust(Service="lambda.amazonaws.com"), attached=(ADMINISTRATOR,))
WORLD = [export(details(users=[user("agent", policy(statement(DEPLOY)))], roles=[MACHINE]))]


def of(kind: FindingKind, exports: list[PermissionExport]) -> list[Any]:
    """Return the findings of a kind."""
    return [each for each in aws_findings(exports, now=NOW) if each.kind is kind]


def test_documents_may_be_texts_as_the_api_returns_them() -> None:
    """Policy documents in percent-encoded JSON, and whole exports as JSON text, are read."""
    agent = user("agent")
    agent["UserPolicyList"] = [
        {"PolicyName": "p", "PolicyDocument": quote(json.dumps(policy(statement(DEPLOY))))}
    ]
    assert paths_of([export(json.dumps(details(users=[agent], roles=[MACHINE])))])


def test_outputs_of_single_commands_make_a_whole() -> None:
    """`get-*` and `list-attached-*` are joined by names and paths."""
    bare = {key: MACHINE[key] for key in ("RoleName", "Arn", "AssumeRolePolicyDocument")}
    agent = {"UserName": "agent", "Arn": f"{IAM}user/agent", "UserId": "AIDAX"}
    attached = {"AttachedPolicies": [{"PolicyName": "ops", "PolicyArn": f"{IAM}policy/ops"}]}
    exports = [
        export({"User": agent}, "get-user.json"),
        export({"Role": bare}, "get-role.json"),
        export({"Policy": {"PolicyName": "ops", "Arn": f"{IAM}policy/ops"}}, "get-policy.json"),
        export(
            {"PolicyVersion": {"Document": policy(statement("*")), "VersionId": "v1"}}, "versions/ops.json"
        ),
        export(attached, "attached-role-policies/machine.json"),
        export(
            {"UserName": "agent", "PolicyName": "p", "PolicyDocument": policy(statement(DEPLOY))}, "p.json"
        ),
    ]
    assert len(paths_of(exports)) == 1
    assert len(paths_of(exports[::-1])) == 1


def test_groups_give_their_members_rights() -> None:
    """A policy of a group is named as such."""
    group = {
        "GroupName": "ops",
        "Arn": f"{IAM}group/ops",
        "GroupPolicyList": [{"PolicyName": "deploy", "PolicyDocument": policy(statement(DEPLOY))}],
    }
    agent = user("agent", GroupList=["ops"])
    [found] = paths_of([export(details(users=[agent], roles=[MACHINE], groups=[group]))])
    assert "policy `deploy` of group `ops`" in found.steps[0]


def test_control_policies_of_organizations_limit_their_accounts() -> None:
    """A policy with targets limits these accounts; the management account is limited by none."""
    content = json.dumps(policy({"Effect": "Deny", "Action": "iam:PassRole", "Resource": "*"}))

    def control(*targets: str, kind: str = "SERVICE_CONTROL_POLICY") -> PermissionExport:
        summary = {"Id": "p-1", "Name": "no-pass", "Type": kind}
        described = {"Policy": {"PolicySummary": summary, "Content": content}}
        return export({**described, "Targets": [{"TargetId": each} for each in targets]}, "no-pass.json")

    assert paths_of([*WORLD, control()]) == []
    assert paths_of([*WORLD, control("111122223333")]) == []
    assert paths_of([*WORLD, control("ou-1234")]) == []
    assert len(paths_of([*WORLD, control("999988887777")])) == 1
    assert len(paths_of([*WORLD, control(kind="TAG_POLICY")])) == 1
    management = export({"Organization": {"Id": "o-1", "MasterAccountId": "111122223333"}}, "org.json")
    assert len(paths_of([*WORLD, control(), management])) == 1


def test_a_list_of_permitted_services_limits() -> None:
    """A service control policy that permits denies what it does not name."""
    only = policy(statement(["iam:*", "s3:*"]))
    assert paths_of([*WORLD, export(only, "scp-allow.json")]) == []
    assert len(paths_of([*WORLD, export(policy(statement("*")), "scp-full.json")])) == 1


def test_a_resource_control_policy_limits_who_assumes_roles() -> None:
    """It stands above the trust policies of the account."""
    open_ = role("open", trust(AWS=f"{IAM}root"), attached=(ADMINISTRATOR,))
    world = [export(details(users=[user("agent", policy(statement("sts:AssumeRole")))], roles=[open_]))]
    assert len(paths_of(world)) == 1
    control = policy({"Effect": "Deny", "Principal": "*", "Action": "sts:*", "Resource": "*"})
    assert paths_of([*world, export(control, "rcp.json")]) == []


def test_a_session_policy_limits_a_session() -> None:
    """A request of `assume-role` with a policy is a separate principal."""
    base = role("agent-role", trust(Service="ec2.amazonaws.com"), policy(statement(DEPLOY)))
    world = export(details(roles=[base, MACHINE]))

    def session(*actions: str) -> PermissionExport:
        request = {
            "RoleArn": f"{IAM}role/agent-role",
            "RoleSessionName": "s",
            "Policy": json.dumps(policy(statement(list(actions)))),
        }
        return export(request, "session.json")

    assert len(paths_of([world, session("*")], "agent-role/s")) == 1
    assert paths_of([world, session("s3:*")], "agent-role/s") == []
    assert len(paths_of([world, session("s3:*")], "agent-role")) == 1


def test_old_versions_of_documents_have_no_variables() -> None:
    """`${aws:username}` is a text in a document without the version of 2012."""
    old = {
        "Statement": [
            statement(DEPLOY[1:]),
            statement("iam:PassRole", Condition={"StringEquals": {"aws:username": "${aws:username}"}}),
        ]
    }
    new = {**old, "Version": "2012-10-17"}
    for document, paths in ((new, 1), (old, 0)):
        agent = user("agent", document)
        assert len(paths_of([export(details(users=[agent], roles=[MACHINE]))])) == paths


REPORT = [
    {
        "user": "<root_account>",
        "arn": f"{IAM}root",
        "access_key_1_active": "true",
        "access_key_1_last_rotated": "2026-11-01T00:00:00+00:00",
        "access_key_1_last_used_date": "N/A",
    },
    {
        "user": "agent",
        "arn": f"{IAM}user/agent",
        "access_key_1_active": "true",
        "access_key_1_last_rotated": "2026-01-01T00:00:00+00:00",
        "access_key_1_last_used_date": "2026-12-01T00:00:00+00:00",
        "access_key_2_active": "true",
        "access_key_2_last_rotated": "2026-11-30T00:00:00+00:00",
    },
]
KEYS = "\n".join(
    [",".join(REPORT[1]), *(",".join(each.get(name, "N/A") for name in REPORT[1]) for each in REPORT)]
)


@pytest.mark.parametrize("encoded", [False, True])
def test_old_access_keys_are_found_in_the_credential_report(*, encoded: bool) -> None:
    """A key of the root user is always wrong, others by their age."""
    document: Any = KEYS
    if encoded:
        document = {"Content": base64.b64encode(KEYS.encode()).decode(), "ReportFormat": "text/csv"}
    found = of(FindingKind.LONG_LIVED_CREDENTIAL, [export(document, "report.csv")])
    assert [(each.says, each.weight) for each in found] == [
        (
            (
                "access key number 1 of the root user of account 111122223333 is active and 31 days old, "
                "and was never used"
            ),
            Severity.CRITICAL,
        ),
        ("access key number 1 of user `agent` is active and 335 days old", Severity.MEDIUM),
    ]


def test_a_listed_access_key_is_named_by_its_last_characters() -> None:
    """Nothing else of its id is said, and inactive keys are left out."""
    one = {
        "UserName": "agent",
        "AccessKeyId": "AKIA" + "EXAMPLE" + "WXYZ1",
        "CreateDate": "2026-01-01T00:00:00Z",
    }
    keys = {"AccessKeyMetadata": [{**one, "Status": "Active"}, {**one, "Status": "Inactive"}]}
    [found] = of(FindingKind.LONG_LIVED_CREDENTIAL, [*WORLD, export(keys, "keys.json")])
    assert found.which == "access key ...XYZ1"
    assert "EXAMPLE" not in repr(found)


def test_unused_roles_and_services_are_found() -> None:
    """By when a role was last used, and by last access to services."""
    idle = role(
        "idle",
        trust(Service="ec2.amazonaws.com"),
        policy(statement("s3:*")),
        CreateDate="2020-01-01T00:00:00Z",
        RoleLastUsed={},
    )
    busy = role(
        "busy",
        trust(Service="ec2.amazonaws.com"),
        policy(statement("s3:*")),
        RoleLastUsed={"LastUsedDate": "2026-12-01T00:00:00Z"},
    )
    report = {
        "ServicesLastAccessed": [
            {"ServiceNamespace": "s3", "LastAuthenticated": "2026-11-30T00:00:00Z"},
            {"ServiceNamespace": "ec2", "LastAuthenticated": "2026-01-30T00:00:00Z"},
            {"ServiceNamespace": "kms"},
        ]
    }
    found = of(
        FindingKind.UNUSED_AUTHORITY,
        [export(details(roles=[idle, busy])), export(report, "last-accessed/busy.json")],
    )
    assert [each.says for each in found] == [
        "role `idle` was not used in the reported period",
        "role `busy` may use services that it did not use for 90 days: `ec2`, `kms`",
    ]


GITHUB = f"{IAM}oidc-provider/token.actions.githubusercontent.com"
SUB = "token.actions.githubusercontent.com:sub"


@pytest.mark.parametrize(
    ("document", "severity"),
    [
        (trust(AWS="*"), Severity.CRITICAL),
        (trust(AWS="999988887777"), Severity.MEDIUM),
        (trust(AWS="arn:aws:iam::999988887777:root"), Severity.MEDIUM),
        (trust(AWS="arn:aws:iam::999988887777:role/one"), None),
        (trust(AWS=f"{IAM}root"), None),
        (trust(Service="lambda.amazonaws.com"), None),
        (trust(Federated=GITHUB), Severity.CRITICAL),
        (trust(Federated="cognito-identity.amazonaws.com"), Severity.CRITICAL),
    ],
)
def test_trust_policies_that_let_too_many_in(document: dict[str, Any], severity: Severity | None) -> None:
    """Anyone, a whole foreign account, any repository."""
    found = of(FindingKind.WIDE_AUTHORITY, [export(details(roles=[role("r", document)]))])
    assert [each.weight for each in found] == ([severity] if severity else [])


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ({"StringEquals": {SUB: "repo:acme/app:ref:refs/heads/main"}}, False),
        ({"StringLike": {SUB: "repo:acme/*"}}, False),
        ({"StringLike": {SUB: "repo:acme/app:*"}}, False),
        ({"StringLike": {SUB: "repo:*"}}, True),
        ({"StringLike": {SUB: "repo:acme*"}}, True),
        ({"StringLike": {SUB: "*"}}, True),
        ({"ForAllValues:StringLike": {SUB: "repo:acme/*"}}, True),
        ({"StringEqualsIfExists": {SUB: "repo:acme/app:ref:refs/heads/main"}}, True),
        ({"StringEquals": {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"}}, True),
        ({"StringEquals": {"token.actions.githubusercontent.com:repository_owner": "acme"}}, False),
    ],
)
def test_trust_in_github_needs_an_owner(condition: dict[str, Any], *, found: bool) -> None:
    """The claim must name the owner before any wildcard."""
    document = trust(Federated=GITHUB)
    document["Statement"][0]["Condition"] = condition
    assert bool(of(FindingKind.WIDE_AUTHORITY, [export(details(roles=[role("r", document)]))])) is found


@pytest.mark.parametrize(
    "condition",
    [
        {"StringEquals": {"sts:ExternalId": "4711"}},
        {"StringEquals": {"aws:PrincipalOrgID": "o-1"}},
        {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::999988887777:role/ci"}},
    ],
)
def test_a_condition_narrows_the_trust_in_an_account(condition: dict[str, Any]) -> None:
    """An external id, an organization, a role."""
    document = trust(AWS="999988887777")
    document["Statement"][0]["Condition"] = condition
    assert of(FindingKind.WIDE_AUTHORITY, [export(details(roles=[role("r", document)]))]) == []


@pytest.mark.parametrize(
    ("document", "file", "says"),
    [
        (
            {"Policy": json.dumps(policy(statement("s3:GetObject", "arn:aws:s3:::web/*", Principal="*")))},
            "web.json",
            "bucket `web` lets anyone use it: `s3:getobject`",
        ),
        (
            {
                "ARN": "arn:aws:secretsmanager:x:111122223333:secret:db",
                "Name": "db",
                "ResourcePolicy": json.dumps(
                    policy(statement("secretsmanager:*", "*", Principal={"AWS": "*"}))
                ),
            },
            "s.json",
            "secret `db` lets anyone",
        ),
        (
            {
                "Attributes": {
                    "QueueArn": "arn:aws:sqs:x:111122223333:jobs",
                    "Policy": json.dumps(policy(statement("sqs:*", "*", Principal="*"))),
                }
            },
            "q.json",
            "queue `jobs` lets anyone",
        ),
        (
            {"Policy": json.dumps(policy(statement("kms:*", "*", Principal="*")))},
            "signing.json",
            "key `signing` lets anyone",
        ),
        (
            {
                "Policy": json.dumps(
                    policy(
                        statement(
                            "lambda:InvokeFunction",
                            "arn:aws:lambda:x:111122223333:function:f",
                            Principal={"Service": "s3.amazonaws.com"},
                        )
                    )
                )
            },
            "f.json",
            "function `f` lets `s3.amazonaws.com` use it for any customer",
        ),
    ],
)
def test_open_policies_of_resources(document: dict[str, Any], file: str, says: str) -> None:
    """Resources that anyone may use, and deputies of services that can be confused."""
    [found] = of(FindingKind.WIDE_AUTHORITY, [export(document, file)])
    assert says in found.says


def nested(depth: int) -> Any:
    """Return lists in lists."""
    found: Any = "x"
    for _ in range(depth):
        found = [found]
    return found


STRANGE: list[Any] = [
    None,
    True,
    3,
    "",
    "{",
    "%7B%",
    "user,arn,\n\x00",
    'user,arn,x\n"' + "a" * 200_000,
    [],
    [[]],
    {},
    nested(50_000),
    "[" * 100_000,
    {"Statement": []},
    {"Statement": {}},
    {"Statement": [None, 3, [], {"Effect": "Allow"}, {"Effect": ["Allow"]}]},
    {"Statement": [statement({"a": 1}), statement([None, 3, nested(900), "\ud800", "x" * 10_000])]},
    {"Statement": [statement("*", Condition=3), statement("*", Condition={"StringEquals": 3})]},
    {"Statement": [statement("*", Condition={"StringEquals": {"aws:RequestTag/x": nested(900)}})]},
    {"Statement": [statement("*", Principal=nested(900)), statement("*", Principal={"AWS": {"a": 1}})]},
    {"Statement": [statement("*", Sid=nested(900)), statement("*", Sid="s"), statement("*", Sid="s")]},
    {"Statement": [statement("iam:*", "*" * 2_000 + "?" * 40), statement("*a" * 1_000, "*b" * 1_000)]},
    {"UserDetailList": 3, "RoleDetailList": {"a": 1}, "GroupDetailList": [None, 3], "Policies": "x"},
    {"UserDetailList": [{"UserName": 3, "Arn": []}, {"UserName": "x", "Arn": "no arn"}]},
    {
        "RoleDetailList": [
            {
                **MACHINE,
                "Tags": 3,
                "RoleLastUsed": 3,
                "PermissionsBoundary": 3,
                "AssumeRolePolicyDocument": 3,
                "RolePolicyList": [{"PolicyName": [], "PolicyDocument": []}],
                "InstanceProfileList": 3,
                "AttachedManagedPolicies": [{"PolicyArn": {}}],
            }
        ]
    },
    {"PolicyVersion": 3},
    {"PolicyVersion": {"Document": 3}},
    {"Policy": 3},
    {"Policy": "3"},
    {"Policy": {"PolicySummary": 3, "Content": 3}},
    {"Policy": {"PolicySummary": {"Type": 3}, "Content": nested(900)}, "Targets": [3, {"TargetId": 3}]},
    {"AttachedPolicies": [{}]},
    {"Functions": [3, {}]},
    {"Reservations": [{"Instances": [{}]}]},
    {"Content": "!!!", "ReportFormat": "text/csv"},
    {"AccessKeyMetadata": [{"Status": "Active", "UserName": "x"}]},
    {"ServicesLastAccessed": [{"ServiceNamespace": 3}]},
    {"RoleArn": "x", "RoleSessionName": "y", "Policy": "{}"},
    {"Attributes": 3},
    {"Attributes": {"Policy": 3}},
    {"ARN": 3, "ResourcePolicy": "x"},
]


@pytest.mark.parametrize("number", range(len(STRANGE)))
def test_strange_documents_raise_nothing(number: int) -> None:
    """They are ignored as far as they are not understood."""
    aws_findings([*WORLD, export(STRANGE[number], "x.json")], now=NOW)
    aws_findings([export(STRANGE[number], "x.json"), *WORLD], now=NOW)


def test_odd_values_of_conditions_raise_nothing() -> None:
    """Dates, numbers and addresses that are none match nothing, and unknown operators are unknown."""
    odd = [
        "",
        "x",
        "1e999",
        "99999999999999",
        "10.0.0.0/99",
        "::/0",
        "${",
        "${}",
        "${aws:username",
        "${a,'b'}",
        "\ud800",
        "\U0001d51e",
    ]
    operators = [
        "DateLessThan",
        "NumericEquals",
        "IpAddress",
        "ArnLike",
        "Bool",
        "Null",
        "StringLike",
        "BinaryEquals",
        "Odd",
        "ForAllValues:Odd",
        "ForAnyValue:NumericEquals",
        "StringLikeIfExists",
    ]
    keys = [
        "aws:CurrentTime",
        "aws:RequestTag/x",
        "aws:SourceIp",
        "aws:PrincipalArn",
        "",
        "x" * 3_000,
        "aws:RequestedRegion",
        "lambda:Layer",
    ]
    every = [statement(DEPLOY, Condition={operator: {key: odd}}) for operator in operators for key in keys]
    aws_findings([export(details(users=[user("agent", policy(*every))], roles=[MACHINE]))], now=NOW)


def test_many_chosen_facts_stay_bounded() -> None:
    """Many conditions on facts that the caller chooses do not multiply without end."""
    every = [
        statement(DEPLOY, Condition={"StringEquals": {f"aws:RequestTag/{n}": [str(m) for m in range(20)]}})
        for n in range(40)
    ]
    agent = user("agent", policy(*every))
    assert len(paths_of([export(details(users=[agent], roles=[MACHINE]))])) == 1


def test_exports_of_others_are_left_out() -> None:
    """Documents of another provider say nothing here."""
    other = PermissionExport(provider=PermissionSource.GCP, place=WORLD[0].place, document=WORLD[0].document)
    assert aws_findings([other], now=NOW) == []
    assert read_exports([other]).principals == {}


def test_a_policy_of_the_account_with_versions_has_its_default() -> None:
    """Only the default version permits."""
    versions = managed(
        "ops", policy(statement("s3:GetObject", "arn:aws:s3:::a/b")), policy(statement(DEPLOY))
    )
    agent = user("agent", attached=(f"{IAM}policy/ops",))
    assert paths_of([export(details(users=[agent], roles=[MACHINE], policies=[versions]))]) == []


def test_names_are_safe_to_show() -> None:
    """A name that recolors a terminal, and a statement's id that reorders a line, are written out."""
    name = "agent\x1b[31m"
    documents = policy(statement(DEPLOY, Sid="x\u202eyz"))
    [found] = of(
        FindingKind.ESCALATION_PATH, [export(details(users=[user(name, documents)], roles=[MACHINE]))]
    )
    shown = "".join((found.says, *found.steps, *found.reach, found.remediation))
    assert shown.isprintable()
    assert "\\u{1b}" in shown


def test_policies_of_aws_are_known_without_their_documents() -> None:
    """`list-attached-user-policies` names them only."""
    attached: dict[str, Any] = {"UserName": "agent", "AttachedPolicies": []}
    for name, paths in (("IAMFullAccess", 1), ("ReadOnlyAccess", 0)):
        attached["AttachedPolicies"] = [{"PolicyName": name, "PolicyArn": f"arn:aws:iam::aws:policy/{name}"}]
        document = export({"Users": [{"UserName": "agent", "Arn": f"{IAM}user/agent"}]}, "users.json")
        assert len(paths_of([document, export(attached, "attached.json")])) == paths
