# SPDX-License-Identifier: Apache-2.0
"""Laws of where browsers are sent: to pages of ours, and to addresses that were registered."""

from urllib.parse import urljoin, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from remit.api.oauth.browser.rendering import own_page
from remit.core.errors import Malformed
from remit.core.oauth.client_metadata import check_redirect, redirect_registered

PIECES = st.lists(
    st.sampled_from(
        [
            "https:",
            "http:",
            "/",
            "//",
            "\\",
            "@",
            "?",
            "#",
            "%2f",
            "..",
            "evil.example",
            "app.example",
            "127.0.0.1",
            ":5000",
            "javascript:",
            "é",
            "/oauth/authorize?",
            "/oauth/account",
            "/callback",
            "\r\n",
            "\t",
            " ",
        ]
    ),
    max_size=8,
).map("".join)
REGISTERED = ("https://app.example/callback", "http://127.0.0.1/callback")


@given(PIECES | st.text(max_size=60))
def test_a_page_of_ours_is_on_our_host(then: str) -> None:
    """Whatever is asked for, a browser stays where it is."""
    found = own_page(then)
    assert found.startswith("/oauth/")
    assert urlsplit(urljoin("https://remit.example/oauth/sign-in", found)).netloc == "remit.example"
    assert found.isascii()
    assert found.isprintable()
    assert "\\" not in found


@given(PIECES | st.text(max_size=60))
def test_an_answer_goes_where_it_was_registered(asked: str) -> None:
    """To the very address, or to another port of this machine; and what is registered can be used."""
    if not redirect_registered(asked, REGISTERED):
        return
    parts = urlsplit(asked)
    assert parts.path == "/callback"
    assert not parts.query
    assert not parts.fragment
    assert (parts.scheme, parts.hostname) in (("https", "app.example"), ("http", "127.0.0.1"))
    assert check_redirect(asked) == asked


@given(PIECES | st.text(max_size=60))
def test_what_can_be_registered_has_one_reading(uri: str) -> None:
    """Absolute, without credentials and fragment, plain `http` to this machine alone."""
    try:
        check_redirect(uri)
    except Malformed:
        return
    parts = urlsplit(uri)
    assert parts.scheme not in ("javascript", "data", "file")
    assert "@" not in parts.netloc
    assert not parts.fragment
    assert parts.scheme != "http" or parts.hostname in ("127.0.0.1", "localhost", "::1")
