# SPDX-License-Identifier: Apache-2.0
"""Sample calls of the chat's tools."""

from tests.interop.worlds.tool import Call, State


def samples(state: State) -> list[Call]:
    """Return calls of each tool, which together show each place."""
    channels = [{"channel_id": key} for key in state["channels"]]
    files = [{"file_id": key} for key in state["files"]]
    threads = [
        {"channel_id": one["channel"], "thread_ts": one["thread"]}
        for one in state["messages"]
        if "thread" in one
    ]
    return [
        ("channels_list", {}),
        ("channels_list", {"types": ["direct"]}),
        *(("channel_members", one) for one in channels),
        *(("channel_history", one) for one in channels),
        *(("thread_replies", one) for one in threads),
        ("messages_search", {"query": "paulo", "in_channel": "C04MONEY01"}),
        ("people_search", {"query": "zuiderhal"}),
        ("files_search", {}),
        ("files_search", {"query": "focus plot", "folder": "Light"}),
        *(("file_read", one) for one in files),
        *(("file_comments", one) for one in files),
        *(("link_open", {"url": url}) for url in state["pages"]),
        (
            "message_post",
            {"channel_id": "C04TOURBE1", "text": "Sight lines are fine.", "thread_ts": "1778500800.000500"},
        ),
        ("message_direct", {"user_ids": ["U06PAUL09"], "text": "Call time is 10:00."}),
        ("message_direct", {"user_ids": ["U05INES01"], "text": "Ask Leon about the loaders."}),
        ("channel_invite", {"channel_id": "C04TOURBE1", "user_ids": ["U05LEON04"]}),
        ("guest_invite", {"email": "jef.mertens@post.example", "channel_ids": ["C04TOURBE1"]}),
        (
            "file_share",
            {"file_id": "F08PLOT003", "recipients": ["U06MAAR07", "C04TOURBE1"], "role": "viewer"},
        ),
        ("file_create", {"name": "Notes.md", "folder": "Ghent", "content": "Doors at 19:30."}),
        ("file_delete", {"file_id": "F08PLOT002"}),
        ("channel_update", {"channel_id": "C04TOURBE1", "topic": "Load-in 13 May 10:00"}),
    ]
