# SPDX-License-Identifier: Apache-2.0
"""What a server echoes of the credential that it was sent does not reach the agent."""

import base64
import json
from urllib.parse import quote

import pytest

from remit.core.cooperative_steps import finish
from remit.core.decisions.mediation import Chunk, ChunkKind
from remit.ports.broker import UpstreamCredential
from remit.services.credentials.scrubbing import Scrubber

SECRET = 'p4ss/w"örd+9'


def scrub(body: bytes, *secrets: str) -> bytes:
    """Scrub a result."""
    credential = UpstreamCredential(lease="lse_1", secrets=secrets or (SECRET,))
    return finish(Scrubber(credential).take(Chunk(ChunkKind.RESULT, body))).body


@pytest.mark.parametrize(
    "written",
    [
        json.dumps({"a": f"Bearer {SECRET}"}),
        json.dumps({"a": f"Bearer {SECRET}"}, ensure_ascii=False),
        f'{{"a": "postgresql://u:{quote(SECRET, safe="")}@db/x"}}',
        *(json.dumps({"a": base64.b64encode((lead + SECRET).encode()).decode()}) for lead in ("", "u", "us")),
        *(
            json.dumps({"a": base64.urlsafe_b64encode((lead + SECRET).encode()).decode()})
            for lead in ("", "u:")
        ),
    ],
)
def test_each_usual_form_is_removed(written: str) -> None:
    """As it is, as JSON writes it, percent-encoded, and in base64 wherever it begins there."""
    body = scrub(written.encode())
    assert b"[credential removed]" in body
    assert json.loads(body)["a"] != json.loads(written)["a"]
    assert SECRET not in json.loads(body)["a"]


def test_a_result_without_it_is_left_as_it_is() -> None:
    """The same object, uncopied; short texts are not looked for, since they are met by chance."""
    chunk = Chunk(ChunkKind.RESULT, b'{"a": "nothing here: abc"}')
    for secrets in ((SECRET, "abc"), ()):
        credential = UpstreamCredential(lease="lse_1", secrets=secrets)
        assert finish(Scrubber(credential).take(chunk)) is chunk
    assert finish(Scrubber(None).take(chunk)) is chunk


def test_one_that_holds_another_goes_whole() -> None:
    """The longer one is looked for first."""
    assert scrub(b'"token-token-more"', "token-", "token-token-more") == b'"[credential removed]"'


def test_a_credential_does_not_show_itself() -> None:
    """Its text names the lease and the sink alone."""
    credential = UpstreamCredential(
        lease="lse_1", sink="desk", headers={"A": SECRET}, secrets=(SECRET,), handle={"p": SECRET}
    )
    assert (
        f"{credential} {credential!r}"
        == "UpstreamCredential('lse_1', 'desk') UpstreamCredential('lse_1', 'desk')"
    )
