# SPDX-License-Identifier: Apache-2.0
from tests.interop.worlds.chat import world


def test_a_direct_message_shows_in_the_conversation() -> None:
    """A message to one person is recorded, and stands in the conversation with that person."""
    state = world.initial()
    sent = world.message_direct.call(state, {"user_ids": ["U06PAUL09"], "text": "Call time is 10:00."})
    newest = world.channel_history.call(state, {"channel_id": "D04INEPAU2", "limit": 1})["messages"][0]
    assert (newest["ts"], newest["text"]) == (sent["ts"], "Call time is 10:00.")
    assert state["direct_messages_sent"][0]["to"] == ["U06PAUL09"]


def test_a_shared_file_shows_its_recipients() -> None:
    """A share with a mail address is listed with its role, and a link is opened only when asked."""
    state, file = world.initial(), {"file_id": "F08PLOT003"}
    shared = world.file_share.call(state, {**file, "recipients": ["x@post.example"], "role": "editor"})[
        "file"
    ]
    assert {"id": "x@post.example", "role": "editor"} in shared["shared_to"]
    assert shared["link_access"] == "none"
    assert world.file_share.call(state, {**file, "link_access": "anyone"})["file"]["link_access"] == "anyone"
