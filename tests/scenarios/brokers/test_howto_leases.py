# SPDX-License-Identifier: Apache-2.0
"""The guides to leased credentials work unchanged, except for addresses and for the names of what an operator
has made at the source.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml

from remit.config.scaffold import scaffold
from remit.core.decisions.mediation import Answered
from remit.services.mediation.mediator import RequestedCall
from remit.services.tasks.opening_rules import Opening
from tests.architecture.tree import ROOT
from tests.gateways.leasing_gateway import TASK, TOOLS
from tests.gateways.live_gateway import LiveGateway
from tests.gateways.remit_up import Remit
from tests.samples.tokens import HELD, task_token
from tests.servers import github_server as at_github
from tests.servers.aws_server import ADMIN, ROLE, aws_server
from tests.servers.github_server import APP, github_server
from tests.servers.kubernetes_server import OURS, kubernetes_server
from tests.servers.ports import free_port
from tests.servers.scripted_mcp import scripted_http
from tests.worlds.calls import Heard

Json = Any

PAGES = ("lease-github-tokens", "lease-kubernetes-tokens", "lease-aws-sessions")
SCRIPTED = str(ROOT / "tests/servers/scripted_mcp.py")


def blocks(page: str, begins: str) -> list[str]:
    """Return the YAML of a guide that begins so."""
    text = (ROOT / "docs" / "howto" / f"{page}.md").read_text(encoding="utf-8")
    found = re.findall(r"^ *```yaml\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    return [one for one in map(textwrap.dedent, found) if one.startswith(begins)]


def written(text: str, changes: dict[str, str]) -> str:
    """Return a text with what is another thing here; each of it must be there."""
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


class Walked(LiveGateway):
    """A gateway whose `remit.yaml` has the upstream of a guide, and its task type where the guide has one."""

    def __init__(self, folder: Path, upstream: str, task: str) -> None:
        (self.name,) = yaml.safe_load(upstream)["upstreams"]
        super().__init__(folder, tasks={"look-up": task})
        self._upstream = upstream

    async def _begin(self) -> None:
        port = free_port()
        self.server = await self._stack.enter_async_context(scripted_http("modern", port))
        section = yaml.safe_load(self._upstream)["upstreams"][self.name] | {"sender_constraint": "optional"}
        if "url" in section:
            section["url"] = self.server.url
        file = self.folder / "remit.yaml"
        line = f"upstreams:\n  {self.name}: {json.dumps(section)}\n"
        file.write_text(file.read_text().replace("upstreams:\n", line, 1))
        (self.folder / "tools" / "guide.yaml").write_text(TOOLS.replace("crm", self.name))
        await super()._begin()

    def used(self, **params: Json) -> tuple[str, dict[str, str]]:
        """Open a task and call its tool; gives the task's id, and what the upstream was shown."""

        async def called() -> str:
            agent = await self.services.identity.directory.agent("note-bot")
            (name,) = [one for one in self.services.policies.applied.bundle.task_types if one not in OURS_TOO]
            asked = Opening(agent=agent.name, task_type=name, params=params)
            task = await self.services.tasks.tasks.open(asked, agent=agent)
            token = await task_token(self.services, task.id, confirmation=HELD)
            call = RequestedCall(
                token=token, proven=HELD, upstream=self.name, name="echo", arguments={"word": "x"}
            )
            end = await self.services.mediation.mediator.run(call, Heard())
            assert isinstance(end, Answered), end.decision.reasons
            return task.id

        task = self.wait(called())
        shown = [one for _, one in self.server.requests if one.get("mcp-method") == "tools/call"]
        return task, shown[-1] if shown else {}

    def ends(self, task: str, kind: str) -> None:
        """End it with `--prove`: the one credential of a kind was taken back, and seen to be refused."""
        closure = self.closed_up(task)
        assert closure["closed"]
        (closing,) = [one for one in closure["closings"] if one["lease"] and one["kind"] == kind]
        assert closing["refused_after_ms"] is not None


#: Task types that the folder has besides.
OURS_TOO = ("sweep", "tidy-note")


def task_of(page: str, tool: str) -> str:
    """Return a guide's task type, as one that the agent here may open by itself."""
    (text,) = blocks(page, "task:")
    own = 'run_by: [note-bot]\nrequested_by: ["agent:note-bot"]\nrequires_person: false\n'
    text = re.sub(r"run_by: .*\nrequested_by: .*\n", own, text)
    text = re.sub(r"arguments: .*", "arguments: {word: {length: {max: 100}}}", text)
    upstream = tool.partition("/")[0]
    return written(text, {tool: f"{upstream}/echo"})


@pytest.mark.parametrize("page", PAGES)
def test_every_configuration_of_the_guides_is_sound(tmp_path: Path, page: str) -> None:
    """`remit policy check` has nothing to say, task type included where the guide has one."""
    for number, text in enumerate(blocks(page, "# remit.yaml")):
        folder = tmp_path / str(number) / "house"
        folder.mkdir(parents=True)
        scaffold(folder)
        (folder / "tasks" / "tidy-note.yaml").unlink()
        (folder / "tools" / "notes.yaml").unlink()
        (folder / "documents.yaml").write_text("openapi: 3.1.0\ninfo: {title: d, version: '1'}\npaths: {}\n")
        (folder / "remit.yaml").write_text(text)
        for task in blocks(page, "task:") if number == 0 else ():
            (folder / "tasks" / "guide.yaml").write_text(task)
        said = Remit(folder)("policy", "check")
        assert said.code == 0, (text, said.out)
        assert "error" not in said.out


