# SPDX-License-Identifier: Apache-2.0
"""The section `trust:` of `remit.yaml`: what it means, and what is refused."""

import json
import re
from pathlib import Path

import pytest

from remit.adapters.runtime.system import SystemClock
from remit.compose.trust import issuer_of, look_at_trust, trust_of
from remit.config import Config, load_config
from remit.config.load import examine_config
from remit.core.errors import ConfigInvalid, Unauthenticated
from remit.core.identity.platforms import PLATFORMS
from remit.ports.attestor import ShownAssertion, ShownCertificate
from remit.ports.issuers import IssuerUse
from tests.servers.tls_server import local_server, reply
from tests.worlds.attestation import WorldAuthority, WorldIssuer, of_now

UPSTREAM = "upstreams: {notes: {command: [python, notes.py]}}\n"
URL = "https://remit.example"


def config(tmp_path: Path, trust: str) -> Config:
    """Load a configuration with this section."""
    (tmp_path / "remit.yaml").write_text(f"{UPSTREAM}trust:\n{trust}", encoding="utf-8")
    return load_config(tmp_path)


def refusals(tmp_path: Path, trust: str) -> list[str]:
    """What is wrong with a configuration with this section, one line each."""
    (tmp_path / "remit.yaml").write_text(f"{UPSTREAM}trust:\n{trust}", encoding="utf-8")
    return [str(problem) for problem in examine_config(tmp_path)[1]]


def test_nobody_is_trusted_unless_named(tmp_path: Path) -> None:
    """Without the section there is neither an issuer nor a trust domain."""
    (tmp_path / "remit.yaml").write_text(UPSTREAM)
    trust = load_config(tmp_path).trust
    assert (trust.issuers, trust.spiffe, trust.plain_loopback) == ({}, {}, False)


def test_a_preset_needs_no_more_than_its_name(tmp_path: Path) -> None:
    """Where the platform has one issuer; its algorithms and claims come along."""
    got = config(tmp_path, "  issuers: {github: {preset: github-actions}}\n")
    issuer = issuer_of("github", got.trust.issuers["github"], got, URL)
    assert issuer.issuer == "https://token.actions.githubusercontent.com"
    assert issuer.platform is PLATFORMS["github-actions"]
    assert (issuer.algorithms, issuer.audience) == (frozenset({"RS256"}), URL)
    assert issuer.uses == {IssuerUse.WORKLOADS}


def test_any_issuer_may_be_named_with_what_it_is_believed_for(tmp_path: Path) -> None:
    """Each option reaches the adapter."""
    got = config(
        tmp_path,
        """
  leeway_s: 5
  keys_kept_s: 1h
  issuers:
    okta:
      issuer: https://example.okta.com
      audience: https://gateway.example
      use: [people, id-jag]
      algorithms: [RS256]
      jwks_uri: https://example.okta.com/oauth2/v1/keys
      max_token_life_s: 10m
""",
    )
    issuer = issuer_of("okta", got.trust.issuers["okta"], got, URL)
    assert (issuer.audience, issuer.jwks_uri) == (
        "https://gateway.example",
        "https://example.okta.com/oauth2/v1/keys",
    )
    assert issuer.uses == {IssuerUse.PEOPLE, IssuerUse.ID_JAG}
    assert (issuer.leeway_s, issuer.kept_s, issuer.max_life_s) == (5, 3600, 600)
    assert issuer.algorithms == {"RS256"}


