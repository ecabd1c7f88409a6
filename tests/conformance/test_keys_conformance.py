# SPDX-License-Identifier: Apache-2.0
"""What every keeper of keys keeps to (`ports.keys`), and what the one on files adds."""

import base64
import hashlib
import hmac
import json
import os
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from joserfc import jws
from joserfc.jwk import ECKey

from remit.adapters.keys.file import FileCheckpointKeys, FileSealingKeys, FileTokenKeys
from remit.core.checkpoint import VerifierKey
from remit.core.errors import KeyUnavailable, Unauthenticated
from tests.world import WorldEntropy

CLAIMS = {"iss": "https://remit.example", "sub": "contract-bot", "exp": 1800000000}


def b64(value: object) -> str:
    """Give a JWS part."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.fixture
def keys(tmp_path: Path) -> FileTokenKeys:
    """Fresh keys."""
    return FileTokenKeys(tmp_path / "keys")


def forged(keys: FileTokenKeys, signer: Any, header: dict[str, Any]) -> str:
    """Give a token with this header, signed by somebody else's key."""
    known = {"alg": "ES256", "typ": "at+jwt", "kid": keys.jwks()["keys"][0]["kid"]}
    registry = jws.JWSRegistry(algorithms=["ES256", "Ed25519"], strict_check_header=False)
    return jws.serialize_compact(known | header, json.dumps(CLAIMS), signer, registry=registry)


async def test_a_token_of_ours_is_read_back(keys: FileTokenKeys) -> None:
    """Header and claims come back; `kid` is the RFC 7638 thumbprint of a published key."""
    header, claims = keys.verify(await keys.sign(CLAIMS, token_type="at+jwt"))
    assert claims == CLAIMS
    (public,) = keys.jwks()["keys"]
    thumb = json.dumps({name: public[name] for name in ("crv", "kty", "x", "y")}, separators=(",", ":"))
    expected = base64.urlsafe_b64encode(hashlib.sha256(thumb.encode()).digest()).rstrip(b"=").decode()
    assert header == {"alg": "ES256", "typ": "at+jwt", "kid": expected}
    assert public["kid"] == expected
    assert "d" not in public


def test_another_signer_is_refused(keys: FileTokenKeys) -> None:
    """Its own `kid` is unknown; with a `kid` of ours the signature does not hold."""
    stranger = ECKey.generate_key("P-256")
    with pytest.raises(Unauthenticated) as refused:
        keys.verify(forged(keys, stranger, {}))
    assert refused.value.code == "token-signature"
    with pytest.raises(Unauthenticated) as refused:
        keys.verify(forged(keys, stranger, {"kid": stranger.thumbprint()}))
    assert refused.value.code == "token-key"


@pytest.mark.parametrize(
    "header",
    [{"alg": "none"}, {"alg": "None"}, {"alg": "RS256"}, {"alg": "EdDSA"}, {"alg": ["ES256"]}, {"alg": None}],
)
async def test_other_algorithms_are_refused(keys: FileTokenKeys, header: dict[str, Any]) -> None:
    """RFC 8725 section 3.1: the verifier chooses, not the token."""
    _, payload, signature = (await keys.sign(CLAIMS, token_type="at+jwt")).split(".")
    known = {"typ": "at+jwt", "kid": keys.jwks()["keys"][0]["kid"]}
    for ending in (signature, ""):
        with pytest.raises(Unauthenticated) as refused:
            keys.verify(f"{b64(known | header)}.{payload}.{ending}")
        assert refused.value.code == "token-algorithm"


def test_the_public_key_is_no_shared_secret(keys: FileTokenKeys) -> None:
    """RFC 8725 section 2.1: HS256 over the published key is refused."""
    pem = ECKey.import_key(keys.jwks()["keys"][0]).as_pem(private=False)
    signed = f"{b64({'alg': 'HS256', 'kid': keys.jwks()['keys'][0]['kid']})}.{b64(CLAIMS)}"
    with pytest.raises(Unauthenticated) as refused:
        keys.verify(f"{signed}.{b64(hmac.digest(pem, signed.encode(), 'sha256'))}")
    assert refused.value.code == "token-algorithm"


async def test_a_header_that_brings_a_key_or_a_demand_is_refused(keys: FileTokenKeys) -> None:
    """`jwk`, `jku`, `x5c`, `x5u`, `crit` and `b64`, before any key is used."""
    stranger = ECKey.generate_key("P-256")
    token = await keys.sign(CLAIMS, token_type="at+jwt")
    _, payload, signature = token.split(".")
    known = keys.verify(token)[0]
    for extra in (
        {"jwk": stranger.as_dict(private=False)},
        {"jku": "https://attacker.example/jwks"},
        {"x5c": ["AAAA"]},
        {"x5u": "https://attacker.example/x5u"},
        {"crit": ["exp"], "exp": 1},
        {"b64": False},
    ):
        with pytest.raises(Unauthenticated) as refused:
            keys.verify(f"{b64(known | extra)}.{payload}.{signature}")
        assert refused.value.code == "token-header"


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b",
        "a.b.c.d",
        "\u00e9.b.c",
        "!.b.c",
        "bnVsbA.b.c",
        b64([]) + ".b.c",
        "A" * 20000 + ".b.c",
    ],
)
def test_what_is_no_token_is_refused(keys: FileTokenKeys, token: str) -> None:
    """Always the same fault, whatever the bytes."""
    with pytest.raises(Unauthenticated):
        keys.verify(token)


