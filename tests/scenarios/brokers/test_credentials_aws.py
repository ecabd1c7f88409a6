# SPDX-License-Identifier: Apache-2.0
"""Sessions of an AWS role: narrowed to their task, denied when it ends.

What is shown here: on a stand-in that checks signatures with AWS's own library and judges policies by the
book, that remit's policies mean what they should; on `moto`, which others wrote, that the requests have the
form of the interface. (`moto` weighs no condition, so it shows nothing about who is denied.)
"""

import json
import os
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import unquote

import msgspec
import pytest

from remit.adapters.broker.aws.own_identity import WebIdentity
from remit.adapters.broker.aws.query_api import AwsQuery, Said, code_of
from remit.adapters.broker.aws.session_denials import RoleDenials
from remit.adapters.broker.aws.sts import AwsProbe, AwsRole, StsBroker
from remit.adapters.broker.http import BrokerHttp, BrokerResponse
from remit.adapters.runtime.system import SystemClock
from remit.core.errors import KeyUnavailable, NothingDone
from remit.core.keys.sigv4 import AwsKeys, AwsScope
from remit.core.tasks.grant import Grant
from remit.core.tasks.task import Task
from remit.ports.broker import LeaseWanted, Probe, UpstreamCredential
from tests.conformance.cloud_brokers import AtAws, admin
from tests.gateways.leasing_gateway import LeasingGateway
from tests.servers.aws_server import ADMIN, QUOTA, ROLE, AwsServer, aws_server
from tests.worlds.values import WorldClock, a_task

Json = Any


@pytest.fixture
def aws() -> Iterator[AwsServer]:
    """A stand-in."""
    with aws_server() as running:
        yield running


@pytest.fixture
async def place(aws: AwsServer) -> AsyncIterator[AtAws]:
    """Brokers at it."""
    made = AtAws(aws)
    yield made
    await made.close()


def about(life: timedelta = timedelta(hours=1), **params: Json) -> Task:
    """Return a task with parameters."""
    intent = msgspec.structs.replace(a_task().intent, params=params)
    grants = (Grant("crm/read", {}),)
    return a_task(deadline=datetime.now(UTC) + life, intent=intent, grants=grants)