@pytest.mark.parametrize(
    ("trust", "said"),
    [
        ("  issuers: {a: {}}\n", "has no issuer"),
        ("  issuers: {a: {preset: kubernetes}}\n", "has no issuer"),
        ("  issuers: {a: {preset: aws}}\n", r"looks like|tokens like"),
        ("  issuers: {a: {preset: githubactions}}\n", "did you mean `github-actions`"),
        ("  issuers: {a: {issuer: 'http://issuer.example'}}\n", "is not an https address"),
        ("  issuers: {a: {issuer: 'http://127.0.0.1:9400'}}\n", "is not an https address"),
        ("  issuers: {a: {issuer: issuer.example}}\n", "is not an address"),
        ("  issuers: {a: {preset: aws, issuer: 'https://sts.example'}}\n", "is not an issuer of AWS"),
        (
            "  issuers: {a: {preset: azure, issuer: 'https://login.microsoftonline.com/common/v2.0'}}\n",
            "not an issuer of Microsoft Entra ID",
        ),
        (
            "  issuers: {a: {issuer: 'https://a.example', jwks_uri: 'https://a.example/k', jwks_file: k}}\n",
            "beside `jwks_uri`",
        ),
        ("  issuers: {a: {issuer: 'https://a.example', bearer_file: t}}\n", "has a token but no `jwks_uri`"),
        ("  issuers: {a: {issuer: 'https://a.example', algorithms: [HS256]}}\n", "HS256"),
        ("  issuers: {a: {issuer: 'https://a.example', use: []}}\n", "is empty"),
        ("  issuers: {a: {preset: gitlab, use: [people]}}\n", "platform for workloads"),
        (
            "  issuers: {a: {issuer: 'https://a.example'}, b: {issuer: 'https://a.example'}}\n",
            "the same issuer as `a`",
        ),
        ("  spiffe: {Example.org: {bundle_file: b}}\n", "is not a trust domain"),
        ("  spiffe: {example.org/a: {bundle_file: b}}\n", "is not a trust domain"),
        ("  spiffe: {example.org: {}}\n", "one bundle source"),
        ("  spiffe: {example.org: {bundle_file: b, workload_api: env}}\n", "one bundle source"),
        ("  spiffe: {example.org: {bundle_endpoint: 'http://a.example'}}\n", "is not an https address"),
        ("  spiffe: {example.org: {workload_api: /run/agent.sock}}\n", "is not a socket"),
        (
            (
                "  spiffe: {example.org: {bundle_endpoint: 'https://a.example', bundle_file: b, "
                "endpoint_id: 'spiffe://other.example/s'}}\n"
            ),
            "cannot be checked",
        ),
        (
            (
                "  spiffe: {example.org: {bundle_endpoint: 'https://a.example', "
                "endpoint_id: 'spiffe://example.org/s'}}\n"
            ),
            "cannot be checked",
        ),
    ],
)
def test_what_cannot_be_trusted_so_is_said_with_the_way_out(tmp_path: Path, trust: str, said: str) -> None:
    """By line and key."""
    found = refusals(tmp_path, trust)
    assert any(re.search(said, one) for one in found), found


def test_two_clusters_of_one_issuer_may_serve_different_uses(tmp_path: Path) -> None:
    """Then each is believed for its own."""
    both = "{a: {issuer: 'https://a.example'}, b: {issuer: 'https://a.example', use: [people]}}"
    assert refusals(tmp_path, f"  issuers: {both}\n") == []


def test_this_machine_may_be_asked_by_http_where_that_is_said(tmp_path: Path) -> None:
    """For development; nothing else may."""
    local = "  plain_loopback: true\n  issuers: {a: {issuer: 'http://127.0.0.1:9400'}}\n"
    assert refusals(tmp_path, local) == []
    other = "  plain_loopback: true\n  issuers: {a: {issuer: 'http://10.0.0.1:9400'}}\n"
    assert refusals(tmp_path, other) != []


def test_a_file_of_authorities_that_is_not_there_is_said_at_the_start(tmp_path: Path) -> None:
    """Not at the first token."""
    got = config(tmp_path, "  issuers: {a: {issuer: 'https://a.example', tls_ca: missing.pem}}\n")
    with pytest.raises(ConfigInvalid, match=r"missing\.pem"):
        trust_of(got, URL, SystemClock())


