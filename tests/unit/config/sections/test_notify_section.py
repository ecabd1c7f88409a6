# SPDX-License-Identifier: Apache-2.0
"""An addressee of notifications is a webhook or an address of apprise, and its secret is a reference."""

from __future__ import annotations

from pathlib import Path

import pytest

from remit.compose.signals import signal_settings
from remit.config import CONFIG_NAME, Config, load_config
from remit.core.errors import ConfigInvalid
from tests.samples.tool_files import CONFIG


def configured(folder: Path, *lines: str) -> Config:
    """Load a configuration with one addressee of these lines."""
    told = "".join(f"    {line}\n" for line in lines)
    (folder / CONFIG_NAME).write_text(f"{CONFIG}notify:\n  ops:\n{told}")
    return load_config(folder / CONFIG_NAME)


def test_people_are_addressees_by_a_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are told only of what is still open."""
    monkeypatch.setenv("CHAT", "json://127.0.0.1:9/")
    config = configured(tmp_path, "apprise: env:CHAT", "on: [approval.requested]")
    target = signal_settings(config, "http://localhost:8700").addressees["ops"]
    assert target.person
    assert [kind.value for kind in target.kinds] == ["approval.requested"]


@pytest.mark.parametrize(
    "lines",
    [
        ("apprise: slack://TokenA/TokenB/TokenC",),
        ("apprise: mailto://me:word@mail.example",),
        ("apprise: Bearer env:CHAT",),
        ("on: [lease.open]",),
        ("url: https://hooks.example/x", "secret: env:S", "apprise: env:CHAT"),
        ("secret: env:S", "apprise: env:CHAT"),
        ("url: https://hooks.example/x",),
        ("apprise: env:CHAT", "on: [signal.undelivered]"),
    ],
)
def test_what_is_neither_is_refused_with_the_way_out(tmp_path: Path, lines: tuple[str, ...]) -> None:
    """A secret that is written out is not repeated."""
    with pytest.raises(ConfigInvalid) as refused:
        configured(tmp_path, *lines)
    assert refused.value.remediation
    assert "TokenA" not in str(refused.value)
    assert "word" not in str(refused.value)


def test_an_address_that_apprise_does_not_know_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would never be told anything."""
    monkeypatch.setenv("CHAT", "unknown://place")
    with pytest.raises(ConfigInvalid, match="apprise"):
        signal_settings(configured(tmp_path, "apprise: env:CHAT"), "http://localhost:8700")


@pytest.mark.parametrize(
    "lines",
    [
        "callbacks: ['https://records.example/x']",
        "callbacks: ['http://records.example/x'], callback_secret: env:S",
        "callbacks: ['https://records.example/x'], callback_secret: whsec_AAAA",
    ],
)
def test_callbacks_are_secure_addresses_and_signed(tmp_path: Path, lines: str) -> None:
    """An enforcement point without them needs no secret."""
    (tmp_path / CONFIG_NAME).write_text(
        f"{CONFIG}enforcement_points:\n  records-api: {{resources: [record], agents: ['*'], {lines}}}\n"
    )
    with pytest.raises(ConfigInvalid) as refused:
        load_config(tmp_path / CONFIG_NAME)
    assert refused.value.remediation
    fine = "callbacks: ['https://records.example/x'], callback_secret: env:S"
    (tmp_path / CONFIG_NAME).write_text(
        f"{CONFIG}enforcement_points:\n  records-api: {{resources: [record], agents: ['*'], {fine}}}\n"
    )
    assert load_config(tmp_path / CONFIG_NAME).enforcement_points["records-api"].callbacks
