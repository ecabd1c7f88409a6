# SPDX-License-Identifier: Apache-2.0
"""Messages between a log and its witnesses (c2sp.org/tlog-witness, `add-checkpoint`)."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from typing import Final

from remit.core.errors import Malformed, VerificationFailed
from remit.core.evidence.checkpoint import Note, Signature, VerifierKey, cosignature_time

#: Media type of the answer 409, which holds the size that the witness last cosigned.
SIZE_MEDIA: Final = "text/x.tlog.size"
#: An answer is a few signature lines.
MAX_ANSWER_BYTES: Final = 16_384
MAX_PROOF: Final = 63
#: Seconds by which the clocks of a log and of a witness may differ.
CLOCKS_APART_S: Final = 300

_SIZE: Final = re.compile(rb"(0|[1-9][0-9]{0,18})\n")


def submission(old: int, proof: Sequence[bytes], note: Note) -> bytes:
    """Return the body of an `add-checkpoint`: the size that the witness knows, the proof that `note` extends
    it, and the note itself.
    """
    if len(proof) > MAX_PROOF:
        raise Malformed(f"a consistency proof has at most {MAX_PROOF} hashes")
    lines = [f"old {old}", *(base64.b64encode(one).decode() for one in proof), "", ""]
    return "\n".join(lines).encode() + note.encode()


def read_size(body: bytes) -> int:
    """Return the size that a witness states with a 409; raise `Malformed`."""
    found = _SIZE.fullmatch(body)
    if found is None:
        raise Malformed("the witness does not say which size it knows")
    return int(found[1])


def read_cosignature(body: bytes, note: Note, key: VerifierKey, now_s: int) -> Signature:
    """Return the witness's own cosignature of `note` from its answer, verified; other lines are ignored.

    Raises `Malformed` or `VerificationFailed`: also if the time of the cosignature is not about `now_s`, the
    log's time in seconds since the epoch.
    """
    if len(body) > MAX_ANSWER_BYTES:
        raise Malformed("the answer of the witness is too long")
    said = Note.parse(note.text.encode() + b"\n" + body)
    if said.text != note.text:
        # An empty line in the answer would move the end of the text, and with it what is signed.
        raise Malformed("the answer of the witness is not signature lines")
    at = cosignature_time(said, key)
    if at is None:
        raise VerificationFailed(
            f"the witness did not sign with key `{key.name}`", code="cosignature-missing"
        )
    if abs(at - now_s) > CLOCKS_APART_S:
        raise VerificationFailed(
            f"the clocks of witness `{key.name}` and of this machine differ by {abs(at - now_s)} seconds",
            code="clocks-apart",
            remediation="find out which of the two is wrong",
        )
    return next(one for one in said.signatures if (one.name, one.key_id) == (key.name, key.key_id))
