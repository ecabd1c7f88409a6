# SPDX-License-Identifier: Apache-2.0
"""Sign-in at an OpenID Connect provider: a real one that others wrote, and one that lies."""

import base64
import hashlib
import re
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import oidc_provider_mock
import pytest
from joserfc.jwk import ECKey

from remit.adapters.provider.oidc import OidcProvider
from remit.adapters.runtime.system import SystemClock
from remit.core.errors import ConfigInvalid, SourceUnavailable, Unauthenticated
from remit.ports.provider import ProvenPerson
from tests.servers.lying_provider import ProviderWorld, provider_world
from tests.worlds.values import WorldClock

BACK = "http://localhost:8700/oauth/sign-in/arrive"
VERIFIER = "v" * 43
CHALLENGE = "o0lZUgZtJC2DYR0dkXYgPWbUw4T9OTMOhhWOCJzTvG8"


@pytest.fixture
async def world() -> AsyncIterator[ProviderWorld]:
    """A provider that says what a test wants."""
    async with provider_world() as made:
        yield made


@pytest.fixture
def clock(world: ProviderWorld) -> WorldClock:
    """A clock that both go by."""
    made = WorldClock()
    world.now = int(made.now().timestamp())
    return made


@pytest.fixture
def provider(world: ProviderWorld, clock: WorldClock) -> OidcProvider:
    """The adapter."""
    return OidcProvider(world.issuer, client_id="remit", clock=clock)


async def redeem(provider: OidcProvider, world: ProviderWorld, issuer: str = "") -> ProvenPerson:
    """Redeem a code."""
    world.nonce = world.nonce or "nonce-1"
    return await provider.redeem(
        code="code", issuer=issuer, redirect_uri=BACK, verifier=VERIFIER, nonce="nonce-1"
    )


async def test_somebody_signs_in_at_a_provider_that_others_wrote() -> None:
    """Discovery, PKCE, nonce, the code and the ID token, over a real connection."""
    user = oidc_provider_mock.User(
        sub="subject-7", claims={"preferred_username": "lena", "groups": ["legal"]}
    )
    with oidc_provider_mock.run_server_in_thread(require_nonce=True, user_claims=(user,)) as server:
        issuer = f"http://localhost:{server.server_port}"
        provider = OidcProvider(
            issuer, client_id="remit", client_secret="s3cret", scopes=("profile",), clock=SystemClock()
        )
        verifier = secrets.token_urlsafe(40)
        digest = hashlib.sha256(verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        address = await provider.address(
            redirect_uri=BACK, state="state-1", nonce="nonce-1", challenge=challenge
        )
        async with httpx2.AsyncClient(timeout=120) as browser:
            page = await browser.get(address)
            assert page.status_code == 200, page.text
            answer = await browser.post(address, data={"sub": "subject-7"})
        back = parse_qs(urlsplit(answer.headers["location"]).query)
        assert back["state"] == ["state-1"]
        proven = await provider.redeem(
            code=back["code"][0],
            issuer=back.get("iss", [""])[0],
            redirect_uri=BACK,
            verifier=verifier,
            nonce="nonce-1",
        )
        assert (proven.issuer, proven.subject) == (issuer, "subject-7")
        assert proven.claims["nonce"] == "nonce-1"


async def test_what_is_asked_of_the_provider(provider: OidcProvider, world: ProviderWorld) -> None:
    """Code, PKCE with S256, nonce and state; a new proof where one is needed."""
    address = await provider.address(redirect_uri=BACK, state="s", nonce="n", challenge=CHALLENGE, fresh=True)
    asked = parse_qs(urlsplit(address).query)
    assert asked["response_type"] == ["code"]
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["prompt"] == ["login"]
    assert asked["max_age"] == ["0"]
    assert re.match(r"openid\b", asked["scope"][0])


async def test_a_token_that_holds(provider: OidcProvider, world: ProviderWorld, clock: WorldClock) -> None:
    """The token states who a person is, and when they last proved it."""
    world.claims = {"auth_time": world.now - 60}
    proven = await redeem(provider, world)
    assert proven.subject == "subject-1"
    assert proven.authenticated == datetime.fromtimestamp(world.now - 60, UTC)
    assert world.forms[0]["code_verifier"] == VERIFIER
    world.claims = {}
    assert (await redeem(provider, world)).authenticated is None
    # Metadata and keys are asked for once.
    assert world.asked.count("/jwks") == 1


async def test_the_secret_goes_where_the_provider_wants_it(world: ProviderWorld, clock: WorldClock) -> None:
    """In the header by default, in the form where that is all that it takes."""
    keyed = OidcProvider(world.issuer, client_id="remit", client_secret="a b:c", clock=clock)
    await redeem(keyed, world)
    assert world.authorizations[0] == "Basic " + base64.b64encode(b"remit:a+b%3Ac").decode()
    world.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    other = OidcProvider(world.issuer, client_id="remit", client_secret="x", clock=clock)
    await redeem(other, world)
    assert world.forms[1]["client_secret"] == "x"


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"aud": "another"},
        {"aud": ["remit", "another"]},
        {"azp": "another"},
        {"nonce": "nonce-2"},
        {"nonce": None},
        {"exp": 1},
        {"exp": None},
        {"iat": 4_000_000_000},
        {"sub": ""},
        {"sub": None},
        {"sub": 7},
    ],
)
async def test_a_token_for_something_else(
    provider: OidcProvider, world: ProviderWorld, claims: dict[str, Any]
) -> None:
    """Another issuer, client, sign-in or time: refused."""
    world.claims = claims
    with pytest.raises(Unauthenticated) as refused:
        await redeem(provider, world)
    assert refused.value.code == "sign-in-token"


