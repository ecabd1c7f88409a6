# SPDX-License-Identifier: Apache-2.0
"""`one_time` and `sender` of `tools/`: what they mean, and what does not go together."""

from pathlib import Path

import pytest

from remit.config import problems
from remit.core.tools.tool import CodeSource
from tests.samples.tool_files import SEND, folder, tools_of

PIN = "password: {secret: true}"
CODE = "password: {secret: true, one_time: {senders: [pay@shop.example], read_by: [inbox]}}"
READ = "  inbox:\n"


def described(code: str = CODE, sender: str = "messages[].from") -> str:
    """Return the tool file with a one-time code."""
    return SEND.replace(PIN, code).replace(READ, f"{READ}    sender: {sender}\n")


def test_a_tool_that_reads_codes_knows_their_senders(tmp_path: Path) -> None:
    """The argument names the tool, which names the field of the sender."""
    tools = tools_of(tmp_path, described())
    source = tools["mail/send"].arguments["password"].one_time
    assert source == CodeSource(senders=("pay@shop.example",), read_by=("mail/inbox",))
    inbox = tools["mail/inbox"]
    assert (inbox.sender, inbox.code_senders) == ("messages[].from", ("pay@shop.example",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            described(CODE.replace("[inbox]", "[inbix]")),
            "`mail/inbix` is not a tool; did you mean `mail/inbox`?",
        ),
        (SEND.replace(PIN, CODE), "`mail/inbox` names no sender; add `sender` to `mail/inbox`"),
        (described(CODE.replace("secret: true, ", "")), "needs `secret`; add `secret: true`"),
        (
            described(CODE.replace("pay@", "'*@").replace("example]", "example']")),
            "is not a sender; write an",
        ),
        (described(sender="messages[0].from"), "selects single elements of a list"),
    ],
)
def test_each_mistake_about_a_code_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    """With the place and the remedy."""
    (found,) = problems(folder(tmp_path, text))
    assert message in str(found)
    assert "mail.yaml:" in str(found)
