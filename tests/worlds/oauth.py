# SPDX-License-Identifier: Apache-2.0
"""A gateway whose authorization server knows workloads, an enterprise's provider, and tasks to hand down."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
from joserfc.jwk import ECKey

from remit.adapters.attestor.bundles import endpoint_source
from remit.adapters.attestor.issuers import Issuer, OidcIssuers
from remit.adapters.attestor.oidc import OidcAttestor
from remit.adapters.attestor.spiffe import SpiffeAttestor
from remit.api.app import app
from remit.core.identity.passkey import Link
from remit.core.identity.posture import PostureClaim
from remit.core.identity.workload import Binding, IssuerBinding, SpiffeBinding
from remit.core.oauth.access_token import AccessClaims
from remit.core.oauth.one_time_code import ConsentCode
from remit.core.policy.bundle import Bundle
from remit.core.tasks.grant import GrantTemplate
from remit.core.tasks.task import HandDown, TaskType
from remit.ports.issuers import IssuerUse
from remit.ports.store.changes import PutLink
from remit.ports.store.units import Unit
from remit.services.identity.attestation import Attestors
from remit.services.identity.directory import NewAgent
from remit_sdk.dpop import DpopProver
from tests.worlds.attestation import WorldAuthority, WorldFetch, WorldIssuer
from tests.worlds.services import LOOPBACK, PUBLIC_URL, ServiceWorld, Told, a_bundle, exchange, make_services
from tests.worlds.values import TENANT, WorldClock

Json = Any
VERIFIER = "a" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
REDIRECT = "http://127.0.0.1/cb"

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
SPIFFE_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe"
ENTERPRISE = "https://login.example"
BUNDLE = "https://bundle.example/bundle"

REVIEW = TaskType(
    name="review",
    purpose="Review contracts",
    run_by=("contract-bot",),
    requested_by=("group:legal", "issuer:enterprise"),
    grants=(
        GrantTemplate("contracts/read", {"path": {"prefix": "contracts/"}}),
        GrantTemplate("contracts/list", other_arguments=True),
    ),
    delegates=HandDown(to=("other-bot", "third-bot"), max_depth=2),
)


class OAuthWorld(ServiceWorld):
    """A gateway with agents of every kind of proof."""

    def __init__(self, folder: Path, **outfit: Any) -> None:
        self.clock = WorldClock()
        self.platform = WorldIssuer("https://platform.example")
        self.enterprise = WorldIssuer(ENTERPRISE)
        self.authority = WorldAuthority()
        fetch = WorldFetch(lambda: self.platform.documents | self.enterprise.documents)
        issuers = OidcIssuers(
            [
                self._trusted("platform", self.platform, IssuerUse.WORKLOADS, fetch),
                self._trusted("enterprise", self.enterprise, IssuerUse.ID_JAG, fetch, IssuerUse.PEOPLE),
            ],
            self.clock,
        )
        domain = self.authority.trust_domain
        source = endpoint_source(domain, BUNDLE, WorldFetch(lambda: {BUNDLE: self.authority.bundle}))
        spiffe = SpiffeAttestor({domain: source}, self.clock, audience=PUBLIC_URL)
        upstreams: dict[str, Any] = {"contracts": None, "changes": None}
        self.services = make_services(
            folder,
            self.clock,
            upstreams,
            attestors=Attestors((OidcAttestor(issuers), spiffe)),
            issuers=issuers,
            **outfit,
        )
        self.on_disk: Bundle | Exception = a_bundle("sha256:two")
        self.asgi = app(self.services, reload=self._reload, watch_s=0)
        self.keys = {name: ECKey.generate_key("P-256") for name in ("contract-bot", "other-bot", "third-bot")}
        self._assertions = 0

    def _trusted(
        self, name: str, issuer: WorldIssuer, use: IssuerUse, fetch: WorldFetch, *more: IssuerUse
    ) -> Issuer:
        return Issuer(
            name=name,
            issuer=issuer.issuer,
            audience=PUBLIC_URL,
            uses=frozenset({use, *more}),
            fetch=fetch,
            posture={"compliant": PostureClaim("/device/compliant", "boolean")},
        )

    async def settle_in(self) -> None:
        """Move in; the bundle has a type that is handed down, and agents are bound to workloads."""
        await super().settle_in()
        bundle = a_bundle("sha256:oauth")
        types = bundle.task_types | {REVIEW.name: REVIEW}
        await self.services.policies.apply(msgspec.structs.replace(bundle, task_types=types), by="remit")
        await self.bind("pod-bot", IssuerBinding(self.platform.issuer, "worker"))
        await self.bind("spire-bot", SpiffeBinding("spiffe://example.org/worker"))
        link = Link(
            tenant=TENANT, issuer=ENTERPRISE, subject="lena-there", person="lena", made=self.clock.now()
        )
        await self.services.store.commit(Unit((PutLink(link),)))

    async def bind(self, name: str, *bindings: Binding) -> None:
        """Register an agent that is proven in these ways."""
        new = NewAgent(name=name, owner="lena", purpose="works", bindings=bindings)
        await self.services.identity.directory.register(new, by="root")

    # Asking.

    async def ask_token(
        self, grant: str, *, by: str = "", headers: Mapping[str, str] | None = None, **fields: Any
    ) -> Told:
        """Ask the token endpoint; `by` is the agent that proves itself with its key."""
        form = {"grant_type": grant, **fields}
        if by:
            form |= self.proof_of(by)
        return await self.form(form, headers)

    def proof_of(self, agent: str) -> dict[str, str]:
        """Return what an agent proves itself with."""
        return {
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": self.assertion(agent),
        }

    async def at(self, path: str, *, by: str = "", **fields: str) -> Told:
        """Ask another endpoint of the authorization server."""
        return await self.form(fields | (self.proof_of(by) if by else {}), path=path)

    async def over_tls(self, chain: Sequence[bytes], **fields: str) -> Told:
        """Ask the token endpoint over a connection in which a client certificate was shown."""

        async def asgi(scope: Json, receive: Json, send: Json) -> None:
            await self.asgi({**scope, "remit.peer_certificate": tuple(chain)}, receive, send)

        headers = [("content-type", "application/x-www-form-urlencoded")]
        return await exchange(asgi, "POST", "/oauth/token", headers, urlencode(fields).encode(), LOOPBACK)

    async def review(self, agent: str = "contract-bot", **more: str) -> Told:
        """Open a review at lena's word, and ask for its token as its agent does."""
        task = await self.open(await self.session("lena"), task_type="review", params={})
        return await self.task_token(task, agent, **more)

    async def with_proof(self, prover: DpopProver, grant: str, *, by: str = "", **fields: str) -> Told:
        """Ask the token endpoint with a DPoP proof, and again with the nonce that it wants."""
        url = f"{PUBLIC_URL}/oauth/token"
        told = await self.ask_token(grant, by=by, headers={"dpop": prover.proof("POST", url)}, **fields)
        if told.json.get("error") == "use_dpop_nonce":
            prover.learn(url, {"DPoP-Nonce": told.headers["dpop-nonce"]})
            proof = prover.proof("POST", url)
            told = await self.ask_token(grant, by=by, headers={"dpop": proof}, **fields)
        return told

    async def code(self, task: str, challenge: str, **more: Json) -> str:
        """Return a code as the consent page gives it: lena has agreed to a task of `contract-bot`."""
        held: dict[str, Any] = {
            "client_id": "contract-bot",
            "redirect_uri": "http://127.0.0.1/cb",
            "code_challenge": challenge,
            "agent": "contract-bot",
            "person": "lena",
            "task": task,
            "authenticated": self.clock.now(),
        } | more
        lasts = timedelta(seconds=60)
        value, keep = self.services.people.browsers.tickets.make(ConsentCode(**held), lasts)
        await self.services.store.commit(Unit((keep,)))
        return value

    def id_jag(self, **claims: Json) -> str:
        """Return an identity assertion of the enterprise for lena and `contract-bot`."""
        header = {"typ": "oauth-id-jag+jwt"}
        said = {"aud": PUBLIC_URL, "sub": "lena-there", "client_id": "contract-bot", "jti": "jag-1"}
        return self.enterprise.token(self.clock.now(), header, **(said | claims))


