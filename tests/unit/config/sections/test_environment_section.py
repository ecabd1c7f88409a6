# SPDX-License-Identifier: Apache-2.0
"""The section `environment:` of `remit.yaml`, and the claims that issuers bring: what they mean, and what is
refused.
"""

from __future__ import annotations

from datetime import time
from pathlib import Path

import pytest

from remit.compose.build import declared_names
from remit.config import Config, load_config
from remit.config.load import examine_config

UPSTREAM = "upstreams: {notes: {command: [python, notes.py]}}\n"
ISSUER = "a: {issuer: 'https://a.example', posture: {x: {claim: x}}}"
BOOLEAN = "{x: {claim: x, type: boolean}}"
WINDOW = "{zone: Europe/Berlin, days: [mon, fri], opens: '08:00', closes: '18:30'}"


def write(tmp_path: Path, text: str) -> None:
    """Write a configuration."""
    (tmp_path / "remit.yaml").write_text(UPSTREAM + text, encoding="utf-8")


def config(tmp_path: Path, text: str) -> Config:
    """Load a configuration."""
    write(tmp_path, text)
    return load_config(tmp_path)


def test_windows_networks_and_claims_are_names_that_policies_may_use(tmp_path: Path) -> None:
    """Also the types of claims."""
    got = config(
        tmp_path,
        f"environment:\n  windows: {{office: {WINDOW}}}\n  networks: {{lab: [192.0.2.0/24]}}\n"
        "trust: {issuers: {mdm: {issuer: 'https://mdm.example', posture: "
        "{compliant: {claim: /device/compliant, type: boolean}, build: {claim: build}}}}}\n",
    )
    names = declared_names(got)
    assert (names.windows, names.networks) == (("office",), ("lab",))
    assert names.claims == {"compliant": "boolean", "build": "string"}
    window = got.environment.windows["office"].window
    assert (window.days, window.opens, window.closes) == (frozenset({0, 4}), time(8), time(18, 30))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"environment: {{windows: {{w: {WINDOW.replace('Berlin', 'Atlantis')}}}}}", "is not a time zone"),
        (f"environment: {{windows: {{w: {WINDOW.replace('08:00', '8am')}}}}}", "hours and minutes"),
        (f"environment: {{windows: {{w: {WINDOW.replace('mon', 'monday')}}}}}", "monday"),
        (f"environment: {{windows: {{w: {WINDOW.replace('[mon, fri]', '[]')}}}}}", "days"),
        ("environment: {networks: {lab: [192.0.2.1/24]}}", "is not a network"),
        ("environment: {networks: {lab: ['2001:db8::/96']}}", "is not a network"),
        ("environment: {networks: {unknown: [192.0.2.0/24]}}", "senders in no zone"),
        (
            f"trust: {{issuers: {{{ISSUER}, b: {{issuer: 'https://b.example', posture: {BOOLEAN}}}}}}}",
            "another issuer",
        ),
        (
            "trust: {issuers: {a: {issuer: 'https://a.example', use: [people], posture: {x: {claim: x}}}}}",
            "identities of workloads",
        ),
        ("trust: {issuers: {a: {issuer: 'https://a.example', posture: {X-1: {claim: x}}}}}", "letter"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, text: str, said: str) -> None:
    """With the place and the remediation."""
    write(tmp_path, text)
    (problem,) = [str(one) for one in examine_config(tmp_path)[1]]
    assert said in problem
