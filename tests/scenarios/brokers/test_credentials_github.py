# SPDX-License-Identifier: Apache-2.0
"""Tokens of a GitHub App: narrowed to their task, taken back when it ends; at a stand-in that is strict."""

import os
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec
import pytest

from remit.adapters.broker.github import GitHubBroker
from remit.core.errors import KeyUnavailable, NothingDone
from remit.core.tasks.grant import Grant
from remit.core.tasks.task import Task
from remit.ports.broker import LeaseWanted, Probe, UnfitCredential, UpstreamCredential
from tests.conformance.cloud_brokers import AtGitHub
from tests.gateways.leasing_gateway import LeasingGateway
from tests.servers.github_server import APP, INSTALLATION, OWNER, GitHubServer, github_server
from tests.worlds.values import a_task

Json = Any


@pytest.fixture
def github() -> Iterator[GitHubServer]:
    """A stand-in."""
    with github_server() as running:
        yield running


@pytest.fixture
async def place(github: GitHubServer) -> AsyncIterator[AtGitHub]:
    """Brokers at it."""
    made = AtGitHub(github)
    yield made
    await made.close()


def about(*tools: str, **params: Json) -> Task:
    """Return a task with parameters, that was granted tools."""
    intent = msgspec.structs.replace(a_task().intent, params=params)
    grants = tuple(Grant(f"code/{tool}", {}) for tool in tools)
    return a_task(deadline=datetime.now(UTC) + timedelta(hours=1), intent=intent, grants=grants)


def lease_of(github: GitHubServer, folder: Path) -> Json:
    """Return what `remit.yaml` says; the key is a file of many lines."""
    key = folder / "app.pem"
    key.write_text(github.pem)
    key.chmod(0o600)
    return {
        "github": {
            "api_url": github.url,
            "app": APP,
            "installation": INSTALLATION,
            "private_key": f"file:{key}",
            "owner": OWNER,
            "repositories": ["crm"],
            "tool_permissions": {"echo": {"contents": "read"}, "other": {"contents": "write"}},
        }
    }


def test_a_token_ends_with_the_task(tmp_path: Path, github: GitHubServer) -> None:
    """It is for the granted tool's permission in the one repository, and GitHub refuses it when the task has
    ended, however late.
    """
    with LeasingGateway(tmp_path, lease_of(github, tmp_path)) as gateway:
        task, token = gateway.open()
        gateway.call(token)
        (headers,) = gateway.shown()
        assert headers["authorization"].startswith("Bearer ghs_")
        assert github.asked == [{"repositories": ["crm"], "permissions": {"contents": "read"}}]
        said = gateway.remit("who", task, session=gateway.session())
        assert "holds github-token for acme/crm" in said.stdout
        github.lag = 3
        closure = gateway.closed_up(task)
        assert closure["closed"]
        (closing,) = [one for one in closure["closings"] if one["lease"]]
        assert (closing["kind"], closing["name"]) == ("github-token", "acme/crm")
        assert closing["refused_after_ms"] > closing["revoked_after_ms"]
        assert closing["attempts"] > 2
        assert github.living() == []


@pytest.mark.slow
def test_github_down_at_the_issue_and_at_the_end(tmp_path: Path, github: GitHubServer) -> None:
    """No call goes out; what could not be taken back stays open, and is taken back later."""
    with LeasingGateway(tmp_path, lease_of(github, tmp_path)) as gateway:
        task, token = gateway.open()
        github.broken = True
        with pytest.raises(KeyUnavailable, match="status 503"):
            gateway.call(token)
        assert gateway.shown() == []
        github.broken = False
        gateway.call(token)
        github.broken = True
        gateway.left_open(task)
        github.broken = False
        gateway.until(lambda: not gateway.services.credentials.leases.of(task=task))
        assert github.living() == []


