# SPDX-License-Identifier: Apache-2.0
"""Further engines of a real OpenBao behind the gateway: certificates, one-time passwords, its own tokens; and
the ways in which remit is known there.
"""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from remit.adapters.broker.http import BrokerHttp
from remit.adapters.broker.openbao.client import BaoLogin, BaoSource
from remit.adapters.broker.openbao.pki import OpenBaoPkiBroker
from remit.adapters.broker.openbao.tokens import OpenBaoTokenBroker
from remit.adapters.runtime.system import SystemClock
from remit.core.errors import KeyUnavailable, NothingDone
from remit.core.tasks.task import Task
from remit.ports.broker import LeaseWanted, Probe, UnfitCredential, UpstreamCredential
from tests.conformance.bao_brokers import AtBaoOtp, AtBaoPki, AtBaoTokens
from tests.gateways.leasing_gateway import LeasingGateway
from tests.servers.bao_server import BaoServer
from tests.worlds.values import WorldClock, a_task

Json = Any


def the_lease(closure: Json) -> Json:
    """Return what a closure says of the one credential."""
    (closing,) = [one for one in closure["closings"] if one["lease"]]
    return closing


def test_a_certificate_ends_with_the_task(tmp_path: Path, bao: BaoServer) -> None:
    """It is named after the task, and OCSP says that it is revoked once the task has ended."""
    place = AtBaoPki(bao)
    lease = {
        "openbao": {
            "address": bao.address,
            "token": "env:BAO_TOKEN",
            "pki": {"role": "task"},
            "parameters": {"uri_sans": "remit:{task}"},
        },
        "headers": {"X-Serial": "{serial_number}"},
    }
    with (
        mock.patch.dict(os.environ, {"BAO_TOKEN": place.token}),
        LeasingGateway(tmp_path, lease) as gateway,
    ):
        task, token = gateway.open()
        gateway.call(token)
        (headers,) = gateway.shown()
        serial = headers["x-serial"]
        closure = gateway.closed_up(task)
        assert closure["closed"]
        closing = the_lease(closure)
        assert closing["kind"] == "openbao-certificate"
        assert closing["name"] == f"pki: {serial}"
        assert closing["revoked_after_ms"] <= closing["refused_after_ms"]
    told: Any = bao.ask("GET", f"pki/cert/{serial}")
    assert told["data"]["revocation_time"] > 0


def test_a_token_of_openbao_and_a_one_time_password_end_with_the_task(tmp_path: Path, bao: BaoServer) -> None:
    """Obtained by a login of AppRole, whose secret is in a file."""
    otp = AtBaoOtp(bao)
    tokens = AtBaoTokens(bao)
    secret = tmp_path / "secret-id"
    secret.write_text(otp.login["secret_id"])
    secret.chmod(0o600)
    leases: dict[str, Json] = {
        "openbao-lease": {
            "openbao": {
                "address": bao.address,
                "auth": {"role_id": otp.login["role_id"], "secret_id": f"file:{secret}"},
                "path": "ssh/creds/otp",
                "parameters": {"ip": "127.0.0.1"},
            },
            "headers": {"X-One-Time-Password": "{key}"},
        },
        "openbao-token": {
            "openbao": {
                "address": bao.address,
                "token": "env:BAO_TOKEN",
                "tokens": {"role": "crm", "tool_policies": {"echo": ["crm-reader"]}},
            },
        },
    }
    for kind, lease in leases.items():
        folder = tmp_path / kind
        folder.mkdir()
        with (
            mock.patch.dict(os.environ, {"BAO_TOKEN": tokens.token}),
            LeasingGateway(folder, lease) as gateway,
        ):
            task, token = gateway.open()
            gateway.call(token)
            closure = gateway.closed_up(task)
            assert closure["closed"], closure
            assert the_lease(closure)["kind"] == kind


@pytest.mark.slow
def test_openbao_down_at_the_issue_refuses_and_at_the_end_stays_open(tmp_path: Path, bao: BaoServer) -> None:
    """No call goes out without its credential; what could not be taken back is told of, and taken back
    later.
    """
    place = AtBaoPki(bao)
    lease = {
        "openbao": {"address": bao.address, "token": "env:BAO_TOKEN", "pki": {"role": "task"}},
        "headers": {"X-Serial": "{serial_number}"},
    }
    with (
        mock.patch.dict(os.environ, {"BAO_TOKEN": place.token}),
        LeasingGateway(tmp_path, lease) as gateway,
    ):
        first, token = gateway.open()
        place.cut()
        try:
            with pytest.raises(KeyUnavailable, match="does not answer") as told:
                gateway.call(token)
            assert told.value.code == "credential-unavailable"
            assert gateway.shown() == []
        finally:
            place.mend()
        gateway.call(token)
        (headers,) = gateway.shown()
        place.cut()
        try:
            closure = gateway.left_open(first)
            assert the_lease(closure)["detail"].startswith("still open")
        finally:
            place.mend()
        gateway.until(lambda: not gateway.services.credentials.leases.of(task=first))
        assert gateway.closed_up(first)["closed"]
    told_of: Any = bao.ask("GET", f"pki/cert/{headers['x-serial']}")
    assert told_of["data"]["revocation_time"] > 0