def test_a_trust_domain_of_ours_is_not_taken_from_elsewhere(tmp_path: Path) -> None:
    """Two sources of one domain's keys would be one too many."""
    got = config(tmp_path, "  spiffe: {example.org: {bundle_file: b}}\n")

    async def own() -> object:
        raise AssertionError

    with pytest.raises(ConfigInvalid, match="own trust domain"):
        trust_of(got, URL, SystemClock(), {"example.org": own})  # type: ignore[dict-item]


async def test_whom_one_trusts_can_be_looked_at_beforehand(tmp_path: Path) -> None:
    """`remit doctor` says of each whether its keys can be read, and why not."""
    (tmp_path / "bundle.json").write_text(json.dumps(of_now().bundle))
    got = config(
        tmp_path,
        """
  issuers: {a: {issuer: "https://name.invalid"}, b: {issuer: "https://b.example", jwks_file: missing}}
  spiffe: {example.org: {bundle_file: bundle.json}}
""",
    )
    found = await look_at_trust(got)
    assert found["trust domain `example.org`"] == ""
    assert "has no known address" in found["issuer `a`"]
    assert "No such file" in found["issuer `b`"]


async def test_what_the_configuration_trusts_is_attested(tmp_path: Path) -> None:
    """From the text of the file to a proof: an issuer by its key set, a trust domain by its bundle."""
    issuer, authority = WorldIssuer(), of_now()
    (tmp_path / "jwks.json").write_text(json.dumps(issuer.jwks))
    (tmp_path / "bundle.json").write_text(json.dumps(authority.bundle))
    got = config(
        tmp_path,
        f"""
  issuers: {{a: {{issuer: "{issuer.issuer}", jwks_file: jwks.json}}}}
  spiffe: {{example.org: {{bundle_file: bundle.json}}}}
""",
    )
    trust = trust_of(got, URL, SystemClock())
    now = SystemClock().now()
    proof = await trust.attestors.attest(ShownAssertion(issuer.token(now, aud=URL)))
    assert proof.workload == f"{issuer.issuer}#worker"
    proof = await trust.attestors.attest(ShownCertificate(authority.svid()))
    assert proof.workload == "spiffe://example.org/worker"
    proof = await trust.attestors.attest(ShownAssertion(authority.jwt_svid(now=now, aud=URL)))
    assert proof.workload == "spiffe://example.org/worker"
    with pytest.raises(Unauthenticated) as refused:
        await trust.attestors.attest(ShownCertificate(WorldAuthority("else.example").svid()))
    assert refused.value.code == "svid-foreign"
    await trust.close()


async def test_a_key_set_may_ask_for_a_token_that_is_read_each_time(tmp_path: Path) -> None:
    """As the API server of a cluster does; the platform renews the file."""
    issuer, ca = WorldIssuer(issuer="https://kubernetes.default.svc"), of_now("ca.example")
    (tmp_path / "ca.pem").write_bytes(ca.pem)
    (tmp_path / "token").write_text("first\n")
    async with local_server(lambda _: reply(json.dumps(issuer.jwks).encode()), ca) as server:
        got = config(
            tmp_path,
            f"""
  issuers:
    cluster:
      issuer: {issuer.issuer}
      jwks_uri: {server.url("/openid/v1/jwks")}
      tls_ca: ca.pem
      bearer_file: token
      private: true
""",
        )
        trust = trust_of(got, URL, SystemClock())
        token = issuer.token(SystemClock().now(), aud=URL)
        assert (await trust.issuers.verify(token, use=IssuerUse.WORKLOADS)).subject == "worker"
        (tmp_path / "token").write_text("second\n")
        section = issuer_of("cluster", got.trust.issuers["cluster"], got, URL)
        await section.fetch.get(server.url("/"))
        await trust.close()
    assert ["authorization: bearer first" in one.lower() for one in server.requests] == [True, False]
    assert "bearer second" in server.requests[1].lower()