async def test_a_task_names_repositories_and_nothing_wider(github: GitHubServer, place: AtGitHub) -> None:
    """No other owner, no path, no list that is empty (which to GitHub means all); nothing is asked then."""
    broker = place.made(repositories=["{repository}"])
    for bad in ("other/crm", "crm/../secrets", "..", "", "*", "crm?x=y", [], ["crm", "other/site"]):
        with pytest.raises(NothingDone):
            await broker.obtain(LeaseWanted("lse_1", "code", about(repository=bad)))
    assert github.asked == []
    for good, names in (
        ("acme/crm", ["crm"]),
        ("site", ["site"]),
        (["crm", "acme/site", "crm"], ["crm", "site"]),
    ):
        given = await broker.obtain(LeaseWanted("lse_1", "code", about(repository=good)))
        assert given.sink == f"acme/{','.join(names)}"
        assert github.asked[-1]["repositories"] == names


async def test_permissions_are_those_of_the_granted_tools(github: GitHubServer, place: AtGitHub) -> None:
    """The highest of each; none at all is no token, for to GitHub it would be one that may all."""
    broker = place.made(
        permissions={},
        tool_permissions={
            "read": {"contents": "read", "issues": "read"},
            "commit": {"contents": "write"},
        },
    )
    with pytest.raises(NothingDone, match="no granted tool of the task has permissions"):
        await broker.obtain(LeaseWanted("lse_1", "code", about("list")))
    await broker.obtain(LeaseWanted("lse_1", "code", about("commit", "read")))
    assert github.asked == [{"repositories": ["crm"], "permissions": {"contents": "write", "issues": "read"}}]
    with pytest.raises(NothingDone, match="status 422"):
        await place.made(permissions={"contents": "admin"}).obtain(LeaseWanted("lse_1", "code", about()))


async def test_a_token_that_may_more_than_was_asked_for_is_not_used(
    github: GitHubServer, place: AtGitHub
) -> None:
    """The token can be taken back; the caller that leases does that."""
    github.generous = True
    broker = await place.broker()
    with pytest.raises(UnfitCredential, match="more permissions than requested") as unfit:
        await broker.obtain(LeaseWanted("lse_1", "code", about()))
    assert len(github.tokens) == 1
    await broker.revoke(unfit.value.credential)
    assert github.living() == []


async def test_only_a_clear_no_is_a_refusal(github: GitHubServer, place: AtGitHub) -> None:
    """GitHub's answers to a caller that asks too often, or while GitHub is down, are no refusals."""
    broker = await place.broker()
    given = await broker.obtain(LeaseWanted("lse_1", "code", about()))
    github.broken = True
    assert await broker.probe(given) is Probe.UNREACHABLE
    assert await broker.probe(UpstreamCredential(lease="lse_1")) is Probe.UNREACHABLE
    with pytest.raises(KeyUnavailable, match="can no longer be read"):
        await broker.revoke(UpstreamCredential(lease="lse_1"))


@pytest.mark.parametrize(
    "key", ["", "hunter2", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"]
)
async def test_a_key_that_is_none_is_said_and_not_shown(
    key: str, github: GitHubServer, place: AtGitHub
) -> None:
    """Nothing is asked with it."""
    broker = GitHubBroker(place.app(), lambda: key, web=place.web(), clock=place.clock)
    with pytest.raises(NothingDone, match="private key of the GitHub App cannot be used") as told:
        await broker.obtain(LeaseWanted("lse_1", "code", about()))
    assert "hunter2" not in f"{told.value} {told.value.debug}"
    assert github.asked == []


@pytest.mark.parametrize("form", ["basic", "token"])
def test_a_git_client_is_given_basic(tmp_path: Path, github: GitHubServer, form: str) -> None:
    """As git speaks it; neither form comes back in a result. (One that would have is taken back at once.)"""
    lease = lease_of(github, tmp_path) | {"headers": {"X-Git": "Basic {basic}"}}
    with mock.patch.dict(os.environ), LeasingGateway(tmp_path, lease) as gateway:
        _, token = gateway.open()
        gateway.call(token)
        (headers,) = gateway.shown()
        basic = headers["x-git"].removeprefix("Basic ")
        (text,) = github.tokens
        secret = {"basic": basic, "token": text}[form]
        assert secret not in gateway.call(token, secret)
