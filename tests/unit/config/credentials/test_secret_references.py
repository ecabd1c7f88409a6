# SPDX-License-Identifier: Apache-2.0
"""How secrets are named in `remit.yaml`, and what is said of a name that leads nowhere."""

import json
from pathlib import Path
from typing import Any

import pytest

from remit.config.load import examine_config, load_config
from remit.config.sections.secret_sources import bao_of, references
from remit.core.errors import KeyUnavailable

Json = Any

BAO = {"address": "https://bao.example.com", "token": "keyring:bao.example.com/remit"}
SECRET = "openbao:secret/crm/api#token"


def written(folder: Path, header: str = f"Bearer {SECRET}", **config: Json) -> Path:
    """Write a configuration with an upstream that shows a header."""
    upstreams = {"crm": {"url": "https://crm.example.com/mcp", "headers": {"Authorization": header}}}
    (folder / "remit.yaml").write_text(json.dumps({"upstreams": upstreams} | config))
    return folder


def said(folder: Path) -> str:
    """Return all that is wrong with a configuration."""
    return "\n".join(f"{one} {one.remediation}" for one in examine_config(folder)[1])


@pytest.mark.parametrize(
    ("header", "scheme", "name"),
    [
        ("openbao:secret/crm#token", "openbao", "secret/crm#token"),
        ("Bearer openbao:team-a/kv/crm.api/v_1#api-token", "openbao", "team-a/kv/crm.api/v_1#api-token"),
        ("keyring:crm/remit", "keyring", "crm/remit"),
        (
            "Bearer keyring:https://crm.example.com/api/remit bot",
            "keyring",
            "https://crm.example.com/api/remit bot",
        ),
    ],
)
def test_a_secret_is_named_by_where_it_lies(tmp_path: Path, header: str, scheme: str, name: str) -> None:
    """Reading the configuration does not read the secret."""
    config = load_config(written(tmp_path, header, secrets={"openbao": BAO}))
    ref = config.upstreams["crm"].headers["Authorization"]
    assert (ref.scheme, ref.name) == (scheme, name)
    with pytest.raises(KeyUnavailable, match="not been read yet"):
        ref.resolve()
    ref.fetched.put("hunter2")
    assert ref.resolve().endswith("hunter2")
    assert "hunter2" not in repr(ref)
    again = load_config(tmp_path)
    assert again.upstreams["crm"].headers["Authorization"] == ref
    ref.fetched.put("hunter2\nSet-Cookie: x")
    with pytest.raises(KeyUnavailable, match="more than one line") as told:
        ref.resolve()
    assert "hunter2" not in f"{told.value}"


@pytest.mark.parametrize(
    "name",
    [
        "openbao:secret",
        "openbao:secret/crm",
        "openbao:crm#token",
        "openbao:/secret/crm#token",
        "openbao:secret//crm#token",
        "openbao:secret/crm/#token",
        "openbao:secret/../sys/raw/core#token",
        "openbao:../secret/crm#token",
        "openbao:secret/crm/..#token",
        "openbao:secret/./crm#token",
        "openbao:secret/cr%2fm#token",
        "openbao:secret/crm?version=1#token",
        "openbao:secret/crm#token#other",
        "openbao:secret/crm#",
        "keyring:crm",
        "keyring:/remit",
        "keyring:crm/",
    ],
)
def test_a_name_of_another_form_is_refused(tmp_path: Path, name: str) -> None:
    """None leads out of its store, to another version, or to a question of another kind."""
    told = said(written(tmp_path, name, secrets={"openbao": BAO}))
    assert "`upstreams.crm.headers.Authorization`" in told
    assert "MOUNT/PATH#field" in told or "SERVICE/NAME" in told


def test_a_secret_in_openbao_needs_to_know_which(tmp_path: Path) -> None:
    """A section for secrets specifies it, or the place of remit's own keys."""
    assert "is in OpenBao, but the address of OpenBao is missing" in said(written(tmp_path))
    assert said(written(tmp_path, secrets={"openbao": BAO})) == ""
    keys = {"kind": "openbao", "openbao": BAO | {"namespace": "team"}}
    config = load_config(written(tmp_path, keys=keys))
    at = bao_of(config.secrets, config.keys)
    assert at is not None
    assert (at.address, at.namespace) == (BAO["address"], "team")
    assert at.token is not None
    assert at.token.where == BAO["token"]


@pytest.mark.parametrize(
    ("section", "says"),
    [
        (BAO | {"address": "http://bao.example.com"}, "in the clear"),
        ({"address": "https://bao.example.com"}, "does not state how remit authenticates there"),
        (BAO | {"token": "hunter2"}, "literal"),
        (BAO | {"token": "openbao:secret/remit#token"}, "is stored in the OpenBao that it gives access to"),
    ],
)
def test_an_openbao_that_cannot_be_asked_is_said(tmp_path: Path, section: Json, says: str) -> None:
    """With its place, and nothing of what was written there."""
    told = said(written(tmp_path, secrets={"openbao": section}))
    assert says in told
    assert "hunter2" not in told


def test_every_secret_of_a_configuration_is_found(tmp_path: Path) -> None:
    """Wherever it is named: in what is remit's own, too."""
    config = load_config(
        written(
            tmp_path,
            secrets={"openbao": BAO},
            notify={"ops": {"url": "https://ops.example.com/hook", "secret": "openbao:secret/ops#hook"}},
        )
    )
    assert {place: ref.where for place, ref in references(config)} == {
        "secrets.openbao.token": "keyring:bao.example.com/remit",
        "upstreams.crm.headers.Authorization": SECRET,
        "notify.ops.secret": "openbao:secret/ops#hook",
    }