def claims_of(world: OAuthWorld, told: Told) -> AccessClaims:
    """Return the claims of a token that was given."""
    assert told.status == 200, told.content
    return world.services.identity.authenticator.unproven(told.json["access_token"], world.clock.now())


def error_of(told: Told) -> tuple[int, str]:
    """Return status and OAuth code of a refusal."""
    return told.status, told.json["error"]


def details(*actions: str, resource: str = "contracts", **constraints: Json) -> str:
    """Return `authorization_details` for tools of an upstream."""
    entry: dict[str, Json] = {
        "type": "mission_resource_access",
        "resource": f"{PUBLIC_URL}/mcp/{resource}",
        "actions": list(actions),
    }
    return json.dumps([entry | ({"constraints": constraints} if constraints else {})])


@asynccontextmanager
async def oauth_world(folder: Path, **outfit: Any) -> AsyncIterator[OAuthWorld]:
    """Open an OAuth world, settled in, and close its store at the end."""
    world = OAuthWorld(folder, **outfit)
    await world.settle_in()
    try:
        yield world
    finally:
        await world.services.store.close()


async def coded(world: OAuthWorld, **more: Json) -> tuple[str, str]:
    """Open a review as the consent page does; gives the task and its code."""
    task = await world.open(await world.session("lena"), task_type="review", params={})
    return task, await world.code(task, CHALLENGE, **more)


async def redeem(world: OAuthWorld, text: str, by: str = "contract-bot", **changes: str) -> Told:
    """Redeem a code."""
    fields: dict[str, Any] = {"code": text, "redirect_uri": REDIRECT, "code_verifier": VERIFIER} | changes
    return await world.ask_token("authorization_code", by=by, **fields)
