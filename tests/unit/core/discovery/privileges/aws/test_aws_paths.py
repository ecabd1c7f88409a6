# SPDX-License-Identifier: Apache-2.0
"""Escalation paths in exports of AWS: the known ones are found, and where one point differs none is."""

import json
from typing import Any

import pytest

from remit.core.discovery.privileges.aws.findings import aws_findings, aws_reach
from remit.core.discovery.privileges.aws.passed_roles import PASSED
from remit.core.discovery.privileges.aws.used_roles import USED
from remit.core.discovery.privileges.aws.vocabulary import IDENTITIES
from remit.core.findings.kinds import FindingKind, Severity
from tests.samples.aws_paths import (
    ABROAD,
    ADMINISTRATOR,
    CATALOGUE,
    IAM,
    NOW,
    PATHS,
    KnownPath,
    account,
    details,
    export,
    managed,
    near_misses,
    paths_of,
    policy,
    role,
    statement,
    trust,
    user,
)

BOSS = user("boss", attached=(ADMINISTRATOR,))
LAMBDA = trust(Service="lambda.amazonaws.com")
DEPLOY = ["iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction"]


def machine(**more: Any) -> dict[str, Any]:
    """Return a role of Lambda that is an administrator."""
    return role("machine", LAMBDA, attached=(ADMINISTRATOR,), **more)


def agent_paths(
    *statements: dict[str, Any], more: list[dict[str, Any]] | None = None, **fields: Any
) -> list[Any]:
    """Return the paths of an agent with statements, beside an administrator and `machine`."""
    document = details(
        users=[user("agent", policy(*statements), **fields), BOSS], roles=[machine(), *(more or [])]
    )
    return paths_of([export(document)])


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.id)
def test_each_known_path_is_found(path: KnownPath) -> None:
    """The path leads to an administrator, names what permits it, and how to remove its first step."""
    found = [each for each in paths_of([export(account(path))]) if each.which == "administrator"]
    assert len(found) == 1
    assert set(found[0].evidence["permissions"]) <= {*path.actions, "sts:AssumeRole"}
    assert ("trust policy" if path.role.endswith("public") else "`Agent`") in found[0].remediation
    assert found[0].steps
    where = ABROAD if path.role.endswith("abroad") else "111122223333"
    assert found[0].reach == (f"everything in account {where}",)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.id)
def test_no_path_is_found_where_one_point_prevents_it(path: KnownPath) -> None:
    """A denial, a boundary, a control policy, another resource, tag, service or time: nothing is reported."""
    assert [what for what, exports in near_misses(path) if paths_of(exports)] == []


#: The published ids by the step that they are; assuming a role is a separate step.
KNOWN = {each.name: each.known_as for each in (*PASSED, *USED, *IDENTITIES)}
ASSUMED = ("sts-001", "sts-002", "sts-003")


@pytest.mark.parametrize("path", CATALOGUE, ids=lambda path: path.id)
def test_a_published_path_is_found_by_its_own_step(path: KnownPath) -> None:
    """What is found of a published path is the step that has its id, and not another one beside it."""
    [found] = [each for each in paths_of([export(account(path))]) if each.which == "administrator"]
    techniques = found.evidence["techniques"]
    if path.id in ASSUMED:
        assert techniques == ["assume-role"]
    else:
        assert [name for name in techniques if path.id in KNOWN.get(name, ())], techniques


def test_each_id_of_the_table_is_published() -> None:
    """The table names no path that the catalogue does not have, and the catalogue none twice."""
    ids = [each.id for each in CATALOGUE]
    assert len(ids) == len(set(ids))
    assert {each for known in KNOWN.values() for each in known} == set(ids) - set(ASSUMED)


def test_a_queue_of_its_own_makes_a_batch_job_certain() -> None:
    """Who may make a compute environment and a queue needs none that exists."""
    by_id = {each.id: each for each in CATALOGUE}
    [open_] = paths_of([export(account(by_id["batch-001"]))])
    [certain] = paths_of([export(account(by_id["batch-003"]))])
    assert open_.evidence["provided"] == ["a job queue exists"]
    assert (open_.weight, certain.weight) == (Severity.HIGH, Severity.CRITICAL)


