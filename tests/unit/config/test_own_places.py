# SPDX-License-Identifier: Apache-2.0
"""What is remit's own on a machine: also the settings by which a client starts its servers through remit.

The threat: an agent takes its server out of remit by one edit of its client's settings.
"""

from pathlib import Path

import pytest

from remit.cli.wrap.backup import Manifest, kept_in, note
from remit.config import load_config, own_places


def test_the_settings_of_a_wrapped_client_are_remits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The manifests of wrapping name them; a damaged manifest hides no other one."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "remit.yaml").write_text("upstreams: {files: {command: [files]}}\n")
    settings = tmp_path / "project" / ".mcp.json"
    assert settings not in own_places(load_config(tmp_path / "remit.yaml"))
    note(
        Manifest(
            file=str(settings),
            backup=str(kept_in() / "b-copy"),
            sha256_before="",
            sha256_after="",
            place=("mcpServers",),
            entries={},
            config=str(tmp_path / "remit.yaml"),
        )
    )
    (kept_in() / "a-copy.manifest.json").write_text("{")
    assert settings in own_places(load_config(tmp_path / "remit.yaml"))
