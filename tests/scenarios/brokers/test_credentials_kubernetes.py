# SPDX-License-Identifier: Apache-2.0
"""Tokens of a Kubernetes service account, bound to an object that the end deletes; at a stand-in of the API
server that is strict.
"""

import os
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec
import pytest

from remit.core.errors import KeyUnavailable, NothingDone
from remit.core.tasks.task import Task
from remit.ports.broker import LeaseWanted, Probe, UpstreamCredential
from tests.conformance.cloud_brokers import AtKubernetes
from tests.gateways.leasing_gateway import LeasingGateway
from tests.servers.kubernetes_server import NAMESPACE, OURS, KubernetesServer, kubernetes_server
from tests.worlds.values import a_task

Json = Any


@pytest.fixture
def cluster() -> Iterator[KubernetesServer]:
    """A stand-in."""
    with kubernetes_server() as running:
        yield running


@pytest.fixture
async def place(cluster: KubernetesServer) -> AsyncIterator[AtKubernetes]:
    """Brokers at it."""
    made = AtKubernetes(cluster, audiences=())
    yield made
    await made.close()


def about(**params: Json) -> Task:
    """Return a task with parameters."""
    intent = msgspec.structs.replace(a_task().intent, params=params)
    return a_task(deadline=datetime.now(UTC) + timedelta(hours=1), intent=intent)


def lease_of(cluster: KubernetesServer, *audiences: str) -> Json:
    """Return what `remit.yaml` says."""
    return {
        "kubernetes": {
            "api_url": cluster.url,
            "token": "env:POD_TOKEN",
            "namespace": NAMESPACE,
            "service_account": "reader",
            "audiences": list(audiences),
        }
    }


@pytest.mark.parametrize("audiences", [(), ("crm.example.com",)])
def test_a_token_ends_with_the_task(
    audiences: tuple[str, ...], tmp_path: Path, cluster: KubernetesServer
) -> None:
    """Its object says whose it is, and is gone with the task; the API server goes on knowing the token for a
    while, and the closure says for how long.
    """
    with (
        mock.patch.dict(os.environ, {"POD_TOKEN": OURS}),
        LeasingGateway(tmp_path, lease_of(cluster, *audiences)) as gateway,
    ):
        task, token = gateway.open()
        gateway.call(token)
        (headers,) = gateway.shown()
        assert headers["authorization"].removeprefix("Bearer ") in cluster.tokens
        (bound,) = cluster.objects.values()
        assert bound["metadata"]["annotations"]["remit/task"] == task
        assert "data" not in bound
        assert "holds kubernetes-token for crm/reader" in (
            gateway.remit("who", task, session=gateway.session()).stdout
        )
        cluster.lag = 3
        closure = gateway.closed_up(task)
        assert closure["closed"]
        (closing,) = [one for one in closure["closings"] if one["lease"]]
        assert (closing["kind"], closing["name"]) == ("kubernetes-token", "crm/reader")
        assert closing["refused_after_ms"] > closing["revoked_after_ms"]
        assert closing["attempts"] > 2
        assert cluster.objects == {}


@pytest.mark.slow
def test_the_api_server_down_at_the_issue_and_at_the_end(tmp_path: Path, cluster: KubernetesServer) -> None:
    """No call goes out; what could not be deleted stays open, and is deleted later."""
    with (
        mock.patch.dict(os.environ, {"POD_TOKEN": OURS}),
        LeasingGateway(tmp_path, lease_of(cluster)) as gateway,
    ):
        task, token = gateway.open()
        cluster.stop()
        with pytest.raises(KeyUnavailable, match="does not answer"):
            gateway.call(token)
        assert gateway.shown() == []
        cluster.start()
        gateway.call(token)
        cluster.broken = True
        gateway.left_open(task)
        cluster.broken = False
        gateway.until(lambda: not gateway.services.credentials.leases.of(task=task))
        assert cluster.objects == {}


def test_an_object_whose_token_was_refused_is_not_left_behind(
    tmp_path: Path, cluster: KubernetesServer
) -> None:
    """It was made before the token was asked for, and is deleted though there is no credential."""
    with (
        mock.patch.dict(os.environ, {"POD_TOKEN": OURS}),
        LeasingGateway(tmp_path, lease_of(cluster)) as gateway,
    ):
        task, token = gateway.open()
        cluster.refusing = {"/serviceaccounts/reader/token"}
        for _ in range(3):
            with pytest.raises(KeyUnavailable, match="`Forbidden`"):
                gateway.call(token)
        gateway.until(lambda: not cluster.objects)
        gateway.until(lambda: not gateway.services.credentials.leases.of(task=task))
        # Where not even the object could be made, there is nothing to delete.
        cluster.refusing = {"/secrets"}
        with pytest.raises(KeyUnavailable, match="`Forbidden`"):
            gateway.call(token)
        gateway.until(lambda: not gateway.services.credentials.leases.of(task=task))


async def test_a_task_names_an_account_and_nothing_else(
    cluster: KubernetesServer, place: AtKubernetes
) -> None:
    """No path, no other namespace; nothing is made then."""
    broker = place.made("reader-{customer}")
    for bad in ("../admin", "c-42/token", "C-42", "", "a" * 60, "*"):
        with pytest.raises(NothingDone):
            await broker.obtain(LeaseWanted("lse_1", "crm", about(customer=bad)))
    assert cluster.objects == {}
    given = await broker.obtain(LeaseWanted("lse_1", "crm", about(customer="c-42")))
    assert given.sink == "crm/reader-c-42"


async def test_only_a_clear_no_is_a_refusal(cluster: KubernetesServer) -> None:
    """An API server that may not be asked, or is down, has refused nothing; nor does a path that is not there
    say that an object is gone.
    """
    for audiences in ((), ("crm.example.com",)):
        place = AtKubernetes(cluster, audiences=audiences)
        broker = await place.broker()
        given = await broker.obtain(LeaseWanted(f"lse_{len(audiences)}", "crm", about()))
        cluster.refusing = {"reviews"}
        assert await broker.probe(given) is Probe.UNREACHABLE
        cluster.refusing = set()
        cluster.broken = True
        assert await broker.probe(given) is Probe.UNREACHABLE
        cluster.broken = False
        await place.close()
    elsewhere = AtKubernetes(cluster, audiences=())
    broker = elsewhere.made(path="/elsewhere")
    with pytest.raises(KeyUnavailable, match="status 404"):
        await broker.revoke(UpstreamCredential(lease="lse_0"))
    with pytest.raises(KeyUnavailable, match="is no lease"):
        await broker.revoke(UpstreamCredential(lease="../pods"))
    await elsewhere.close()


async def test_a_token_whose_answer_was_lost_is_as_dead_as_its_object(
    cluster: KubernetesServer, place: AtKubernetes
) -> None:
    """No one has the token, so it cannot be tried."""
    broker = await place.broker()
    given = await broker.obtain(LeaseWanted("lse_9", "crm", about()))
    lost = UpstreamCredential(lease="lse_9")
    assert await broker.probe(lost) is Probe.UNREACHABLE
    await broker.revoke(lost)
    assert await broker.probe(lost) is Probe.REFUSED
    assert await broker.probe(given) is Probe.REFUSED
    # A new Secret of the same name does not revive the token.
    await broker.obtain(LeaseWanted("lse_9", "crm", about()))
    assert await broker.probe(given) is Probe.REFUSED