def test_a_path_is_spelt_out_with_the_statements_that_permit_it() -> None:
    """Each step names what is done and by which statement of which policy."""
    [found] = agent_paths(statement("iam:PassRole", Sid="Pass"), statement(DEPLOY[1:], Sid="Deploy"))
    assert found.steps == (
        (
            "User `agent` passes role `machine` to a new Lambda function and runs its own code in it "
            "(statement `Pass` of policy `agent-0` permits `iam:PassRole`; statement `Deploy` of policy "
            "`agent-0` permits `lambda:CreateFunction` and `lambda:InvokeFunction`)."
        ),
    )
    assert found.remediation == (
        "in statement `Pass` of policy `agent-0`, limit `iam:PassRole` to the roles and services needed "
        "(`iam:PassedToService`)"
    )
    assert found.weight is Severity.CRITICAL


def test_a_chain_over_several_principals_is_found() -> None:
    """Each role of a chain opens the next; the shortest chain is told."""
    hops = [
        role(f"hop{n}", trust(AWS=f"{IAM}{'user/agent' if n == 1 else f'role/hop{n - 1}'}")) for n in (1, 2)
    ]
    last = role(
        "hop3", trust(AWS=f"{IAM}role/hop2"), policy(statement("iam:CreateAccessKey", f"{IAM}user/*"))
    )
    [found] = agent_paths(more=[*hops, last])
    assert found.evidence["techniques"] == ["assume-role", "assume-role", "assume-role", "access-key"]
    assert found.says == "user `agent` becomes an administrator of account 111122223333 in 4 steps"
    assert found.remediation.startswith("in statement 1 of the trust policy of role `hop1`, name only")


def test_a_circle_of_roles_ends_the_search() -> None:
    """Roles that trust each other, and lead nowhere, are no path."""
    circle = [role(f"r{n}", trust(AWS=[f"{IAM}role/r{(n + 1) % 5}", f"{IAM}user/agent"])) for n in range(5)]
    assert agent_paths(more=circle) == []


def test_an_unknown_network_is_stated_and_not_assumed() -> None:
    """A condition on the source address may hold: the path is uncertain, and says what it depends on."""
    [found] = agent_paths(statement(DEPLOY, Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}))
    assert found.weight is Severity.HIGH
    assert found.evidence["certain"] is False
    assert found.evidence["provided"] == ["`aws:sourceip` must satisfy ipaddress `10.0.0.0/8`"]


