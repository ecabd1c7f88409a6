# SPDX-License-Identifier: Apache-2.0
"""Laws of deciding by policies of AWS, against a plain evaluator that tries every fact."""

from __future__ import annotations

import copy
import re
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from remit.core.discovery.privileges.aws.conditions import Truth
from remit.core.discovery.privileges.aws.evaluation import AwsRequest, Evaluator
from remit.core.discovery.privileges.aws.exports import read_exports
from remit.core.discovery.privileges.aws.policy import common, glob
from tests.samples.aws_paths import IAM, PATHS, account, details, export, managed, paths_of, policy, user

NOW = datetime(2026, 12, 2, tzinfo=UTC)
ACTIONS = ["a:x", "a:y", "b:x"]
RESOURCES = ["arn:aws:a:::one", "arn:aws:a:::two"]
TAGS = [None, "red", "blue", "x"]

conditions = st.sampled_from(
    [
        {},
        {"StringEquals": {"aws:RequestTag/t": "red"}},
        {"StringNotEquals": {"aws:RequestTag/t": "red"}},
        {"StringLike": {"aws:RequestTag/t": ["b*", "r?d"]}},
        {"StringEqualsIfExists": {"aws:RequestTag/t": "blue"}},
        {"Null": {"aws:RequestTag/t": "true"}},
        {"StringEquals": {"aws:username": "agent"}},
        {"StringEquals": {"aws:username": "boss"}},
        {"StringEquals": {"aws:RequestTag/t": "red", "aws:username": "agent"}},
    ]
)
actions = st.lists(st.sampled_from([*ACTIONS, "*", "a:*", "?:x"]), min_size=1, max_size=2)
resources = st.lists(
    st.sampled_from([*RESOURCES, "*", "arn:aws:a:::*e", "arn:aws:a:::???"]), min_size=1, max_size=2
)


@st.composite
def statements(draw: st.DrawFn, *, denies: bool | None = None) -> dict[str, Any]:
    """Return one statement of an identity policy."""
    effect = draw(st.sampled_from(["Allow", "Allow", "Deny"])) if denies is None else "Deny"
    found = {
        "Effect": effect,
        draw(st.sampled_from(["Action", "Action", "NotAction"])): draw(actions),
        draw(st.sampled_from(["Resource", "Resource", "NotResource"])): draw(resources),
    }
    condition = draw(conditions)
    return {**found, "Condition": condition} if condition else found


policies = st.lists(statements(), min_size=1, max_size=3)


def like(pattern: str, text: str) -> bool:
    """Return whether a pattern matches, by a regular expression."""
    return (
        re.fullmatch("".join({"*": ".*", "?": "."}.get(each, re.escape(each)) for each in pattern), text)
        is not None
    )


def holds(condition: dict[str, Any], facts: dict[str, str | None]) -> bool:
    """Decide the few operators above, as the user guide words them."""
    for operator, keys in condition.items():
        for key, wanted in keys.items():
            values = wanted if isinstance(wanted, list) else [wanted]
            given_ = facts[key]
            result = {
                "StringEquals": given_ in values,
                "StringNotEquals": given_ not in values,
                "StringLike": given_ is not None and any(like(each, given_) for each in values),
                "StringEqualsIfExists": given_ is None or given_ in values,
                "Null": given_ is None,
            }[operator]
            if not result:
                return False
    return True


def applies(one: dict[str, Any], action: str, resource: str, facts: dict[str, str | None]) -> bool:
    """Return whether a statement is about a request."""
    actions_ = one.get("Action") or one["NotAction"]
    resources_ = one.get("Resource") or one["NotResource"]
    about = any(like(each, action) for each in actions_) == ("Action" in one)
    on = any(like(each, resource) for each in resources_) == ("Resource" in one)
    return about and on and holds(one.get("Condition", {}), facts)


def permitted(groups: list[list[dict[str, Any]]], action: str, resource: str) -> bool:
    """Return whether some tag opens the request: each group permits, and none denies."""
    for tag in TAGS:
        facts = {"aws:RequestTag/t": tag, "aws:username": "agent"}
        hit = [[one for one in group if applies(one, action, resource, facts)] for group in groups]
        if all(any(one["Effect"] == "Allow" for one in each) for each in hit) and not any(
            one["Effect"] == "Deny" for each in hit for one in each
        ):
            return True
    return False


@settings(max_examples=300)
@given(policies, policies, policies, st.sampled_from(ACTIONS), st.sampled_from(RESOURCES))
def test_a_request_is_decided_as_by_trying_every_fact(
    identity: list[dict[str, Any]],
    boundary: list[dict[str, Any]],
    control: list[dict[str, Any]],
    action: str,
    resource: str,
) -> None:
    """Identity policies, a boundary and a service control policy permit what each permits for one fact."""
    agent = user(
        "agent", policy(*identity), PermissionsBoundary={"PermissionsBoundaryArn": f"{IAM}policy/bound"}
    )
    known = read_exports(
        [
            export(details(users=[agent], policies=[managed("bound", policy(*boundary))])),
            export(policy(*control), "scp.json"),
        ]
    )
    request = AwsRequest(principal=known.principals[f"{IAM}user/agent"], action=action, resources=(resource,))
    verdict = Evaluator(known, NOW).may(request)
    groups = [identity, boundary, control]
    if all(one["Effect"] == "Deny" for one in control):
        groups = [identity, boundary, [*control, {"Effect": "Allow", "Action": ["*"], "Resource": ["*"]}]]
    assert (verdict.truth is Truth.YES) == permitted(groups, action, resource)
    assert verdict.truth is not Truth.MAYBE