def test_the_guide_to_github(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token is for the one repository, and may what the granted tool needs besides."""
    monkeypatch.setitem(at_github.PERMISSIONS, "pull_requests", "write")
    with github_server() as github:
        key = tmp_path / "secrets" / "github-app.pem"
        key.parent.mkdir()
        key.write_text(github.pem)
        key.chmod(0o600)
        (text,) = blocks("lease-github-tokens", "# remit.yaml")
        (app,) = re.findall(r"^ *app: Iv23liAbCdEfGh\n", text, re.MULTILINE)
        address = app.replace("app: Iv23liAbCdEfGh", f"api_url: {github.url}")
        changes = {app: app.replace("Iv23liAbCdEfGh", APP) + address, "open_pull_request": "echo"}
        task = task_of("lease-github-tokens", "code/read_file")
        with Walked(tmp_path, written(text, changes), task) as gateway:
            opened, shown = gateway.used(repository="crm")
            (given,) = github.living()
            assert given["repositories"] == ["crm"]
            assert given["permissions"]["pull_requests"] == "write"
            assert shown["authorization"].startswith("Bearer ghs_")
            gateway.ends(opened, "github-token")
            assert github.living() == []


def test_the_guide_to_kubernetes(tmp_path: Path) -> None:
    """The token is bound to an object that the end deletes."""
    token = tmp_path / "token"
    token.write_text(OURS)
    token.chmod(0o600)
    with kubernetes_server() as cluster:
        (text,) = blocks("lease-kubernetes-tokens", "# remit.yaml")
        mounted = "/var/run/secrets/kubernetes.io/serviceaccount"
        changes = {
            "https://kubernetes.default.svc": cluster.url,
            f"{mounted}/token": str(token),
            f"tls_ca: {mounted}/ca.crt": 'tls_ca: ""',
        }
        task = TASK.replace("crm/", "cluster/")
        with Walked(tmp_path, written(text, changes), task) as gateway:
            opened, shown = gateway.used()
            assert shown["authorization"].removeprefix("Bearer ") in cluster.tokens
            assert len(cluster.objects) == 1
            gateway.ends(opened, "kubernetes-token")
            assert cluster.objects == {}


def test_what_remit_may_in_the_cluster_is_what_it_does_there(tmp_path: Path) -> None:
    """The role has exactly the verbs that were used, and is bound to a subject."""
    (text,) = blocks("lease-kubernetes-tokens", "apiVersion")
    role, binding = yaml.safe_load_all(text)
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert binding["metadata"]["namespace"] == role["metadata"]["namespace"] == "crm"
    assert {(rule["resources"][0], *rule["verbs"]) for rule in role["rules"]} == {
        ("secrets", "create", "delete"),
        ("serviceaccounts/token", "create"),
    }


@pytest.mark.slow
@pytest.mark.parametrize("form", ["carried", "environment"])
def test_the_guide_to_aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """The session may what stands there of the one customer, and is denied at the end; so, too, where a
    program has it in its environment.
    """
    monkeypatch.setenv("REMIT_AWS_KEY", ADMIN[0])
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "aws-key").write_text(ADMIN[1])
    (tmp_path / "secrets" / "aws-key").chmod(0o600)
    with aws_server() as aws:
        carried, environment, _ = blocks("lease-aws-sessions", "# remit.yaml")
        text = carried if form == "carried" else environment
        (region,) = re.findall(r"^ *region: eu-central-1\n", text, re.MULTILINE)
        addresses = "".join(
            region.replace("region: eu-central-1", one)
            for one in (f"sts_url: {aws.url}/sts", f"iam_url: {aws.url}/iam")
        )
        changes = {
            region: region + addresses,
            "arn:aws:iam::123456789012:role/crm-reader": ROLE,
            "https://crm-probe.s3.eu-central-1.amazonaws.com/": f"{aws.url}/s3/crm-probe",
        }
        if form == "carried":
            changes["read_customer"] = "echo"
        else:
            changes["[uvx, some-aws-mcp-server]"] = json.dumps([sys.executable, SCRIPTED, "modern"])
        task = task_of("lease-aws-sessions", "crm/read_customer")
        if form == "environment":
            task = task.replace("crm/echo", "buckets/echo")
        with Walked(tmp_path, written(text, changes), task) as gateway:
            opened, shown = gateway.used(customer="C-42")
            (session,) = aws.sessions.values()
            assert "arn:aws:s3:::crm/C-42/*" in json.dumps(session.policy)
            if form == "carried":
                assert shown["x-aws-access-key-id"] == session.key
            gateway.ends(opened, "aws-session")
            assert len(aws.policies) == 1


def test_aws_is_asked_for_what_the_guide_lets_remit_do() -> None:
    """Who may assume the role has the key, and both policies hold what tags and a source identity take."""
    text = (ROOT / "docs" / "howto" / "lease-aws-sessions.md").read_text(encoding="utf-8")
    trust, own = (
        json.loads(one) for one in re.findall(r"^ *```json\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    )
    wanted = {"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"}
    assert trust["Statement"][0]["Principal"]["AWS"].endswith(":user/remit")
    assert set(trust["Statement"][0]["Action"]) == wanted
    assert set(own["Statement"][0]["Action"]) == wanted
    assert set(own["Statement"][1]["Action"]) == {
        "iam:PutRolePolicy",
        "iam:GetRolePolicy",
        "iam:ListRolePolicies",
        "iam:DeleteRolePolicy",
    }
