# SPDX-License-Identifier: Apache-2.0
"""How a one-time code reaches `remit login`: on no command line, which other users of the machine read."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from remit.cli.private_files import read_private
from remit.cli.session_file import terminal_key
from remit.core.errors import KeyUnavailable
from remit_sdk.key import AgentKey
from tests.gateways.remit_up import CODE, Remit


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remit]:
    """A served folder into which the administrator has signed in."""
    made = Remit(tmp_path_factory.mktemp("login") / "house")
    made.folder.mkdir()
    assert made("init", ".").code == 0
    made.start()
    made.enter()
    assert made("person", "add", "ana").code == 0
    yield made
    made.stop()


def code_of_ana(services: Remit) -> str:
    """Have another code made."""
    return str(services.ask("person", "code", "ana")["code"])


def test_no_option_takes_the_code_itself(services: Remit) -> None:
    """It would stand in the list of processes; the code is not used up."""
    code = code_of_ana(services)
    said = services("login", "--code", code, by="ana")
    assert said.code == 2
    assert services("login", "--code-stdin", by="ana", given=code).code == 0


def test_no_text_of_remit_writes_a_code_into_a_command(services: Remit) -> None:
    """A person who copies the printed text enters the code where it is asked for."""
    said = services("person", "code", "ana")
    assert CODE.search(said.out)
    for text in (said.out, services.log.read_text()):
        assert not any("remit login" in line and CODE.search(line) for line in text.splitlines())


def test_a_code_comes_from_a_file_of_ones_own(services: Remit, tmp_path: Path) -> None:
    """With or without an end of its line."""
    place = tmp_path / "code"
    place.touch(0o600)
    place.write_text(f"{code_of_ana(services)}\n")
    assert services("login", "--code-file", str(place), by="ana").code == 0


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_may_read_is_refused(services: Remit, tmp_path: Path, mode: int) -> None:
    """It says what to do; the code is not used up by that."""
    place, code = tmp_path / "code", code_of_ana(services)
    place.write_text(code)
    place.chmod(mode)
    with pytest.raises(KeyUnavailable) as refused:
        read_private(place)
    assert refused.value.code == "open-to-others"
    said = services("login", "--code-file", str(place), by="ana")
    assert said.code == 2
    assert f"chmod 600 {place}" in said.err
    assert services("login", "--code-stdin", by="ana", given=code).code == 0


def test_a_link_to_a_code_is_not_followed(services: Remit, tmp_path: Path) -> None:
    """An attacker could choose the file to which the link leads."""
    (tmp_path / "there").touch(0o600)
    (tmp_path / "link").symlink_to(tmp_path / "there")
    assert services("login", "--code-file", str(tmp_path / "link"), by="ana").code == 2


def test_without_a_terminal_nobody_is_asked(services: Remit) -> None:
    """A script that gives no code is told how."""
    said = services("login", by="ana")
    assert said.code == 2
    assert "--code-file FILE" in said.err


def test_two_first_sign_ins_at_once_share_one_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key that another process made meanwhile stays, and both sessions are bound to it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    theirs, ours = AgentKey.generate(), AgentKey.generate()

    def meanwhile() -> AgentKey:
        theirs.save(tmp_path / "remit" / "keys" / "terminal.key.json")
        return ours

    monkeypatch.setattr(AgentKey, "generate", meanwhile)
    assert terminal_key(make=True).thumbprint == theirs.thumbprint
