# SPDX-License-Identifier: Apache-2.0
"""Clients known by an address: the address, the document, the redirect addresses."""

import json
from typing import Any

import pytest

from remit.core.errors import Malformed
from remit.core.oauth.client_metadata import (
    check_client_address,
    check_redirect,
    host_of,
    is_loopback,
    read_client_metadata,
    redirect_registered,
)

ADDRESS = "https://app.example/client.json"
GOOD: dict[str, Any] = {
    "client_id": ADDRESS,
    "client_name": "Notebook",
    "redirect_uris": ["https://app.example/callback", "http://127.0.0.1/callback"],
}


def read(document: Any, *, at: str = ADDRESS, media: str = "application/json") -> Any:
    """Read a document."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return read_client_metadata(at, media, body)


@pytest.mark.parametrize(
    "address",
    [
        "https://app.example/client.json",
        "https://app.example:8443/client",
        "https://app.example/",
        "https://app.example/client?v=2",
    ],
)
def test_an_address_that_the_draft_permits(address: str) -> None:
    """`https`, a path, and nothing that could be read in two ways."""
    assert check_client_address(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "http://app.example/client.json",
        "https://app.example",
        "https://user@app.example/client.json",
        "https://user:secret@app.example/client.json",
        "https://app.example/client.json#part",
        "https://app.example/client.json#",
        "https://app.example/../client.json",
        "https://app.example/./client.json",
        "https://app.example/a/%2e%2E/client.json",
        "https://app.example/a/.%2e",
        "https:///client.json",
        "https://app.example:99999/client.json",
        "https://app.example/cli ent.json",
        "https://app.example\\@evil.example/client.json",
        "https://app.example/clïent.json",
        "HTTPS://app.example/client.json",
        "https://app.example/" + "a" * 2100,
        "",
    ],
)
def test_an_address_that_the_draft_forbids(address: str) -> None:
    """It is refused before anything is fetched."""
    with pytest.raises(Malformed) as refused:
        check_client_address(address)
    assert refused.value.code == "invalid_client"


def test_a_document_says_who_the_client_is() -> None:
    """Its name is the client's own word, its host what vouches for it."""
    found = read(GOOD)
    assert (found.name, found.host, found.auth_method) == ("Notebook", "app.example", "none")
    assert found.redirect_uris == tuple(GOOD["redirect_uris"])
    assert read(GOOD, media="application/oauth-client+json; charset=utf-8").client_id == ADDRESS


def test_a_client_with_keys_proves_itself_by_them() -> None:
    """Keys without a method mean `private_key_jwt`."""
    key = {"kty": "EC", "crv": "P-256", "x": "a", "y": "b"}
    assert read(GOOD | {"jwks": {"keys": [key]}}).auth_method == "private_key_jwt"
    assert read(GOOD | {"jwks_uri": "https://app.example/jwks"}).auth_method == "private_key_jwt"


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": "https://app.example:443/client.json"},
        {"client_id": "https://evil.example/client.json"},
        {"client_id": None},
        {"client_secret": "x"},
        {"client_secret_expires_at": 0},
        {"token_endpoint_auth_method": "client_secret_basic"},
        {"token_endpoint_auth_method": "client_secret_jwt"},
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"redirect_uris": []},
        {"redirect_uris": ["https://app.example/callback#part"]},
        {"redirect_uris": ["javascript:alert(1)"]},
        {"redirect_uris": ["http://app.example/callback"]},
        {"redirect_uris": ["https://app.example/callback"] * 33},
        {"redirect_uris": "https://app.example/callback"},
        {"grant_types": ["client_credentials"]},
        {"response_types": ["token"]},
        {"jwks": {"keys": [{"kty": "EC", "crv": "P-256", "x": "a", "y": "b", "d": "c"}]}},
        {"jwks": {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}},
        {"jwks": {"keys": []}},
        {"jwks": {"keys": [{"kty": "EC"}]}, "jwks_uri": "https://app.example/jwks"},
        {"jwks_uri": "http://app.example/jwks"},
    ],
)
def test_a_document_that_does_not_hold(change: dict[str, Any]) -> None:
    """Shared secrets, private keys, other addresses, and redirects that are not the client's: refused."""
    with pytest.raises(Malformed):
        read(GOOD | change)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"client_id":1,"client_id":2}', b"x" * 6000])
def test_bytes_that_are_no_document(body: bytes) -> None:
    """Neither JSON of two readings nor a large file."""
    with pytest.raises(Malformed):
        read(body)
    with pytest.raises(Malformed):
        read(GOOD, media="text/html")


def test_a_name_is_one_line_of_printable_text() -> None:
    """A name cannot draw over the page, turn the reading direction, or fill it."""
    found = read(GOOD | {"client_name": "Bank\n\u202eknab <b>\x00" + "x" * 200})
    assert found.name.startswith("Bank knab <b>")
    assert "\u202e" not in found.name
    assert len(found.name) <= 80


def test_redirects_are_compared_character_by_character() -> None:
    """But for the port of this machine, which a program cannot know beforehand (RFC 8252 section 7.3)."""
    registered = ("https://app.example/cb", "http://127.0.0.1/cb", "http://[::1]:1/cb", "com.example.app:/cb")
    for fine in (
        "https://app.example/cb",
        "http://127.0.0.1:51004/cb",
        "http://127.0.0.1/cb",
        "http://[::1]:51004/cb",
        "com.example.app:/cb",
    ):
        assert redirect_registered(fine, registered), fine
    for wrong in (
        "https://app.example/cb/",
        "https://app.example/cb?x=1",
        "https://app.example:443/cb",
        "https://APP.example/cb",
        "https://app.example/cb/../x",
        "https://app.example.evil.example/cb",
        "http://app.example/cb",
        "http://127.0.0.1:51004/other",
        "http://127.0.0.1:51004/cb?x=1",
        "http://localhost:51004/cb",
        "http://127.0.0.1@evil.example/cb",
        "http://127.0.0.1:1@evil.example/cb",
        "https://127.0.0.1:51004/cb",
        "com.example.app:/cb2",
    ):
        assert not redirect_registered(wrong, registered), wrong


@pytest.mark.parametrize(
    "uri",
    ["javascript:alert(1)", "data:text/html,x", "http://app.example/cb", "//app.example/cb", "/cb",
     "https://a@app.example/cb", "https://app.example/cb#x", "file:///etc/passwd", "myapp:/cb", "https:/cb"],
)  # fmt: skip
def test_a_redirect_that_nothing_is_sent_to(uri: str) -> None:
    """Whatever is no `https` address, no port of this machine and no scheme with a domain in it."""
    with pytest.raises(Malformed):
        check_redirect(uri)


def test_hosts_are_shown_as_people_read_them() -> None:
    """With a port only where it is not the usual one."""
    assert host_of("https://app.example:443/x") == "app.example"
    assert host_of("https://app.example:8443/x") == "app.example:8443"
    assert host_of("com.example.app:/cb") == "com.example.app:"
    assert is_loopback("http://127.0.0.1:5/cb")
    assert not is_loopback("https://127.0.0.1:5/cb")
