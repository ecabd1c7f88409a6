# SPDX-License-Identifier: Apache-2.0
"""Threat: a standing secret is copied into a file that outlives it. It lies in OpenBao, or in the system's
keyring, is read from there, and counts no longer than it does there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from remit.compose import open_records
from remit.compose import secret_sources as fetched
from remit.compose import standing_secrets as standing
from remit.config import load_config
from remit.config.scaffold import scaffold
from remit.core.errors import KeyUnavailable, RemitError
from remit.core.findings.finding import FindingState
from remit.core.findings.kinds import FindingKind
from tests.conformance.secret_sources import AtKeyring, AtKv
from tests.gateways.leasing_gateway import LeasingGateway
from tests.servers.authorization_server import SECRET, authorities
from tests.servers.bao_server import BaoServer

Json = Any

FIRST, SECOND = "s3cret-of-the-crm", "s3cret-of-tomorrow"


@pytest.fixture
def kept(bao: BaoServer) -> AtKv:
    """A secret in a store of version 2."""
    made = AtKv(bao, 2)
    made.write(FIRST)
    return made


@pytest.fixture
def gateway(tmp_path: Path, bao: BaoServer, kept: AtKv) -> Iterator[LeasingGateway]:
    """A gateway whose calls carry that secret; it logs in with an AppRole, and reads ten times a second."""
    login = bao.approle_for('path "kv2/data/crm/*" { capabilities = ["read"] }')
    section = {
        "address": bao.address,
        "auth": {"role_id": login["role_id"], "secret_id": "env:BAO_SECRET_ID"},
    }
    with (
        mock.patch.dict(os.environ, {"BAO_SECRET_ID": login["secret_id"]}),
        mock.patch.object(standing, "EVERY_S", 0.1),
        LeasingGateway(
            tmp_path,
            None,
            f"secrets: {json.dumps({'openbao': section})}\n",
            headers={"Authorization": f"Bearer openbao:{kept.name}"},
        ) as made,
    ):
        yield made


def reading(gateway: LeasingGateway) -> Callable[[], str]:
    """Return what reads it at each call."""
    broker: Any = gateway.services.credentials.leases._brokers["crm"]
    read: Callable[[], str] = broker._headers["Authorization"]
    return read


def carried(gateway: LeasingGateway) -> str:
    """Call, and give what the call carried."""
    _, token = gateway.open()
    gateway.call(token)
    return gateway.shown()[-1]["authorization"]


def test_a_call_carries_what_openbao_has_and_the_agent_is_not_shown_it(gateway: LeasingGateway) -> None:
    """Scrubbed out of what comes back; the finding names place, version and age, and not the secret."""
    _, token = gateway.open()
    assert FIRST not in gateway.call(token, FIRST)
    assert gateway.shown()[-1]["authorization"] == f"Bearer {FIRST}"
    found = gateway.wait(gateway.services.findings.findings.about("upstream:crm", state=FindingState.OPEN))
    (facts,) = [one.facts for one in found if one.kind is FindingKind.STANDING_SECRET]
    assert facts["where"] == "openbao:kv2/crm/api#password"
    assert facts["version"] >= 1
    assert facts["since"]
    said = gateway.remit("finding", "list", "--json", session=gateway.session()).stdout
    assert "openbao:kv2/crm/api#password" in said
    assert FIRST not in said


def test_a_changed_secret_is_carried_without_a_restart(gateway: LeasingGateway, kept: AtKv) -> None:
    """The first secret is worthless from then on."""
    assert carried(gateway) == f"Bearer {FIRST}"
    kept.write(SECOND)
    gateway.until(lambda: reading(gateway)().endswith(SECOND))
    assert carried(gateway) == f"Bearer {SECOND}"


def test_a_deleted_secret_is_carried_no_more(gateway: LeasingGateway, kept: AtKv) -> None:
    """The call is refused before anything is sent, and says where to look; written again, it is carried."""
    assert carried(gateway) == f"Bearer {FIRST}"
    kept.remove()
    _, token = gateway.open()
    read = reading(gateway)

    def refused() -> bool:
        try:
            read()
        except KeyUnavailable:
            return True
        return False

    gateway.until(refused)
    sent = len(gateway.shown())
    with pytest.raises(RemitError) as told:
        gateway.call(token)
    assert FIRST not in f"{told.value} {told.value.remediation} {told.value.debug}"
    assert "openbao" in f"{told.value}".lower()
    assert len(gateway.shown()) == sent
    kept.write(SECOND)
    gateway.until(lambda: not refused())
    assert carried(gateway) == f"Bearer {SECOND}"


def test_doctor_says_which_secrets_can_be_read(gateway: LeasingGateway, kept: AtKv) -> None:
    """By the login that the configuration names, and without a word of them."""
    said = gateway.remit("doctor", "--json")
    looks = [one for one in json.loads(said.stdout)["findings"] if one["subject"] == "secrets"]
    assert [one["state"] for one in looks] == ["ok"]
    kept.remove()
    said = gateway.remit("doctor", "--json")
    looks = [one for one in json.loads(said.stdout)["findings"] if one["subject"] == "secrets"]
    assert [one["state"] for one in looks] == ["fail"]
    assert "upstreams.crm.headers.Authorization" in looks[0]["says"]
    assert looks[0]["remediation"]
    assert FIRST not in said.stdout + said.stderr


async def test_the_secret_of_a_client_lies_in_the_keyring(tmp_path: Path) -> None:
    """What remit is known by at an authorization server, out of a keyring of the machine."""
    place = AtKeyring(tmp_path)
    place.write(SECRET)
    try:
        with authorities() as server:
            lease = {
                "oauth": server.oauth(client_secret=f"keyring:{place.name}"),
            }
            folder = tmp_path / "house"
            folder.mkdir()
            with LeasingGateway(folder, lease) as gateway:
                task, token = gateway.open()
                gateway.call(token)
                (text,) = server.tokens
                assert gateway.shown()[-1]["authorization"] == f"Bearer {text}"
                assert gateway.closed_up(task)["closed"]
    finally:
        place.remove()
        await place.close()


async def test_what_serves_nothing_asks_nobody_for_the_secrets_of_upstreams(tmp_path: Path) -> None:
    """A registration, or a rehearsal: where OpenBao cannot be reached, and no keyring is unlocked."""
    upstreams = {
        "crm": {
            "url": "https://crm.example.com/mcp",
            "headers": {"Authorization": "Bearer openbao:kv/crm#x"},
        },
        "git": {
            "url": "https://git.example.com/mcp",
            "headers": {"Authorization": "Bearer keyring:git/remit"},
        },
    }
    secrets = {"openbao": {"address": "http://127.0.0.1:1", "token": "keyring:bao/remit"}}
    scaffold(tmp_path)
    (tmp_path / "remit.yaml").write_text(json.dumps({"upstreams": upstreams, "secrets": secrets}))
    config = load_config(tmp_path)
    with mock.patch.object(fetched, "_keyring", side_effect=AssertionError("it is asked")):
        async with open_records(config):
            pass