@st.composite
def accounts(draw: st.DrawFn) -> dict[str, Any]:
    """Return the account of one to three known paths, of which the agent has some of the permissions."""
    chosen = draw(st.lists(st.sampled_from(PATHS), min_size=1, max_size=3, unique=True))
    found = account(chosen[0])
    for other in chosen[1:]:
        second = account(other)
        found["UserDetailList"][0]["UserPolicyList"] += [
            {**each, "PolicyName": f"{each['PolicyName']}-{other.id}"}
            for each in second["UserDetailList"][0]["UserPolicyList"]
        ]
        found["RoleDetailList"] += [
            {**each, "RoleName": f"{each['RoleName']}-{other.id}", "Arn": f"{each['Arn']}-{other.id}"}
            for each in second["RoleDetailList"]
        ]
    return found


taken = sorted({each for path in PATHS for each in path.actions})
denials = st.fixed_dictionaries(
    {
        "Effect": st.just("Deny"),
        "Action": st.lists(st.sampled_from([*taken, "iam:*", "sts:*", "*"]), min_size=1, max_size=3),
        "Resource": st.sampled_from(["*", f"{IAM}role/*", f"{IAM}user/boss"]),
    }
)


def ways(document: dict[str, Any]) -> set[tuple[str, ...]]:
    """Return the targets of all escalation paths, for each principal."""
    names = [
        each.get("UserName") or each["RoleName"]
        for key in ("UserDetailList", "RoleDetailList")
        for each in document[key]
    ]
    return {
        (name, each.which)
        for name in names
        for each in paths_of([export(document)], name)
        if each.which == "administrator"
    }


@settings(max_examples=60, deadline=None)
@given(accounts(), denials, st.sampled_from(["scp", "identity"]))
def test_a_denial_never_adds_a_path(document: dict[str, Any], denial: dict[str, Any], where: str) -> None:
    """A denial in a control policy, or in a policy of each user and role, takes paths away or none."""
    before = ways(document)
    denied = copy.deepcopy(document)
    if where == "identity":
        # In a way that removing a policy cannot undo: inside each policy that there is.
        for key, policies_ in (("UserDetailList", "UserPolicyList"), ("RoleDetailList", "RolePolicyList")):
            for each in denied[key]:
                for one in each[policies_]:
                    one["PolicyDocument"]["Statement"].append(denial)
        assert ways(denied) <= before
    else:
        names = {name for name, _ in before}
        control = export(policy(denial), "scp.json")
        after = {
            each.about.rpartition("/")[2]
            for name in ("agent", "machine", "worker")
            for each in paths_of([export(document), control], name)
            if each.which == "administrator"
        }
        assert after <= names


@settings(max_examples=60, deadline=None)
@given(accounts(), st.lists(st.sampled_from(taken), min_size=1, max_size=6, unique=True))
def test_a_narrower_boundary_never_adds_a_path(document: dict[str, Any], kept: list[str]) -> None:
    """A boundary that permits fewer actions leaves fewer paths, or the same."""

    def bounded(actions_: list[str]) -> dict[str, Any]:
        found = copy.deepcopy(document)
        found["UserDetailList"][0]["PermissionsBoundary"] = {"PermissionsBoundaryArn": f"{IAM}policy/bound"}
        found["Policies"] += [
            managed("bound", policy({"Effect": "Allow", "Action": actions_, "Resource": "*"}))
        ]
        return found

    assert ways(bounded(kept[1:] or ["x:none"])) <= ways(bounded(kept))


@settings(max_examples=40, deadline=None)
@given(accounts(), st.randoms(use_true_random=False))
def test_order_changes_no_path(document: dict[str, Any], random: Any) -> None:
    """Users, roles, policies and statements in another order have the same paths."""
    before = ways(document)
    shuffled = copy.deepcopy(document)
    for each in shuffled.values():
        random.shuffle(each)
    for each in shuffled["UserDetailList"]:
        random.shuffle(each["UserPolicyList"])
        for one in each["UserPolicyList"]:
            random.shuffle(one["PolicyDocument"]["Statement"])
    assert ways(shuffled) == before


letters = st.text(alphabet="ab*?", max_size=8)


@settings(max_examples=500)
@given(letters, st.text(alphabet="ab", max_size=10))
def test_a_pattern_matches_as_its_regular_expression(pattern: str, text: str) -> None:
    """`*` is any text, `?` one character."""
    assert glob(pattern).matches(text) == like(pattern, text)


@settings(max_examples=500)
@given(letters, letters)
def test_a_common_text_matches_both_patterns(left: str, right: str) -> None:
    """What is found matches both; where nothing is found, no short text does."""
    found = common(left, right)
    if found is not None:
        assert like(left, found)
        assert like(right, found)
    else:
        short = [""]
        for _ in range(5):
            short += [text + letter for text in short for letter in "abx" if len(text) < 5][:400]
        assert not any(like(left, text) and like(right, text) for text in short)
