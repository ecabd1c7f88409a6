# SPDX-License-Identifier: Apache-2.0
"""What a principal of AWS reaches, in words: secrets, data, functions; and whether it is an administrator."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from remit.core.discovery.privileges.aws.account import AwsExport, AwsPrincipal, AwsResource
from remit.core.discovery.privileges.aws.conditions import Truth
from remit.core.discovery.privileges.aws.evaluation import AwsRequest, Evaluator

#: Most things that a reach lists.
MOST_REACHED: Final = 12
_PRODUCTION = re.compile(r"(?:^|[^a-z])(?:prod|production|prd|live)(?:$|[^a-z])", re.IGNORECASE)

#: What an administrator can do to identities, all of it; and elsewhere, most of it.
_OF_IDENTITIES = (
    ("iam:PutRolePolicy", "arn:aws:iam::{account}:role/x"),
    ("iam:AttachRolePolicy", "arn:aws:iam::{account}:role/x"),
    ("iam:UpdateAssumeRolePolicy", "arn:aws:iam::{account}:role/x"),
    ("iam:PassRole", "arn:aws:iam::{account}:role/x"),
    ("iam:CreatePolicyVersion", "arn:aws:iam::{account}:policy/x"),
)
_ELSEWHERE = (
    ("s3:GetObject", "arn:aws:s3:::x/x"),
    ("ec2:RunInstances", "arn:aws:ec2:x:{account}:instance/x"),
    ("kms:Decrypt", "arn:aws:kms:x:{account}:key/x"),
    ("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:x:{account}:secret:x"),
    ("lambda:UpdateFunctionCode", "arn:aws:lambda:x:{account}:function:x"),
    ("dynamodb:GetItem", "arn:aws:dynamodb:x:{account}:table/x"),
)

#: Of a kind of resource: what is done to it, and the action and the part of the resource that this needs.
_ACTS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "secret": (("reads secret", "secretsmanager:GetSecretValue", ""),),
    "bucket": (
        ("reads all objects of bucket", "s3:GetObject", "/x"),
        ("writes objects of bucket", "s3:PutObject", "/x"),
    ),
    "function": (
        ("changes function", "lambda:UpdateFunctionCode", ""),
        ("runs function", "lambda:InvokeFunction", ""),
    ),
    "key": (("decrypts with key", "kms:Decrypt", ""),),
    "queue": (("reads queue", "sqs:ReceiveMessage", ""),),
    "topic": (("publishes to topic", "sns:Publish", ""),),
}
#: What is said where no resource of a kind is listed, and any would be reached.
_ANYTHING = (
    ("reads every secret of the account", "secretsmanager:GetSecretValue", _ELSEWHERE[3][1]),
    ("reads every parameter of the account", "ssm:GetParameter", "arn:aws:ssm:x:{account}:parameter/x"),
    ("reads every object of every bucket", "s3:GetObject", _ELSEWHERE[0][1]),
    ("reads every table of the account", "dynamodb:GetItem", _ELSEWHERE[5][1]),
    ("changes every function of the account", "lambda:UpdateFunctionCode", _ELSEWHERE[4][1]),
)


class AwsReached(msgspec.Struct, frozen=True):
    """One thing that a principal reaches, in words. `secret` things are worth a path by themselves."""

    words: str
    secret: bool = False


class AwsReach:
    """Says what principals reach in one export."""

    def __init__(self, export: AwsExport, evaluator: Evaluator) -> None:
        self._export = export
        self._evaluator = evaluator
        self._administrators: dict[tuple[str, frozenset[str]], bool] = {}

    def administrator(self, principal: AwsPrincipal) -> bool:
        """Return whether a principal is equivalent to an administrator of its account.

        Organization policies are not looked at: an administrator is one as far as the organization permits.
        """
        found = self._administrators.get(principal.key)
        if found is None:
            found = all(self._surely(principal, *each) for each in _OF_IDENTITIES) and (
                2 * sum(self._surely(principal, *each) for each in _ELSEWHERE) >= len(_ELSEWHERE)
            )
            self._administrators[principal.key] = found
        return found

    def _surely(self, principal: AwsPrincipal, action: str, resource: str) -> bool:
        if not self._evaluator.mentions(principal, action):
            return False
        where = resource.replace("{account}", principal.account)
        return self._evaluator.alone(principal, action, where) is Truth.YES

    def production(self, principal: AwsPrincipal) -> bool:
        """Return whether a name or a tag says that a principal is of production."""
        named = (principal.name, *(principal.tags or {}).values())
        return any(_PRODUCTION.search(each) for each in named)

    def of(self, principal: AwsPrincipal) -> tuple[AwsReached, ...]:
        """Return what a principal reaches for sure, secrets first, at most `MOST_REACHED` things."""
        if self.administrator(principal):
            return (AwsReached(f"everything in account {principal.account}", secret=True),)
        found = sorted(self._found(principal), key=lambda each: not each.secret)
        rest = len(found) - MOST_REACHED
        kept = found[:MOST_REACHED]
        return (*kept, AwsReached(f"and {rest} more")) if rest > 0 else tuple(kept)

    def _found(self, principal: AwsPrincipal) -> Iterator[AwsReached]:
        for words, action, resource in _ANYTHING:
            if self._surely(principal, action, resource):
                yield AwsReached(words, secret="secret" in words or "parameter" in words)
        for thing in self._export.resources.values():
            for words, action, part in _ACTS.get(thing.kind, ()):
                if self._permitted(principal, thing, action, part):
                    yield AwsReached(f"{words} `{thing.name}`", secret=thing.kind == "secret")

    def _permitted(self, principal: AwsPrincipal, thing: AwsResource, action: str, part: str) -> bool:
        if thing.policy is None and not self._evaluator.mentions(principal, action):
            return False
        request = AwsRequest(
            principal=principal,
            action=action,
            resources=(f"{thing.arn}{part}",),
            owner=thing.account,
            policy=thing.policy,
        )
        return self._evaluator.may(request).truth is Truth.YES
