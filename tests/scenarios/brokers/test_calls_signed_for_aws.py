# SPDX-License-Identifier: Apache-2.0
"""Calls of an AWS interface: signed with the task's session, whose secret key goes nowhere."""

import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from tests.gateways.api_gateway import ApiGateway
from tests.servers.aws_server import ADMIN, ROLE, AwsServer, aws_server


@pytest.fixture
def aws() -> Iterator[AwsServer]:
    """A stand-in."""
    with aws_server() as running:
        yield running


@pytest.fixture
def gateway(tmp_path: Path, aws: AwsServer) -> Iterator[ApiGateway]:
    """A gateway before its bucket."""
    lease = {
        "region": "eu-central-1",
        "role": ROLE,
        "access_key_id": "env:AWS_KEY",
        "secret_access_key": "env:AWS_SECRET",
        "statements": [
            {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::crm"},
            {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::crm/C-42*"},
        ],
        "probe_url": f"{aws.url}/s3/crm?list-type=2",
        "probe_service": "s3",
        "sign_service": "s3",
        "sts_url": f"{aws.url}/sts",
        "iam_url": f"{aws.url}/iam",
    }
    ours = {"AWS_KEY": ADMIN[0], "AWS_SECRET": ADMIN[1]}
    records = {"url": f"{aws.url}/s3", "lease": {"aws": lease}}
    with mock.patch.dict(os.environ, ours), ApiGateway(tmp_path, records) as made:
        yield made


def test_a_call_is_signed_with_the_tasks_session(gateway: ApiGateway, aws: AwsServer) -> None:
    """Whatever stands in path, query and headers: the bucket takes the signature, and gives what the session
    may; what it may not, it refuses. The secret key is in no request.
    """
    task, token = gateway.open()
    for key in ("C-42", "C-42 +&=ü", "C-42'()*!~"):
        told = gateway.get(token, key=key, part="a b&c=d", **{"x-amz-request-payer": "requester"})
        assert "arn:aws:s3:::crm/C-42" in told, told
    assert "AccessDenied" in gateway.get(token, key="C-43")
    (session,) = aws.sessions.values()
    assert len(aws.seen) > 4
    for headers in aws.seen:
        assert session.secret not in str(headers)
    assert gateway.closed_up(task)["closed"]


def test_the_session_token_does_not_come_back(gateway: ApiGateway, aws: AwsServer) -> None:
    """It goes upstream with the signature, and is scrubbed from what comes back."""
    _, token = gateway.open()
    gateway.get(token, key="C-42")
    (session,) = aws.sessions.values()
    aws.echo = session.token
    told = gateway.get(token, key="C-42")
    assert session.token not in told
    assert "[credential removed]" in told