async def test_a_header_with_a_repeated_key_is_refused(keys: FileTokenKeys) -> None:
    """Two parsers would read two algorithms."""
    _, payload, signature = (await keys.sign(CLAIMS, token_type="at+jwt")).split(".")
    doubled = b64(b'{"alg":"none","alg":"ES256"}')
    with pytest.raises(Unauthenticated) as refused:
        keys.verify(f"{doubled}.{payload}.{signature}")
    assert refused.value.code == "token-malformed"


async def test_a_changed_claim_is_refused(keys: FileTokenKeys) -> None:
    """The signature covers header and payload."""
    header, _, signature = (await keys.sign(CLAIMS, token_type="at+jwt")).split(".")
    with pytest.raises(Unauthenticated) as refused:
        keys.verify(f"{header}.{b64(CLAIMS | {'sub': 'root'})}.{signature}")
    assert refused.value.code == "token-signature"


async def test_the_newest_token_key_signs_and_all_verify(keys: FileTokenKeys, tmp_path: Path) -> None:
    """Until the file of an old key goes."""
    old = await keys.sign(CLAIMS, token_type="at+jwt")
    kid = keys.rotate()
    new = await keys.sign(CLAIMS, token_type="at+jwt")
    assert keys.verify(new)[0]["kid"] == kid
    assert keys.verify(old)[1] == CLAIMS
    again = FileTokenKeys(tmp_path / "keys")
    assert again.verify(await again.sign(CLAIMS, token_type="at+jwt"))[0]["kid"] == kid
    assert again.jwks()["keys"][0]["kid"] == kid
    (tmp_path / "keys" / "token-1.pem").unlink()
    with pytest.raises(Unauthenticated):
        FileTokenKeys(tmp_path / "keys").verify(old)


async def test_a_note_is_signed_for_its_verifier(tmp_path: Path) -> None:
    """The verifier is C2SP's `name+id+key`, survives a restart, and an old one stays known after a
    rotation.
    """
    keys = FileCheckpointKeys(tmp_path / "keys", "remit.example/default")
    body = b"remit.example/default\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
    verifier = VerifierKey.parse(keys.verifier)
    Ed25519PublicKey.from_public_bytes(verifier.public).verify((await keys.sign_note(body))[1], body)
    again = FileCheckpointKeys(tmp_path / "keys", "remit.example/default")
    assert again.verifier == keys.verifier
    newer = again.rotate()
    assert again.verifiers == (newer, keys.verifier)
    signer, signature = await again.sign_note(body)
    Ed25519PublicKey.from_public_bytes(VerifierKey.parse(signer).public).verify(signature, body)
    assert signer == newer


def test_the_sealing_key_is_made_once(tmp_path: Path) -> None:
    """It is 32 bytes, and the same after a restart."""
    first = FileSealingKeys(tmp_path / "keys", WorldEntropy("one")).sealing_key()
    assert len(first) == 32
    assert FileSealingKeys(tmp_path / "keys", WorldEntropy("two")).sealing_key() == first


def open_all(folder: Path) -> None:
    """Open the keys of every purpose."""
    FileTokenKeys(folder)
    FileCheckpointKeys(folder, "remit.example")
    FileSealingKeys(folder, WorldEntropy())


NAMES = ("token-1.pem", "checkpoint-1.pem", "sealing.key")


def test_each_purpose_has_a_file_of_its_own(tmp_path: Path) -> None:
    """All with mode 0600, in a folder of mode 0700, and nothing else beside them."""
    open_all(tmp_path / "keys")
    files = {file.name: file.stat().st_mode & 0o777 for file in (tmp_path / "keys").iterdir()}
    assert files == dict.fromkeys(NAMES, 0o600)
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    assert len({(tmp_path / "keys" / name).read_bytes() for name in NAMES}) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o700])
def test_a_key_that_others_could_use_is_refused(tmp_path: Path, name: str, mode: int) -> None:
    """The message names the file and the command that helps."""
    open_all(tmp_path / "keys")
    (tmp_path / "keys" / name).chmod(mode)
    with pytest.raises(KeyUnavailable, match=f"chmod 600 .*{name}"):
        open_all(tmp_path / "keys")


def test_a_folder_that_others_can_enter_is_refused(tmp_path: Path) -> None:
    """They could exchange the files in it."""
    (tmp_path / "keys").mkdir(mode=0o755)
    with pytest.raises(KeyUnavailable, match="chmod 700"):
        open_all(tmp_path / "keys")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_key_of_another_user_is_refused(tmp_path: Path) -> None:
    """Whoever owns the file can open it again."""
    open_all(tmp_path / "keys")
    os.chown(tmp_path / "keys" / "sealing.key", 12345, -1)
    with pytest.raises(KeyUnavailable, match="another user"):
        open_all(tmp_path / "keys")


@pytest.mark.parametrize("name", NAMES)
def test_a_link_is_no_key(tmp_path: Path, name: str) -> None:
    """Wherever it leads."""
    open_all(tmp_path / "keys")
    file = tmp_path / "keys" / name
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyUnavailable):
        open_all(tmp_path / "keys")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("other", [*NAMES, None])
def test_a_file_of_another_purpose_is_refused(tmp_path: Path, name: str, other: str | None) -> None:
    """Damaged, or the key of another purpose: never replaced by a new one in silence."""
    if name == other:
        return
    open_all(tmp_path / "keys")
    content = (tmp_path / "keys" / other).read_bytes() if other else b"nonsense"
    (tmp_path / "keys" / name).write_bytes(content)
    with pytest.raises(KeyUnavailable, match=name):
        open_all(tmp_path / "keys")
