# SPDX-License-Identifier: Apache-2.0
"""Laws of scrubbing: for any secret, any encoder and any cut into pieces."""

from __future__ import annotations

import base64
import html
import itertools
import json
import re
import string
from urllib.parse import unquote_plus

from hypothesis import assume, given, note
from hypothesis import strategies as st

from remit.core.cooperative_steps import finish
from remit.core.decisions.mediation import Chunk, ChunkKind
from remit.core.tools.http_api import ReplyPiece
from remit.ports.broker import UpstreamCredential
from remit.services.credentials.scrubbing import REMOVED, Scrubber
from tests.samples.encoders import ENCODERS, WRAPPERS

#: What is odd in some encoding stands beside what tokens are made of.
LETTERS = string.ascii_letters + string.digits + "-._~+/=" * 4 + "\\%&<>'\"`{}; :#" * 2
SECRETS = st.text(
    st.sampled_from(LETTERS) | st.characters(exclude_categories=["Cs", "Cc"]), min_size=8, max_size=60
)
TEXTS = st.text(
    st.sampled_from("ab \\%&;#x27u0\"'/\n+<=") | st.characters(exclude_categories=["Cs"]), max_size=40
)
PIECE = ReplyPiece.TEXT.value


def scrubbed(body: bytes, cuts: list[int], *secrets: str) -> bytes:
    """Send a body in pieces, and give what an agent gets of it."""
    scrubber = Scrubber(UpstreamCredential(lease="lse_1", secrets=secrets))
    places = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
    got = []
    for start, end in itertools.pairwise(places):
        kind = ChunkKind.RESULT if end == len(body) else ChunkKind.NOTIFICATION
        got.append(finish(scrubber.take(Chunk(kind, body[start:end], PIECE))).body)
    return b"".join(got)


def read(text: str) -> set[str]:
    """What an agent may make of a text: each escape taken off, in any order, a few times."""
    found, left = {text}, [text]
    for _ in range(3):
        new: list[str] = []
        for one in left:
            new += [html.unescape(one), unquote_plus(one), _unescaped(one)]
        left = [one for one in dict.fromkeys(new) if one not in found]
        found |= set(left)
    return found


def _unescaped(text: str) -> str:
    def one(found: re.Match[str]) -> str:
        try:
            return str(json.loads(f'"{found[0]}"'))
        except ValueError:
            return found[0]

    return re.sub(r"(?:\\u[dD][89abAB]..\\u....)|\\u[0-9a-fA-F]{4}|\\.", one, text, flags=re.DOTALL)


@given(
    secret=SECRETS,
    encoder=st.sampled_from(sorted(ENCODERS)),
    wrapper=st.sampled_from(sorted(WRAPPERS)),
    before=TEXTS,
    after=TEXTS,
    cuts=st.lists(st.integers(0, 4_000), max_size=12),
)
def test_a_secret_reaches_nobody(
    secret: str, encoder: str, wrapper: str, before: str, after: str, cuts: list[int]
) -> None:
    """However it is written, within whatever text, and wherever that is cut."""
    assume(secret.strip() == secret and len(secret.encode()) > 7)
    written = ENCODERS[encoder](secret)
    body = WRAPPERS[wrapper](f"{before} {written} {after}").encode("utf-8", "surrogatepass")
    got = scrubbed(body, cuts, secret)
    note(f"{body!r} became {got!r}")
    assert REMOVED in got
    if not secret.isascii() or "base64" in encoder.lower():
        return
    texts = read(got.decode("utf-8", "replace"))
    assert not any(secret in one for one in texts)
    compact = re.sub(r"\s|data: ", "", got.decode("utf-8", "replace"))
    assert secret.encode().hex() not in compact.lower()
    assert base64.b64encode(secret.encode()).decode().rstrip("=") not in compact


@given(
    secret=SECRETS,
    texts=st.lists(TEXTS),
    cuts=st.lists(st.integers(0, 4_000), max_size=12),
    wrap=st.booleans(),
)
def test_a_text_without_it_is_untouched(
    secret: str, texts: list[str], cuts: list[int], *, wrap: bool
) -> None:
    """Byte for byte, however it is cut."""
    body = (json.dumps(texts) if wrap else "".join(texts)).encode("utf-8", "surrogatepass")
    assume(not any(secret in one for one in read(body.decode("utf-8", "replace"))))
    assert scrubbed(body, cuts, secret) == body


@given(
    secret=SECRETS,
    encoder=st.sampled_from(sorted(ENCODERS)),
    cuts=st.lists(st.integers(0, 4_000), max_size=12),
)
def test_cuts_change_nothing(secret: str, encoder: str, cuts: list[int]) -> None:
    """What is made of a text does not depend on its pieces."""
    body = f"a {ENCODERS[encoder](secret)} b {ENCODERS[encoder](secret)[:-2]} c {secret}".encode()
    assert scrubbed(body, cuts, secret) == scrubbed(body, [], secret)
