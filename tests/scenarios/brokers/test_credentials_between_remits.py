# SPDX-License-Identifier: Apache-2.0
"""An upstream of another party's remit: this remit's task gets a token of the other authorization server, by
an assertion of an identity provider that both trust (ID-JAG).
"""

import json
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey

from remit.core.errors import KeyUnavailable
from remit.core.identity.passkey import Link
from remit.core.identity.workload import KeyBinding
from remit.core.scope import ScopeKind
from remit.core.tasks.task import TaskState
from remit.ports.store.changes import PutLink
from remit.ports.store.units import Unit
from remit.services.identity.directory import NewAgent
from tests.gateways.leasing_gateway import LeasingGateway
from tests.gateways.live_gateway import LiveGateway
from tests.servers.trusting_server import TrustingAuthorities, trusting

Json = Any

PROVIDER = "https://idp.example.com"
THEIRS = """
task: serve-partner
purpose: Serve a partner's people
run_by: [partner]
requested_by: ["issuer:provider"]
requires_person: false
grants:
  - tool: notes/list_notes
"""


class TheirGateway(LiveGateway):
    """The other organisation's remit, where ours is an agent like any other."""

    def __init__(self, folder: Path, provider: TrustingAuthorities, key: ECKey) -> None:
        issuer = {
            "issuer": PROVIDER,
            "use": ["id-jag"],
            "jwks_file": "provider-keys.json",
            "algorithms": ["ES256"],
        }
        provider.called = PROVIDER
        keys = {"keys": [provider.key.as_dict(private=False) | {"use": "sig"}]}
        (folder / "provider-keys.json").write_text(json.dumps(keys))
        settings = f"trust: {json.dumps({'issuers': {'provider': issuer}})}\n"
        super().__init__(folder, settings, tasks={"serve-partner": THEIRS})
        self._client_key = key

    async def _begin(self) -> None:
        await super()._begin()
        public = {name: str(value) for name, value in self._client_key.as_dict(private=False).items()}
        await self.services.identity.directory.register(
            NewAgent(name="partner", owner="ana", purpose="serves a partner", bindings=(KeyBinding(public),)),
            by="ana",
        )
        link = Link(
            tenant=self.services.tenant,
            issuer=PROVIDER,
            subject="ana",
            person="ana",
            made=self.services.clock.now(),
        )
        await self.services.store.commit(Unit((PutLink(link),), tenant=self.services.tenant))


@pytest.mark.slow
def test_a_task_here_is_a_task_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For the same person, opened at the provider's word; its token is dead there when the task ends here."""
    key = ECKey.generate_key("P-256", {"kid": "ours"}, private=True)
    for name in ("ours", "theirs"):
        (tmp_path / name).mkdir()
    with trusting() as provider, TheirGateway(tmp_path / "theirs", provider, key) as theirs:
        monkeypatch.setenv("OUR_KEY", json.dumps(key.as_dict(private=True)))
        monkeypatch.setenv("AT_PROVIDER", "s3cret of remit: 100% & more")
        lease = {
            "oauth": {
                "grant": "id-jag",
                "idp": {
                    "token_url": f"{provider.url}/token",
                    "client_id": "remit",
                    "client_secret": "env:AT_PROVIDER",
                },
                "token_url": f"{theirs.url}/oauth/token",
                "issuer": theirs.url,
                "introspect_url": f"{theirs.url}/oauth/introspect",
                "revoke_url": f"{theirs.url}/oauth/revoke",
                "client_id": "partner",
                "client_key": "env:OUR_KEY",
            }
        }
        with LeasingGateway(tmp_path / "ours", lease) as ours:
            provider.trusted[ours.url] = f"{ours.url}/oauth/jwks"
            task, token = ours.open("ana")
            ours.call(token)
            (there,) = [one for one in theirs.tasks() if one.type == "serve-partner"]
            assert (there.agent, there.on_behalf_of, there.state) == ("partner", "ana", TaskState.ACTIVE)
            assert ours.shown()[0]["authorization"].startswith("Bearer ")
            closure = ours.closed_up(task)
            assert closure["closed"], closure
            (closing,) = [one for one in closure["closings"] if one["lease"]]
            assert closing["refused_after_ms"] > 0

            # An end of the agent there ends what the agent could get from here.
            theirs.wait(
                theirs.services.endings.revocations.end_scope(
                    ScopeKind.AGENT, "partner", reason="enough", by="ana", lock=True
                )
            )
            _, another = ours.open("ana")
            with pytest.raises(KeyUnavailable):
                ours.call(another)