async def test_a_login_is_done_again_before_its_token_ends(bao: BaoServer) -> None:
    """OpenBao takes back what a token obtained when it ends: nothing is obtained with an old one, and nothing
    counts as longer living than its token.
    """
    place, clock, web = AtBaoOtp(bao), WorldClock(datetime.now(UTC)), BrokerHttp("OpenBao")
    entered = []

    def form() -> dict[str, str]:
        entered.append(1)
        return place.login

    known = BaoSource(bao.address, BaoLogin("auth/approle/login", form), web=web, clock=clock)
    try:
        for _ in range(3):
            assert (await known.ask("GET", "auth/token/lookup-self")).status == 200
        assert len(entered) == 1
        ends = known.until(7200)
        assert ends is not None
        assert ends <= clock.now() + timedelta(hours=1)
        clock.advance(31 * 60)
        assert (await known.ask("GET", "auth/token/lookup-self")).status == 200
        assert len(entered) == 2
        # The token is ended at OpenBao: the next question logs in once more.
        await known.ask("POST", "auth/token/revoke-self")
        assert (await known.ask("GET", "auth/token/lookup-self")).status == 403
        clock.advance(31)
        assert (await known.ask("GET", "auth/token/lookup-self")).status == 200
        assert len(entered) == 3
    finally:
        await web.close()


async def test_remit_logs_in_with_a_jwt(bao: BaoServer) -> None:
    """As a workload of Kubernetes does, or one with a SPIFFE ID; another's token is refused."""
    key = ECKey.generate_key("P-256")
    methods: Any = bao.ask("GET", "sys/auth")
    if "jwt/" not in methods["data"]:
        bao.ask("POST", "sys/auth/jwt", {"type": "jwt"})
    trusted = {
        "jwt_validation_pubkeys": [key.as_pem(private=False).decode()],
        "jwt_supported_algs": ["ES256"],
    }
    bao.ask("POST", "auth/jwt/config", trusted)
    role = {
        "role_type": "jwt",
        "bound_audiences": ["bao"],
        "user_claim": "sub",
        "token_policies": ["default"],
    }
    bao.ask("POST", "auth/jwt/role/remit", {**role, "bound_subject": "spiffe://example.com/remit"})
    web = BrokerHttp("OpenBao")

    def shown(subject: str) -> BaoSource:
        now = int(datetime.now(UTC).timestamp())
        claims = {"sub": subject, "aud": "bao", "iat": now, "exp": now + 300}
        token = jwt.encode({"alg": "ES256"}, claims, key)
        login = BaoLogin("auth/jwt/login", lambda: {"role": "remit", "jwt": token})
        return BaoSource(bao.address, login, web=web, clock=SystemClock())

    try:
        known = shown("spiffe://example.com/remit")
        assert (await known.ask("GET", "auth/token/lookup-self")).status == 200
        with pytest.raises(KeyUnavailable, match="refuses `auth/jwt/login`"):
            await shown("spiffe://example.com/other").ask("GET", "auth/token/lookup-self")
    finally:
        await web.close()


async def test_what_a_task_says_adds_no_name_to_its_certificate(bao: BaoServer) -> None:
    """A parameter is one name; one that would be two is refused, and nothing was asked for."""
    place = AtBaoPki(bao)
    web = BrokerHttp("OpenBao")
    known = BaoSource(bao.address, lambda: place.token, web=web, clock=SystemClock())
    broker = OpenBaoPkiBroker(
        known,
        "pki",
        "task",
        clock=SystemClock(),
        parameters={"uri_sans": "remit:{id}"},
        headers={"X": "{chain}"},
    )
    until = datetime.now(UTC) + timedelta(hours=1)

    def about(text: str) -> Task:
        intent = msgspec.structs.replace(a_task().intent, params={"id": text})
        return a_task(deadline=until, intent=intent)

    try:
        task = about("C-42,remit:admin")
        with pytest.raises(KeyUnavailable, match="the task's `id` cannot stand"):
            await broker.obtain(LeaseWanted("lse_1", "crm", task))
        with pytest.raises(KeyUnavailable, match="no parameter `id`"):
            await broker.obtain(
                LeaseWanted(
                    "lse_1",
                    "crm",
                    a_task(deadline=until, intent=msgspec.structs.replace(a_task().intent, params={})),
                )
            )
        # A header cannot hold the lines of a certificate: it can be revoked, and is not left behind.
        before = serials(bao)
        with pytest.raises(UnfitCredential, match="cannot be used in the header `X`") as unfit:
            await broker.obtain(LeaseWanted("lse_1", "crm", about("C-42")))
        await broker.revoke(unfit.value.credential)
        (made,) = serials(bao) - before
        told: Any = bao.ask("GET", f"pki/cert/{made}")
        assert told["data"]["revocation_time"] > 0
    finally:
        await web.close()


