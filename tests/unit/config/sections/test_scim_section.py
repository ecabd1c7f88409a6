# SPDX-License-Identifier: Apache-2.0
"""The section `agents.scim` of `remit.yaml`: identity providers that manage agents, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from remit.compose.people import identity_providers
from remit.config import load_config
from remit.config.load import examine_config

UPSTREAM = "upstreams: {notes: {command: [python, notes.py]}}\n"
LEAST = "owner: lena, purpose: works"


def write(tmp_path: Path, providers: str) -> Path:
    """Write a configuration."""
    (tmp_path / "remit.yaml").write_text(f"{UPSTREAM}agents: {{scim: {{{providers}}}}}\n", encoding="utf-8")
    return tmp_path


def test_a_provider_has_a_prefix_and_a_bound_token_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its agents begin with its name; a secret is read where it is referred to."""
    monkeypatch.setenv("OKTA", "s3cret")
    text = f"okta: {{{LEAST}, token: 'env:OKTA'}}, entra: {{{LEAST}, agent: entra, prefix: e.}}"
    okta, entra = identity_providers(load_config(write(tmp_path, text))).values()
    assert (okta.prefix, okta.token, okta.by) == ("okta-", "s3cret", "scim:okta")
    assert (entra.prefix, entra.agent, entra.constrained, entra.agents) == ("e.", "entra", True, frozenset())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"okta: {{{LEAST}}}", "needs either `agent` or `token`"),
        (f"okta: {{{LEAST}, agent: a, token: 'env:X'}}", "needs either `agent` or `token`"),
        (f"okta: {{{LEAST}, token: literal}}", "looks like a literal secret"),
        (f"okta: {{{LEAST}, token: 'Bearer env:X'}}", "is not a reference"),
        (f"okta: {{{LEAST}, agent: a}}, entra: {{{LEAST}, agent: a}}", "is also that of `okta`"),
        (f"okta: {{{LEAST}, agent: a, prefix: 'A b'}}", "cannot begin a name"),
        (f"okta: {{{LEAST}, agent: a, prefix: {'a' * 40}}}", "cannot begin a name"),
        (f"x: {{{LEAST}, agent: a}}, x-y: {{{LEAST}, agent: b}}", "begins with that of `x`"),
        (f"x: {{{LEAST}, agent: a}}, y: {{{LEAST}, agent: b, prefix: x-}}", "begins with that of `x`"),
        ("okta: {owner: lena, agent: a}", "purpose"),
    ],
)
def test_what_cannot_work_is_named(tmp_path: Path, text: str, said: str) -> None:
    """With its place."""
    _, problems = examine_config(write(tmp_path, text))
    assert any(said in str(one) for one in problems), [str(one) for one in problems]
