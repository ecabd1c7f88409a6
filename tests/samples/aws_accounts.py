# SPDX-License-Identifier: Apache-2.0
"""A large account of AWS that is made up from a seed, with known ways to administrator rights."""

from __future__ import annotations

import random
from typing import Any

from tests.samples.aws_paths import ADMINISTRATOR, IAM, details, managed, policy, role, statement, trust, user

_SERVICES = ("lambda", "ec2", "ecs-tasks", "codebuild", "glue", "states")
_HARMLESS = (
    ["s3:GetObject", "s3:PutObject"],
    ["dynamodb:GetItem", "dynamodb:Query"],
    ["logs:CreateLogStream", "logs:PutLogEvents"],
    ["sqs:ReceiveMessage", "sqs:DeleteMessage"],
    ["lambda:InvokeFunction"],
    ["ec2:Describe*", "cloudwatch:*"],
)


def large_account(roles: int, policies: int, seed: int = 7) -> tuple[dict[str, Any], set[str]]:
    """Return the details of an account, and the names of those that can become administrators.

    Each hundredth role is an administrator that a service may use; each fortieth may deploy, of which half
    may pass only a harmless role; roles trust each other in chains.
    """
    drawn = random.Random(seed)
    documents = [
        managed(
            f"p{n}",
            policy(
                statement(drawn.choice(_HARMLESS), f"arn:aws:s3:::team-{n}/*", Sid="Team"),
                statement(drawn.choice(_HARMLESS), f"arn:aws:sqs:*:*:team-{n}-*"),
            ),
        )
        for n in range(policies)
    ]
    every, gains = [], set()
    for n in range(roles):
        name = f"r{n}"
        attached = tuple(f"{IAM}policy/p{drawn.randrange(policies)}" for _ in range(3))
        inline = [policy(statement("sts:AssumeRole", f"{IAM}role/r{n + 1}"))] if n % 10 < 4 else []
        if n % 100 == 0:
            every.append(role(name, trust(Service="lambda.amazonaws.com"), attached=(ADMINISTRATOR,)))
            continue
        if n % 40 == 7:
            target = f"{IAM}role/*" if n % 80 == 7 else f"{IAM}role/r{n + 1}"
            inline.append(
                policy(
                    statement("iam:PassRole", target),
                    statement(["lambda:CreateFunction", "lambda:InvokeFunction"]),
                )
            )
            gains |= {name} if n % 80 == 7 else set()
        trusts = (
            trust(AWS=f"{IAM}role/r{n - 1}")
            if n % 10 in (1, 2, 3, 4)
            else trust(Service=f"{_SERVICES[n % 6]}.amazonaws.com")
        )
        every.append(role(name, trusts, *inline, attached=attached))
    users = [user(f"u{n}", policy(statement(drawn.choice(_HARMLESS)))) for n in range(roles // 10)]
    users.append(user("deployer", policy(statement("iam:AttachUserPolicy", f"{IAM}user/${{aws:username}}"))))
    return details(users=users, roles=every, policies=documents), {*gains, "deployer"}