@pytest.mark.parametrize(
    ("kind", "template", "value"),
    [
        ("uri_sans", "remit://acme/{id}/reader", "C-7/admin#"),
        ("uri_sans", "remit://acme/{id}/reader", "C-7/admin?"),
        ("uri_sans", "remit://acme/{id}/reader", ".."),
        ("uri_sans", "remit://acme/{id}/reader", "C-7%2Fadmin"),
        ("alt_names", "{id}.customers.example", "*"),
        ("alt_names", "{id}.customers.example", "root@mail"),
        ("common_name", "{id}.customers.example", "*"),
    ],
)
async def test_what_a_task_says_stays_one_part_of_a_name(
    bao: BaoServer, kind: str, template: str, value: str
) -> None:
    """No path that leads elsewhere, no name for all customers, no mailbox where a host was meant."""
    place = AtBaoPki(bao)
    broker = OpenBaoPkiBroker(
        place.known(lambda: place.token),
        "pki",
        "task",
        clock=SystemClock(),
        parameters={kind: template},
        headers={"X": "{serial_number}"},
    )
    until = datetime.now(UTC) + timedelta(hours=1)
    intent = msgspec.structs.replace(a_task().intent, params={"id": value})
    wanted = LeaseWanted("lse_1", "crm", a_task(deadline=until, intent=intent))
    before = serials(bao)
    try:
        with pytest.raises(NothingDone, match="the task's `id` cannot stand"):
            await broker.obtain(wanted)
        assert serials(bao) == before
    finally:
        await broker.close()


def serials(bao: BaoServer) -> set[str]:
    """Return the serial numbers that the authority knows."""
    told: Any = bao.ask("LIST", "pki/certs")
    return set(told["data"]["keys"])


async def test_an_answer_of_ocsp_that_is_anothers_shows_nothing(bao: BaoServer) -> None:
    """Signed by another authority, or about another certificate, or no answer at all."""
    place = AtBaoPki(bao)
    broker = await place.broker()
    until = datetime.now(UTC) + timedelta(hours=1)
    try:
        first, second = [
            await broker.obtain(LeaseWanted(f"lse_{one}", "crm", a_task(deadline=until))) for one in "ab"
        ]
        await broker.revoke(first)
        mixed = {**first.handle, "issuer": first.handle["certificate"]}
        for handle in (mixed, {**second.handle, "certificate": "gone"}, {}):
            asked = UpstreamCredential(lease="lse_a", handle=handle)
            assert await broker.probe(asked) is Probe.UNREACHABLE
        assert await broker.probe(first) is Probe.REFUSED
        assert await broker.probe(second) is Probe.ACCEPTED
        with pytest.raises(KeyUnavailable, match="can no longer be read"):
            await broker.revoke(UpstreamCredential(lease="lse_a"))
    finally:
        await place.close()


async def test_a_task_without_the_tools_policies_gets_no_token(bao: BaoServer) -> None:
    """It would have those of the role, which are all; and a batch token could not be ended."""
    place, web = AtBaoTokens(bao), BrokerHttp("OpenBao")
    known = BaoSource(bao.address, lambda: place.token, web=web, clock=SystemClock())
    wanted = LeaseWanted("lse_1", "crm", a_task(deadline=datetime.now(UTC) + timedelta(hours=1)))
    role = {"allowed_policies": ["crm-reader"], "orphan": True, "renewable": False, "token_type": "batch"}
    bao.ask("POST", "auth/token/roles/batch", role)
    root = BaoSource(bao.address, lambda: "root-of-the-tests", web=web, clock=SystemClock())
    try:
        narrow = OpenBaoTokenBroker(
            known, "crm", clock=SystemClock(), tool_policies={"other": ("crm-reader",)}
        )
        with pytest.raises(KeyUnavailable, match="no granted tool of the task has policies"):
            await narrow.obtain(wanted)
        with pytest.raises(KeyUnavailable, match=r"status 400|cannot be taken back"):
            await OpenBaoTokenBroker(root, "batch", clock=SystemClock()).obtain(wanted)
    finally:
        await web.close()