async def test_a_token_by_a_key_that_is_not_the_providers(
    provider: OidcProvider, world: ProviderWorld
) -> None:
    """The token is signed by a stranger under the provider's key id, or by an unpublished key."""
    world.signing = ECKey.generate_key("P-256", {"kid": "one"})
    with pytest.raises(Unauthenticated):
        await redeem(provider, world)
    world.signing = ECKey.generate_key("P-256", {"kid": "two"})
    with pytest.raises(Unauthenticated):
        await redeem(provider, world)


async def test_a_new_key_is_learned_of(
    provider: OidcProvider, world: ProviderWorld, clock: WorldClock
) -> None:
    """A token that names it has the keys fetched again; not more often than every few seconds."""
    await redeem(provider, world)
    world.signing = ECKey.generate_key("P-256", {"kid": "two"})
    world.published = [world.key, world.signing]
    with pytest.raises(Unauthenticated):
        await redeem(provider, world)
    clock.advance(11)
    assert (await redeem(provider, world)).subject == "subject-1"


async def test_an_answer_of_another_provider(provider: OidcProvider, world: ProviderWorld) -> None:
    """`iss` that differs is a mix-up; where the provider says that it always sends one, none is one too."""
    with pytest.raises(Unauthenticated) as refused:
        await redeem(provider, world, issuer="https://evil.example")
    assert refused.value.code == "sign-in-issuer"
    assert (await redeem(provider, world, issuer=world.issuer)).subject == "subject-1"


async def test_an_answer_without_the_issuer_that_is_always_sent(
    world: ProviderWorld, clock: WorldClock
) -> None:
    """RFC 9207 section 2.4: it is refused before the code goes anywhere."""
    world.metadata = {"authorization_response_iss_parameter_supported": True}
    provider = OidcProvider(world.issuer, client_id="remit", clock=clock)
    with pytest.raises(Unauthenticated):
        await redeem(provider, world)
    assert world.forms == []


async def test_a_code_that_the_provider_does_not_take(provider: OidcProvider, world: ProviderWorld) -> None:
    """It is a refusal, not a fault."""
    world.token_status = 400
    with pytest.raises(Unauthenticated) as refused:
        await redeem(provider, world)
    assert refused.value.code == "sign-in-code-refused"


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://evil.example/token"},
        {"token_endpoint": None},
        {"jwks_uri": "file:///etc/passwd"},
    ],
)
async def test_metadata_that_cannot_be_used(
    world: ProviderWorld, clock: WorldClock, metadata: dict[str, Any]
) -> None:
    """Of another issuer, without TLS, or not complete."""
    world.metadata = metadata
    provider = OidcProvider(world.issuer, client_id="remit", clock=clock)
    with pytest.raises(SourceUnavailable):
        await redeem(provider, world)


async def test_a_provider_that_is_down() -> None:
    """It is said so, in bounded time."""
    provider = OidcProvider("http://127.0.0.1:1", client_id="remit", clock=WorldClock())
    with pytest.raises(SourceUnavailable):
        await provider.address(redirect_uri=BACK, state="s", nonce="n", challenge=CHALLENGE)


def test_an_issuer_without_tls() -> None:
    """It is refused by the configuration."""
    with pytest.raises(ConfigInvalid):
        OidcProvider("http://idp.example", client_id="remit", clock=WorldClock())