@pytest.mark.parametrize(
    "condition",
    [
        {"StringEquals": {"aws:RequestTag/team": "red"}},
        {"StringEquals": {"aws:RequestedRegion": ["eu-west-1"]}},
        {"StringLike": {"aws:UserAgent": "aws-cli/*"}},
        {"Bool": {"aws:SecureTransport": "true"}},
        {"DateGreaterThan": {"aws:TokenIssueTime": "2020-01-01T00:00:01Z"}},
        {"StringEquals": {"aws:PrincipalAccount": "111122223333"}},
        {"ArnLike": {"aws:PrincipalArn": f"{IAM}user/*"}},
        {"StringEquals": {"aws:username": "agent"}},
        {"Null": {"aws:TokenIssueTime": "false"}},
        {"StringNotEquals": {"aws:PrincipalTag/team": "red"}},
        {"StringEqualsIfExists": {"aws:PrincipalTag/team": "red"}},
        {"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}},
        {"ForAnyValue:StringEquals": {"aws:TagKeys": ["team"]}},
        {"BoolIfExists": {"aws:MultiFactorAuthPresent": "true"}},
    ],
)
def test_a_condition_that_an_attacker_meets_is_no_protection(condition: dict[str, Any]) -> None:
    """Tags of the request, the region, the program: the attacker chooses them."""
    [found] = agent_paths(statement("lambda:*", Condition=condition), statement("iam:PassRole"))
    assert found.evidence["certain"] is True


@pytest.mark.parametrize(
    "condition",
    [
        {"DateLessThan": {"aws:TokenIssueTime": "2020-01-01T00:00:01Z"}},
        {"StringEquals": {"aws:username": "boss"}},
        {"StringEquals": {"aws:PrincipalAccount": "999988887777"}},
        {"ArnNotLike": {"aws:PrincipalArn": f"{IAM}user/*"}},
        {"StringLike": {"aws:PrincipalTag/team": "*"}},
        {"Null": {"aws:PrincipalTag/team": "false"}},
        {"ForAnyValue:StringEquals": {"aws:CalledVia": ["cloudformation.amazonaws.com"]}},
        {"Bool": {"aws:ViaAWSService": "true"}},
        {"NumericLessThan": {"aws:EpochTime": "100"}},
        {"StringEquals": {"aws:RequestTag/team": "red", "aws:username": "boss"}},
    ],
)
def test_a_condition_that_an_attacker_cannot_meet_prevents_the_path(condition: dict[str, Any]) -> None:
    """Its name, account, tags and the time are not the attacker's to choose."""
    assert agent_paths(statement("lambda:*", Condition=condition), statement("iam:PassRole")) == []


def test_a_second_factor_is_uncertain_for_people_and_out_of_reach_of_services() -> None:
    """A user may sign in with one; a role that only a service assumes cannot."""
    needs_mfa = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    [found] = agent_paths(statement(DEPLOY, Condition=needs_mfa))
    assert found.evidence["certain"] is False
    job = role("job", LAMBDA, policy(statement(DEPLOY, Condition=needs_mfa)))
    assert paths_of([export(details(roles=[job, machine()]))], "job") == []


def test_a_denial_without_second_factor_stops_long_lived_keys_only_with_if_exists() -> None:
    """Requests signed by an access key lack the fact: `Bool` does not see them, `BoolIfExists` does."""

    def denied(operator: str) -> dict[str, Any]:
        condition = {operator: {"aws:MultiFactorAuthPresent": "false"}}
        return {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition}

    [open_] = agent_paths(statement(DEPLOY), denied("Bool"))
    assert open_.evidence["certain"] is True
    [closed] = agent_paths(statement(DEPLOY), denied("BoolIfExists"))
    assert closed.evidence["certain"] is False


def test_functions_that_are_listed_decide_which_roles_are_reached() -> None:
    """Without a list any role of the service may be used; with one, only the roles of what is listed."""
    document = export(
        details(users=[user("agent", policy(statement("lambda:UpdateFunctionCode")))], roles=[machine()])
    )
    [found] = paths_of([document])
    assert "a function has role `machine`" in found.evidence["provided"]
    one = {
        "FunctionName": "tidy",
        "FunctionArn": "arn:aws:lambda:eu-west-1:111122223333:function:tidy",
        "Role": f"{IAM}role/machine",
    }
    [sure] = paths_of([document, export({"Functions": [one]}, "functions.json")])
    assert "`tidy`" in sure.steps[0]
    other = export({"Functions": [{**one, "Role": f"{IAM}role/none"}]}, "functions.json")
    assert paths_of([document, other]) == []


def test_only_the_functions_that_may_be_changed_count() -> None:
    """A statement about other functions changes none of those that have the role."""
    may = statement("lambda:*", "arn:aws:lambda:*:*:function:dev-*")
    one = {
        "FunctionName": "tidy",
        "FunctionArn": "arn:aws:lambda:eu-west-1:111122223333:function:tidy",
        "Role": f"{IAM}role/machine",
    }
    document = export(details(users=[user("agent", policy(may))], roles=[machine()]))
    assert paths_of([document, export({"Functions": [one]}, "functions.json")]) == []


def test_a_required_boundary_bounds_what_is_made() -> None:
    """A role that must be made with a boundary has no more than the boundary."""
    bound = {"StringEquals": {"iam:PermissionsBoundary": f"{IAM}policy/bound"}}
    makes = ["iam:CreateRole", "iam:PutRolePolicy"]
    agent = user("agent", policy(statement(makes, f"{IAM}role/*", Condition=bound)))
    narrow = managed("bound", policy(statement("s3:*")))
    assert paths_of([export(details(users=[agent], policies=[narrow]))]) == []
    wide = managed("bound", policy(statement("*")))
    [found] = paths_of([export(details(users=[agent], policies=[wide]))])
    assert found.evidence["techniques"] == ["new-role"]


def test_a_boundary_whose_policy_can_be_rewritten_is_none() -> None:
    """A principal that may write versions of its own boundary removes it."""
    agent = user(
        "agent",
        policy(statement("*")),
        PermissionsBoundary={"PermissionsBoundaryArn": f"{IAM}policy/bound"},
    )
    bound = managed("bound", policy(statement("iam:CreatePolicyVersion", f"{IAM}policy/*")))
    [found] = paths_of([export(details(users=[agent], policies=[bound]))])
    assert found.evidence["techniques"] == ["policy-version"]


def test_a_boundary_that_the_export_lacks_makes_a_path_uncertain() -> None:
    """Its document would have to permit each step."""
    [found] = agent_paths(
        statement(DEPLOY), PermissionsBoundary={"PermissionsBoundaryArn": f"{IAM}policy/gone"}
    )
    assert found.evidence["certain"] is False
    assert "`gone`" in found.evidence["provided"][0]


def test_attaching_a_fixed_harmless_policy_is_no_path() -> None:
    """`iam:PolicyARN` limits what is attached; only a policy that permits more counts."""
    only = {"ArnEquals": {"iam:PolicyARN": f"{IAM}policy/reading"}}
    agent = user("agent", policy(statement("iam:AttachUserPolicy", Condition=only)))
    harmless = managed("reading", policy(statement("s3:GetObject")))
    assert paths_of([export(details(users=[agent], policies=[harmless]))]) == []
    harmful = managed("reading", policy(statement("*")))
    [found] = paths_of([export(details(users=[agent], policies=[harmful]))])
    assert "attaches policy `reading`" in found.steps[0]


def test_a_password_is_of_no_use_against_a_second_factor() -> None:
    """The credential report says who has a password and a second factor."""
    document = export(details(users=[user("agent", policy(statement("iam:UpdateLoginProfile"))), BOSS]))
    head = "user,arn,password_enabled,mfa_active"
    for mfa, paths in (("true", 0), ("false", 1)):
        report = export(
            f"{head}\nboss,{IAM}user/boss,true,{mfa}\nagent,{IAM}user/agent,false,false\n", "report.csv"
        )
        assert len(paths_of([document, report])) == paths


def test_a_role_of_a_service_of_aws_is_no_target() -> None:
    """Service-linked roles are used by their service alone, and roles of the sign-in cannot be changed."""
    agent = user("agent", policy(statement([*DEPLOY, "iam:UpdateAssumeRolePolicy"])))
    linked = {**machine(), "Arn": f"{IAM}role/aws-service-role/lambda.amazonaws.com/machine"}
    assert paths_of([export(details(users=[agent], roles=[linked]))]) == []
    reserved = {**machine(), "Arn": f"{IAM}role/aws-reserved/sso.amazonaws.com/machine"}
    reserved["AssumeRolePolicyDocument"] = trust(Federated=f"{IAM}saml-provider/sso")
    assert paths_of([export(details(users=[agent], roles=[reserved]))]) == []


def test_administrators_have_wide_authority_and_no_path() -> None:
    """Who can do everything gains nothing."""
    found = aws_findings([export(details(users=[BOSS]))], now=NOW)
    assert [(each.kind, each.which) for each in found] == [(FindingKind.WIDE_AUTHORITY, "administrator")]


def test_a_way_to_secrets_of_production_is_a_path() -> None:
    """A role that is passed and reads secrets which its taker cannot read."""
    reader = role("prod-reader", LAMBDA, policy(statement("secretsmanager:GetSecretValue")))
    agent = user("agent", policy(statement(DEPLOY)))
    [found] = paths_of([export(details(users=[agent], roles=[reader]))])
    assert found.says == "user `agent` gains the rights of role `prod-reader` in 1 step"
    assert found.reach == ("reads every secret of the account",)


def test_a_role_that_one_is_meant_to_assume_is_no_path_to_its_secrets() -> None:
    """A trust policy that names a principal is a grant; only administrator rights are reported over it."""
    reader = role(
        "prod-reader", trust(AWS=f"{IAM}user/agent"), policy(statement("secretsmanager:GetSecretValue"))
    )
    assert paths_of([export(details(users=[user("agent")], roles=[reader]))]) == []


def test_a_policy_alone_is_judged_for_accounts_that_have_what_it_needs() -> None:
    """A policy document without its account: what would have to exist is stated."""
    document = policy(statement(DEPLOY, Sid="Deploy"))
    [found] = paths_of([export(document, "policies/deploy.json")], "deploy")
    assert found.evidence["certain"] is False
    assert "the account has a role with more rights" in found.evidence["provided"]
    limited = policy(statement("iam:PassRole", f"{IAM}role/app"), statement(DEPLOY[1:]))
    assert paths_of([export(limited, "policies/limited.json")], "limited") == []


def test_the_order_of_documents_changes_nothing() -> None:
    """Findings are the same in any order of the exports."""
    documents = [
        export(account(PATHS[0])),
        export({"Functions": []}, "f.json"),
        export(policy(statement("*")), "scp.json"),
    ]
    one = {each.id for each in aws_findings(documents, now=NOW)}
    assert one == {each.id for each in aws_findings(documents[::-1], now=NOW)}


def test_reach_is_told_in_words() -> None:
    """Secrets first, by name where they are listed."""
    secret = {"ARN": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/db-AbCdEf", "Name": "prod/db"}
    agent = user("agent", policy(statement("secretsmanager:GetSecretValue", secret["ARN"])))
    exports = [export(details(users=[agent])), export({"SecretList": [secret]}, "secrets.json")]
    assert aws_reach(exports, f"{IAM}user/agent", now=NOW) == ("reads secret `prod/db`",)
    assert aws_reach(exports, f"{IAM}user/none", now=NOW) == ()


def test_what_is_made_is_what_runs() -> None:
    """The right to make one function and to run another one is no path."""
    makes = statement("lambda:CreateFunction", "arn:aws:lambda:*:*:function:dev-*")
    passes = statement("iam:PassRole")
    runs = "arn:aws:lambda:*:*:function:"
    assert agent_paths(makes, passes, statement("lambda:InvokeFunction", f"{runs}prod-*")) == []
    assert len(agent_paths(makes, passes, statement("lambda:InvokeFunction", f"{runs}*-x"))) == 1
    elsewhere = statement(DEPLOY[1:], "arn:aws:lambda:*:999988887777:function:*")
    assert agent_paths(passes, elsewhere) == []


def test_a_tag_that_one_may_set_is_no_protection() -> None:
    """`iam:TagUser` on itself, and a trust policy with `sts:TagSession`, open conditions on tags."""
    red = {"StringEquals": {"aws:PrincipalTag/team": "red"}}
    tagged = statement(DEPLOY, Condition=red)
    assert agent_paths(tagged, Tags=[{"Key": "team", "Value": "blue"}]) == []
    [found] = agent_paths(tagged, statement("iam:TagUser"), Tags=[{"Key": "team", "Value": "blue"}])
    assert found.evidence["certain"] is True
    open_ = trust(AWS=f"{IAM}user/agent")
    open_["Statement"][0]["Action"] = ["sts:AssumeRole", "sts:TagSession"]
    assert len(agent_paths(more=[role("work", open_, policy(tagged))])) == 1


def test_a_tag_of_a_target_decides() -> None:
    """Tags of roles and users are in the export: one that is absent is no tag."""
    only = {"StringEquals": {"aws:ResourceTag/open": "yes"}}
    may = statement("iam:UpdateAssumeRolePolicy", Condition=only)
    assert agent_paths(may) == []
    document = details(
        users=[user("agent", policy(may))], roles=[machine(Tags=[{"Key": "open", "Value": "yes"}])]
    )
    assert len(paths_of([export(document)])) == 1


def test_rights_given_to_a_role_two_steps_away_are_used() -> None:
    """A principal writes a policy into a role that it reaches only over another one."""
    first = role("first", trust(AWS=f"{IAM}user/agent"))
    second = role("second", trust(AWS=f"{IAM}role/first"))
    [found] = agent_paths(statement("iam:PutRolePolicy", f"{IAM}role/second"), more=[first, second])
    assert [each.split(" (")[0] for each in found.steps] == [
        "User `agent` assumes role `first`",
        "User `agent` writes a policy with any right into role `second`",
        "Role `first` assumes role `second`",
    ]


def test_conditions_of_an_administrator_that_anyone_meets_leave_it_one() -> None:
    """A region is chosen, a second factor is not."""
    for condition, paths in (
        ({"StringEquals": {"aws:RequestedRegion": ["us-east-1", "eu-west-1"]}}, 1),
        ({"Bool": {"aws:MultiFactorAuthPresent": "true"}}, 0),
    ):
        chief = user("chief", policy(statement("*", Condition=condition)))
        agent = user("agent", policy(statement("iam:CreateAccessKey")))
        assert len(paths_of([export(details(users=[agent, chief]))])) == paths


def test_a_session_is_trusted_as_its_role() -> None:
    """A trust policy that names a role lets its sessions in."""
    base = role("work", trust(Service="ec2.amazonaws.com"), policy(statement("sts:AssumeRole")))
    target = role("target", trust(AWS=f"{IAM}role/work"), attached=(ADMINISTRATOR,))
    request = {"RoleArn": f"{IAM}role/work", "RoleSessionName": "s", "Policy": policy(statement("sts:*"))}
    exports = [
        export(details(roles=[base, target])),
        export({**request, "Policy": json.dumps(request["Policy"])}),
    ]
    assert len(paths_of(exports, "work/s")) == 1


#: Scenarios of iam-vulnerable that other tools get wrong: the agent's statements, and whether it escalates.
SCENARIOS: dict[str, tuple[list[dict[str, Any]], bool]] = {
    "fn1: permissions in several policies": (
        [statement("iam:PassRole"), statement("lambda:CreateFunction"), statement("lambda:InvokeFunction")],
        True,
    ),
    "fn2: a resource that leads on": (
        [statement("iam:CreatePolicyVersion", "arn:aws:iam::*:policy/tools-*")],
        True,
    ),
    "fn3: a condition that holds": (
        [
            statement(
                "iam:CreatePolicyVersion",
                Condition={"DateGreaterThan": {"aws:TokenIssueTime": "2020-01-01T00:00:01Z"}},
            )
        ],
        True,
    ),
    "fn4: all but some actions": (
        [{"Effect": "Allow", "NotAction": ["iam:Update*", "iam:Create*", "iam:Attach*"], "Resource": "*"}],
        True,
    ),
    "fp1: permitted and denied in one policy": (
        [
            statement("iam:CreatePolicyVersion"),
            {"Effect": "Deny", "Action": "iam:CreatePolicyVersion", "Resource": "*"},
        ],
        False,
    ),
    "fp3: denied": ([{"Effect": "Deny", "Action": "iam:*", "Resource": "*"}], False),
    "fp4: a resource that leads nowhere": (
        [statement("iam:CreatePolicyVersion", "arn:aws:iam::aws:policy/fp4-*")],
        False,
    ),
    "fp5: a condition that cannot hold": (
        [
            statement(
                "iam:CreatePolicyVersion",
                Condition={"DateLessThan": {"aws:TokenIssueTime": "2020-01-01T00:00:01Z"}},
            )
        ],
        False,
    ),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenarios_that_other_tools_get_wrong(name: str) -> None:
    """What can be exploited is found, and what cannot is not."""
    statements, found = SCENARIOS[name]
    tools = managed("tools-1", policy(*statements))
    agent = user("agent", attached=(f"{IAM}policy/tools-1",))
    document = details(users=[agent, BOSS], roles=[machine()], policies=[tools])
    assert bool(paths_of([export(document)])) is found


def test_managing_oneself_is_no_path() -> None:
    """The usual rights on the user's own keys and password reach no other user."""
    own = statement(
        ["iam:*AccessKey*", "iam:*LoginProfile", "iam:*MFADevice"], "arn:aws:iam::*:user/${aws:username}"
    )
    assert agent_paths(own) == []


def test_a_policy_alone_weighs_less_than_an_account() -> None:
    """What would have to exist is open."""
    [found] = paths_of([export(policy(statement(DEPLOY)), "deploy.json")], "deploy")
    assert found.weight is Severity.MEDIUM
    [own] = paths_of([export(policy(statement("iam:PutRolePolicy")), "own.json")], "own")
    assert own.weight is Severity.HIGH