def lease_of(aws: AwsServer, **changes: Json) -> Json:
    """Return what `remit.yaml` says."""
    told = {
        "region": "eu-central-1",
        "role": ROLE,
        "access_key_id": "env:AWS_KEY",
        "secret_access_key": "env:AWS_SECRET",
        "statements": [{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::crm"}],
        "tool_statements": {
            "echo": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::crm/{task}/*"}],
            "other": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
        },
        "probe_url": f"{aws.url}/s3/crm?list-type=2",
        "probe_service": "s3",
        "sts_url": f"{aws.url}/sts",
        "iam_url": f"{aws.url}/iam",
    }
    return {"aws": told | changes, "headers": AtAws.HEADERS}


OURS = {"AWS_KEY": ADMIN[0], "AWS_SECRET": ADMIN[1]}


def test_a_session_ends_with_the_task(tmp_path: Path, aws: AwsServer) -> None:
    """It may what the granted tool needs and nothing else, says whose it is, and is denied when the task
    ends; a policy that is heeded late is in the closure with its time.
    """
    with mock.patch.dict(os.environ, OURS), LeasingGateway(tmp_path, lease_of(aws)) as gateway:
        task, token = gateway.open()
        gateway.call(token)
        (headers,) = gateway.shown()
        session = aws.session(headers["x-key"])
        assert session is not None
        said = gateway.remit("who", task, session=gateway.session())
        assert "holds aws-session" in said.stdout
        assert session.form["SourceIdentity"] == "note-bot"
        tags = {session.form[f"Tags.member.{n}.Key"]: session.form[f"Tags.member.{n}.Value"] for n in (1, 2)}
        assert tags == {"remit:task": task, "remit:agent": "note-bot"}
        text = json.dumps(session.policy)
        assert f"crm/{task}/*" in text
        assert "s3:*" not in text
        aws.lag = 3
        closure = gateway.closed_up(task)
        assert closure["closed"]
        (closing,) = [one for one in closure["closings"] if one["lease"]]
        assert (closing["kind"], closing["name"]) == ("aws-session", ROLE)
        assert closing["refused_after_ms"] > closing["revoked_after_ms"]
        assert closing["attempts"] > 2


@pytest.mark.slow
def test_aws_down_at_the_issue_and_at_the_end(tmp_path: Path, aws: AwsServer) -> None:
    """No call goes out; what could not be denied stays open, and is denied later."""
    with mock.patch.dict(os.environ, OURS), LeasingGateway(tmp_path, lease_of(aws)) as gateway:
        task, token = gateway.open()
        aws.stop()
        with pytest.raises(KeyUnavailable, match="does not answer"):
            gateway.call(token)
        assert gateway.shown() == []
        aws.start()
        gateway.call(token)
        aws.broken = True
        gateway.left_open(task)
        said = gateway.remit("who", task, session=gateway.session(), env={"COLUMNS": "160"})
        assert "still open: aws-session" in said.stdout
        aws.broken = False
        gateway.until(lambda: not gateway.services.credentials.leases.of(task=task))
        assert len(aws.policies) == 1


def test_calls_that_get_no_session_leave_nothing_at_the_role(tmp_path: Path, aws: AwsServer) -> None:
    """However often an agent calls while AWS says no, or is broken: where no session was given none is
    denied, and the role's policies keep their room.
    """
    aws.longest_s = 900
    with mock.patch.dict(os.environ, OURS), LeasingGateway(tmp_path, lease_of(aws)) as gateway:
        task, token = gateway.open()
        for number in range(6):
            aws.broken = number % 2 == 1
            with pytest.raises(KeyUnavailable, match=r"ValidationError|ServiceUnavailable"):
                gateway.call(token)
        aws.broken = False
        gateway.until(lambda: not gateway.services.credentials.leases.of(task=task))
        assert aws.policies == {}
        aws.longest_s = 3600
        gateway.call(token)
        assert len(aws.sessions) == 1


async def test_a_value_that_would_widen_the_policy_is_refused(aws: AwsServer, place: AtAws) -> None:
    """Nothing is asked, and nothing is to be taken back: no call of an agent fills the role's policies."""
    broker = place.made()
    for text in ("*", "C-4?", "${aws:username}", "", "C-42\n", "C-42\x00"):
        with pytest.raises(NothingDone, match="the task's `id` cannot stand"):
            await broker.obtain(LeaseWanted("lse_1", "crm", about(id=text)))
    with pytest.raises(NothingDone, match="no parameter `id`"):
        await broker.obtain(LeaseWanted("lse_1", "crm", about()))
    with pytest.raises(NothingDone, match="AWS takes 2048"):
        await broker.obtain(LeaseWanted("lse_1", "crm", about(id="x" * 2000)))
    with pytest.raises(NothingDone, match="no granted tool of the task has statements"):
        await place.made(statements=(), tool_statements={"write": ()}).obtain(
            LeaseWanted("lse_1", "crm", about(id="C-42"))
        )
    assert aws.asked == []


async def test_a_value_is_one_text_whatever_stands_in_it(aws: AwsServer, place: AtAws) -> None:
    """It adds no statement, and no other name is filled in it."""
    text = '"],"Effect":"Allow","x":["{task}'
    await place.made().obtain(LeaseWanted("lse_1", "crm", about(id=text)))
    (session,) = aws.sessions.values()
    statements = session.policy["Statement"]
    assert [one["Effect"] for one in statements] == ["Allow", "Allow", "Deny", "Deny"]
    assert statements[1]["Resource"] == [f"arn:aws:s3:::crm/{text}/*"]


async def test_a_list_is_several_resources(aws: AwsServer, place: AtAws) -> None:
    """Each of them as one text; none is no text at all."""
    several = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": ["{arns}"]}
    broker = place.made(statements=(several,))
    arns = ["arn:aws:s3:::crm/C-42/a", "arn:aws:s3:::crm/C-42/b"]
    await broker.obtain(LeaseWanted("lse_1", "crm", about(arns=arns)))
    (session,) = aws.sessions.values()
    assert session.policy["Statement"][0]["Resource"] == arns
    for bad in ([], ["arn:aws:s3:::crm/*"]):
        with pytest.raises(NothingDone):
            await broker.obtain(LeaseWanted("lse_2", "crm", about(arns=bad)))


async def test_a_session_is_over_at_the_deadline_though_it_lives_longer(aws: AwsServer, place: AtAws) -> None:
    """AWS's shortest session has 15 minutes: a shorter task's is denied by its own policy, by AWS's clock.
    And none can make another session.
    """
    broker = place.made()
    given = await broker.obtain(LeaseWanted("lse_1", "crm", about(timedelta(seconds=-1), id="C-42")))
    assert given.until is not None
    assert given.until > datetime.now(UTC) + timedelta(minutes=14)
    assert await broker.probe(given) is Probe.REFUSED
    assert await place.got(given, "C-42/notes") == 403
    (session,) = aws.sessions.values()
    assert {"Effect": "Deny", "Action": "sts:AssumeRole*", "Resource": "*"} in session.policy["Statement"]


async def test_what_is_no_refusal_of_the_session_is_none(aws: AwsServer, place: AtAws) -> None:
    """A signature that does not fit or is too old, a broken server, or another party's answer is no
    refusal.
    """
    broker = place.made()
    given = await broker.obtain(LeaseWanted("lse_1", "crm", about(id="C-42")))
    wrong = {**given.handle, "secret": "another"}
    assert await broker.probe(msgspec.structs.replace(given, handle=wrong)) is Probe.UNREACHABLE
    aws.broken = True
    assert await broker.probe(given) is Probe.UNREACHABLE
    aws.broken = False
    unknown = {**given.handle, "id": "ASIAUNKNOWN"}
    assert await broker.probe(msgspec.structs.replace(given, handle=unknown)) is Probe.REFUSED
    assert code_of(BrokerResponse(403, b"<html>Forbidden</html>")) == ""
    assert code_of(BrokerResponse(400, b'{"__type":"com.amazon.coral.service#AccessDeniedException"}')) == (
        "AccessDeniedException"
    )


async def test_a_session_whose_answer_was_lost_is_denied_by_name(aws: AwsServer, place: AtAws) -> None:
    """No one has its keys, so the role is asked whether it denies the session."""
    broker, lost = place.made(), UpstreamCredential(lease="lse_1")
    assert await broker.probe(lost) is Probe.UNREACHABLE
    await broker.revoke(lost)
    assert await broker.probe(lost) is Probe.REFUSED
    with pytest.raises(KeyUnavailable, match="is no lease"):
        await broker.revoke(UpstreamCredential(lease="*"))


async def test_ended_sessions_stay_denied_and_leave_room(aws: AwsServer, place: AtAws) -> None:
    """A hundred and twenty ends within a session's life, by two writers: all are denied, within what IAM
    allows; a session that lives is not; what is over is deleted.
    """
    web, clock = BrokerHttp("AWS"), WorldClock(datetime.now(UTC))
    iam = AwsQuery(
        f"{aws.url}/iam", AwsScope("us-east-1", "iam"), web=web, clock=SystemClock(), version="2010-05-08"
    )
    writers = [RoleDenials("reader", iam, admin, clock) for _ in range(2)]
    aws.page = 50
    broker = place.made()
    living = await broker.obtain(LeaseWanted("lse_living", "crm", about(id="C-42")))
    until = clock.now() + timedelta(hours=1)
    leases = [f"lse_{number:016d}" for number in range(120)]
    try:
        for number, lease in enumerate(leases):
            await writers[number % 2].deny(lease, until)
        written = "".join(aws.policies.values())
        assert len(written) <= QUOTA
        assert all(f"*:{lease}@*" in written for lease in leases)
        assert await writers[0].denies(leases[0])
        assert not await writers[0].denies("lse_living")
        assert await broker.probe(living) is Probe.ACCEPTED
        clock.advance(3600 + 1201)
        await writers[0].deny("lse_last", clock.now() + timedelta(hours=1))
        assert len(aws.policies) == 1
        assert "lse_last" in next(iter(aws.policies))
    finally:
        await web.close()


async def test_where_iam_has_no_room_the_end_stays_open(aws: AwsServer, place: AtAws) -> None:
    """It is not claimed that what could not be denied is."""
    broker = place.made()
    given = await broker.obtain(LeaseWanted("lse_1", "crm", about(id="C-42")))
    aws.policies["of-somebody-else"] = json.dumps({"x": "y" * (QUOTA - 50)})
    with pytest.raises(KeyUnavailable, match="LimitExceeded"):
        await broker.revoke(given)
    assert "of-somebody-else" in aws.policies
    del aws.policies["of-somebody-else"]
    await broker.revoke(given)
    assert await broker.probe(given) is Probe.REFUSED


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<a><b></a>",
        b'<!DOCTYPE a [<!ENTITY x "y">]><a><AccessKeyId>&x;</AccessKeyId></a>',
        b"<a>" * 20 + b"<AccessKeyId>k</AccessKeyId>" + b"</a>" * 20,
    ],
)
def test_an_answer_that_is_not_what_it_should_be_says_nothing(body: bytes) -> None:
    """No entities, no depth, no half."""
    assert Said(body).one("AccessKeyId") == ""


# On `moto`.


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """AWS's interfaces as `moto` has them, over HTTP."""
    server = pytest.importorskip("moto.server", reason="`moto` is not installed")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


async def test_the_requests_have_the_form_of_the_interface(moto: str) -> None:
    """A role is assumed, its policy is put, listed, read and deleted, at a server that others wrote."""
    web, clock = BrokerHttp("moto"), WorldClock(datetime.now(UTC))
    sts = AwsQuery(moto, AwsScope("us-east-1", "sts"), web=web, clock=clock, version="2011-06-15")
    iam = AwsQuery(moto, AwsScope("us-east-1", "iam"), web=web, clock=clock, version="2010-05-08")
    ours = AwsKeys("AKIAIOSFODNN7EXAMPLE", "of-the-tests")

    async def keys() -> AwsKeys:
        return ours

    trust = {"Version": "2012-10-17", "Statement": []}
    named = {"RoleName": "reader", "AssumeRolePolicyDocument": json.dumps(trust)}
    made = await iam.ask("CreateRole", named, ours)
    role = AwsRole(arn=made.one("Arn"), region="us-east-1", statements=AtAws.STATEMENTS)
    probe = AwsProbe(f"{moto}/?Action=GetCallerIdentity&Version=2011-06-15", "sts")
    broker = StsBroker(role, probe, sts=sts, iam=iam, keys=keys, web=web, clock=clock, headers=AtAws.HEADERS)
    try:
        given = await broker.obtain(LeaseWanted("lse_1", "crm", about(id="C-42")))
        assert given.handle["id"].startswith("ASIA")
        assert given.until is not None
        assert timedelta(minutes=50) < given.until - clock.now() <= timedelta(minutes=61)
        assert await broker.probe(given) is Probe.ACCEPTED
        await broker.revoke(given)
        (name,) = (await iam.ask("ListRolePolicies", {"RoleName": "reader"}, ours)).all("member")
        told = await iam.ask("GetRolePolicy", {"RoleName": "reader", "PolicyName": name}, ours)
        assert "lse_1@" in unquote(told.one("PolicyDocument"))
        assert await broker.probe(UpstreamCredential(lease="lse_1")) is Probe.REFUSED
        clock.advance((given.until - clock.now()).total_seconds() + 1201)
        await RoleDenials("reader", iam, keys, clock).deny("lse_2", clock.now())
        (left,) = (await iam.ask("ListRolePolicies", {"RoleName": "reader"}, ours)).all("member")
        assert "lse_2" in left
        # And remit's own identity, by a token of its platform.
        web_identity = WebIdentity(made.one("Arn"), lambda: "a.b.c", sts=sts, clock=clock)
        first = await web_identity.keys()
        assert first.token
        assert await web_identity.keys() == first
        clock.advance(51 * 60)
        assert await web_identity.keys() != first
    finally:
        await web.close()
