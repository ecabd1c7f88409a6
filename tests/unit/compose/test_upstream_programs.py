# SPDX-License-Identifier: Apache-2.0
"""The command line and the environment of an upstream that is a program."""

from pathlib import Path

import pytest

from remit.compose.upstreams import _environment, _filled
from remit.config import Config, load_config
from remit.core.errors import ConfigInvalid

WRITTEN = """
upstreams:
  a:
    command: [run, "--key=${KEY}", "${ROOT}/${KEY}", "${OTHER}"]
    arguments: {KEY: "file:key", ROOT: "env:ROOT_OF_A"}
    environment: inherit
    env: {DEBUG: "true", OWN: "env:SECRET_OF_A"}
  b:
    command: [run]
    env: {TOKEN: "env:SECRET_OF_B"}
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """Two programs with secrets in files and in the environment."""
    (tmp_path / "key").write_text("${ROOT}")
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "remit.yaml").write_text(WRITTEN)
    for name, value in (
        ("ROOT_OF_A", "/srv"), ("SECRET_OF_A", "aa"), ("SECRET_OF_B", "bb"), ("REMIT_SESSION", "s"),
        ("SEEN", "1"),
    ):  # fmt: skip
        monkeypatch.setenv(name, value)
    return load_config(tmp_path)


def test_named_arguments_are_put_in_once(config: Config) -> None:
    """A value that looks like a name is no name; a name without a value stays as it is written."""
    assert _filled(config.upstreams["a"].command, config.upstreams["a"]) == (
        "run",
        "--key=${ROOT}",
        "/srv/${ROOT}",
        "${OTHER}",
    )
    assert _filled(config.upstreams["b"].command, config.upstreams["b"]) == ("run",)


def test_a_program_inherits_what_is_not_secret(config: Config) -> None:
    """It gets the variables of its client, its own secrets, and none of remit or of another upstream."""
    found = _environment(config.upstreams["a"], config, None)
    assert (found["SEEN"], found["DEBUG"], found["OWN"]) == ("1", "true", "aa")
    assert not {"REMIT_SESSION", "SECRET_OF_A", "SECRET_OF_B", "ROOT_OF_A"} & set(found)
    assert _environment(config.upstreams["b"], config, None) == {"TOKEN": "bb"}


def test_an_argument_that_no_word_contains_is_a_mistake(tmp_path: Path) -> None:
    """Else a secret that was moved would silently be missing."""
    (tmp_path / "remit.yaml").write_text('upstreams: {a: {command: [x], arguments: {KEY: "env:K"}}}\n')
    with pytest.raises(ConfigInvalid, match="KEY"):
        load_config(tmp_path)
    (tmp_path / "remit.yaml").write_text('upstreams: {a: {url: "https://a.org", environment: inherit}}\n')
    with pytest.raises(ConfigInvalid, match="environment"):
        load_config(tmp_path)


def test_an_address_takes_secrets_after_its_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In its path and query; the host, to which they go, is written out."""
    monkeypatch.setenv("K", "s3")
    where = tmp_path / "remit.yaml"
    where.write_text('upstreams: {a: {url: "https://a.org/${K}/mcp?k=${K}", arguments: {K: "env:K"}}}\n')
    section = load_config(tmp_path).upstreams["a"]
    assert _filled((section.url,), section) == ("https://a.org/s3/mcp?k=s3",)
    for url in ("https://a.org/mcp", "https://${K}.org/mcp"):
        where.write_text(f'upstreams: {{a: {{url: "{url}", arguments: {{K: "env:K"}}}}}}\n')
        with pytest.raises(ConfigInvalid, match="path or query"):
            load_config(tmp_path)
