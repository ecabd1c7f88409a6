# SPDX-License-Identifier: Apache-2.0
"""The issuers' adapter before a third-party OpenID Connect provider, which runs as its own process."""

import json
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Iterator

import pytest

from remit.adapters.attestor.issuers import Issuer, OidcIssuers
from remit.adapters.attestor.oidc import OidcAttestor
from remit.adapters.fetch.ssrf_guard import GuardedFetch
from remit.adapters.runtime.system import SystemClock
from remit.core.errors import Unauthenticated
from remit.core.identity.workload import IssuerBinding, matches
from remit.ports.attestor import ShownAssertion
from remit.ports.issuers import IssuerUse
from tests.servers.ports import free_port

CLIENT = "remit-test"
BACK = "http://127.0.0.1/back"
#: Longest wait for another process to start.
PATIENCE_S = 180


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """Start the provider, and give its issuer."""
    port = free_port()
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield _ready(f"http://127.0.0.1:{port}", process)
        finally:
            process.terminate()


def _ready(url: str, process: "subprocess.Popen[bytes]") -> str:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/.well-known/openid-configuration") as answer:
                found = re.search(rb'"issuer": ?"([^"]+)"', answer.read())
                assert found is not None
                return found[1].decode()
        except OSError:
            time.sleep(0.05)
    pytest.skip("the provider `oidc_provider_mock` did not start")


def id_token(issuer: str, subject: str) -> str:
    """Sign a subject in by the authorization code flow, and give the ID token."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: object) -> None:
            return None

    query = {"client_id": CLIENT, "redirect_uri": BACK, "response_type": "code", "scope": "openid"}
    form = urllib.parse.urlencode({"sub": subject}).encode()
    address = f"{issuer.rstrip('/')}/oauth2/authorize?{urllib.parse.urlencode(query)}"
    try:
        with urllib.request.build_opener(Stay).open(address, form) as answer:
            location = answer.headers["Location"]
    except urllib.error.HTTPError as redirect:
        location = redirect.headers["Location"]
    code = urllib.parse.parse_qs(urllib.parse.urlsplit(location).query)["code"][0]
    exchange = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": BACK,
        "client_id": CLIENT,
        "client_secret": "any",
    }
    with urllib.request.urlopen(
        f"{issuer.rstrip('/')}/oauth2/token", urllib.parse.urlencode(exchange).encode()
    ) as answer:
        return str(json.load(answer)["id_token"])


@pytest.fixture
async def issuers(provider: str) -> AsyncIterator[OidcIssuers]:
    """Trust the provider for workloads."""
    found = OidcIssuers(
        [
            Issuer(
                name="provider",
                issuer=provider,
                audience=CLIENT,
                uses=frozenset({IssuerUse.WORKLOADS}),
                fetch=GuardedFetch(plain_loopback=True),
            )
        ],
        SystemClock(),
    )
    yield found
    await found.close()


async def test_a_token_of_a_real_provider_proves_its_subject(issuers: OidcIssuers, provider: str) -> None:
    """Its metadata and keys are discovered over HTTP, its RS256 signature holds."""
    token = id_token(provider, "contract-bot")
    attestor = OidcAttestor(issuers)
    assert attestor.judges(ShownAssertion(token))
    proof = await attestor.attest(ShownAssertion(token))
    assert matches(IssuerBinding(provider, "contract-bot"), proof)
    assert not matches(IssuerBinding(provider, "another-bot"), proof)


async def test_a_token_of_a_real_provider_that_was_changed_is_refused(
    issuers: OidcIssuers, provider: str
) -> None:
    """One character of the signature."""
    token = id_token(provider, "contract-bot")
    other = token[:-10] + ("A" if token[-10] != "A" else "B") + token[-9:]
    with pytest.raises(Unauthenticated) as refused:
        await issuers.verify(other, use=IssuerUse.WORKLOADS)
    assert refused.value.code == "token-signature"
