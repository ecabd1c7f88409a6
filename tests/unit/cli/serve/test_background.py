# SPDX-License-Identifier: Apache-2.0
"""Starting remit for a wrapped client."""

from pathlib import Path

import pytest

from remit.cli.instance import InstanceClaim, claimed, log_of
from remit.cli.rest_client import Unreachable
from remit.cli.serve.background import ensure_running, stop
from remit.core.errors import ConfigInvalid
from tests.servers.ports import free_port


def test_a_remit_at_another_address_is_named(tmp_path: Path) -> None:
    """It is not started a second time, and the client is told where it is."""
    config = tmp_path / "remit.yaml"
    with claimed(config) as claim:
        assert isinstance(claim, InstanceClaim)
        claim.serves("http://127.0.0.1:1")
        with pytest.raises(Unreachable, match="and not at"):
            ensure_running(config, f"http://127.0.0.1:{free_port()}")


def test_a_remit_elsewhere_is_not_started(tmp_path: Path) -> None:
    """Only one of this machine is."""
    with pytest.raises(ConfigInvalid, match="on this machine"):
        ensure_running(tmp_path / "remit.yaml", "http://remit.invalid:1")


def test_undoing_leaves_a_remit_alone_that_a_person_has_started(tmp_path: Path) -> None:
    """Only what a client has started in the background is ended."""
    config = tmp_path / "remit.yaml"
    assert not stop(config)
    with claimed(config) as claim:
        assert isinstance(claim, InstanceClaim)
        assert not stop(config)


def test_a_link_in_the_place_of_the_log_is_not_followed(tmp_path: Path) -> None:
    """A folder that others have made may lead remit's lines to a file of the person."""
    config, profile = tmp_path / "remit.yaml", tmp_path / "profile"
    config.write_text("upstreams: {a: {command: [a]}}\n")
    profile.write_text("# mine\n")
    log_of(config).parent.mkdir()
    log_of(config).symlink_to(profile)
    with pytest.raises(OSError, match="symbolic links"):
        ensure_running(config, f"http://127.0.0.1:{free_port()}")
    assert profile.read_text() == "# mine\n"
