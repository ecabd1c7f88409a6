# SPDX-License-Identifier: Apache-2.0
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pytest

from remit.core.errors import Unauthenticated
from remit.core.keys.jwk import checked_public_jwk, thumbprint
from remit.core.oauth.client_assertion import verify_assertion
from remit_sdk.errors import KeyUnusable
from remit_sdk.key import AgentKey

GATEWAY = "https://remit.example.org"


@pytest.mark.parametrize("curve", ["P-256", "Ed25519"])
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_a_gateway_takes_an_agents_assertion_once_and_for_itself_alone(
    curve: Literal["P-256", "Ed25519"],
) -> None:
    """What a key signs verifies against its registered public part, for this agent and this gateway only."""
    key = AgentKey.generate(curve)
    public = checked_public_jwk(key.public_jwk)
    now = datetime.now(UTC)
    signed = key.assertion("note-bot", GATEWAY)
    proven = verify_assertion(signed, public, subject="note-bot", issuer=GATEWAY, now=now)
    other = verify_assertion(
        key.assertion("note-bot", GATEWAY), public, subject="note-bot", issuer=GATEWAY, now=now
    )
    assert proven.token_id != other.token_id
    for subject, audience in (("other-bot", GATEWAY), ("note-bot", "https://elsewhere.example.org")):
        with pytest.raises(Unauthenticated):
            verify_assertion(signed, public, subject=subject, issuer=audience, now=now)


def test_a_key_comes_back_from_its_file(tmp_path: Path) -> None:
    """A saved key is the same key when it is read, in a file and a folder that its owner alone can open."""
    key, place = AgentKey.generate(), tmp_path / "agents" / "note-bot.key.json"
    key.save(place)
    assert AgentKey.load(place).thumbprint == key.thumbprint == thumbprint(key.public_jwk)
    assert place.stat().st_mode & 0o777 == 0o600
    assert place.parent.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in place.parent.iterdir()] == [place.name]


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    """Saving to a name that is taken is refused, and leaves what was there."""
    place = tmp_path / "agents" / "note-bot.key.json"
    first = AgentKey.generate()
    first.save(place)
    with pytest.raises(KeyUnusable, match="already exists"):
        AgentKey.generate().save(place)
    assert AgentKey.load(place).thumbprint == first.thumbprint
    assert len(list(place.parent.iterdir())) == 1


@pytest.mark.parametrize(("which", "mode"), [("file", 0o640), ("file", 0o604), ("folder", 0o710)])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, which: str, mode: int) -> None:
    """A key in a file or folder that is open to others is not used, and the remediation is named."""
    place = tmp_path / "agents" / "note-bot.key.json"
    AgentKey.generate().save(place)
    (place if which == "file" else place.parent).chmod(mode)
    with pytest.raises(KeyUnusable, match="chmod"):
        AgentKey.load(place)


def test_a_link_is_not_followed_to_a_key(tmp_path: Path) -> None:
    """A symbolic link in the place of a key is refused."""
    place = tmp_path / "agents" / "real.json"
    AgentKey.generate().save(place)
    link = place.with_name("note-bot.key.json")
    os.symlink(place, link)
    with pytest.raises(KeyUnusable):
        AgentKey.load(link)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"kty":"oct","k":"AA"}', "x" * 9000])
def test_what_is_no_key_is_refused(tmp_path: Path, content: str) -> None:
    """A file that holds something else is refused without showing what it holds."""
    place = tmp_path / "agents" / "note-bot.key.json"
    place.parent.mkdir(mode=0o700)
    place.write_text(content)
    place.chmod(0o600)
    with pytest.raises(KeyUnusable):
        AgentKey.load(place)


def test_a_public_key_is_no_agents_key(tmp_path: Path) -> None:
    """A file with the public part alone is refused."""
    import json

    place = tmp_path / "agents" / "note-bot.key.json"
    place.parent.mkdir(mode=0o700)
    place.write_text(json.dumps(AgentKey.generate().public_jwk))
    place.chmod(0o600)
    with pytest.raises(KeyUnusable):
        AgentKey.load(place)


def test_a_key_does_not_show_itself() -> None:
    """The text form of a key names its thumbprint and nothing else."""
    key = AgentKey.generate()
    assert repr(key) == f"AgentKey({key.thumbprint})"
