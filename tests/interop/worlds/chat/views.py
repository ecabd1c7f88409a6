# SPDX-License-Identifier: Apache-2.0
"""Find records of the chat and show them as its API does."""

from typing import Any

from tests.interop.worlds.tool import (
    Schema,
    State,
    ToolError,
    array,
    boolean,
    integer,
    nullable,
    record,
    string,
)

HOST = "https://bramblefinch.chat.example"
TIME = string("ISO 8601 timestamp in UTC.", format="date-time")
CHANNEL_ID = string("Id of the channel or direct conversation, as `C04GENERAL`.")
FILE_ID = string("Id of the file, as `F08RIDER01`.")

AUTHOR = record(
    {
        "id": string(),
        "handle": string(),
        "display_name": string(),
        "kind": string("Guests belong to another organisation.", enum=["owner", "member", "guest", "bot"]),
    }
)
CHANNEL = record(
    {
        "id": string(),
        "name": string("Empty for direct conversations."),
        "kind": string(enum=["public", "private", "shared", "direct"]),
        "shared_with": array(string(), "Names of the other organisations in a shared channel."),
        "topic": record({"value": string()}),
        "purpose": record({"value": string()}),
        "num_members": integer(),
        "with": nullable(AUTHOR),
        "created": TIME,
    }
)
MESSAGE = record(
    {
        "ts": string("Id of the message within its channel."),
        "channel": record({"id": string(), "name": string()}),
        "user": AUTHOR,
        "text": string("Text in the chat's mark-up."),
        "thread_ts": nullable(string("Id of the message that the thread began with.")),
        "reply_count": integer(),
        "reactions": array(record({"name": string(), "users": array(string("User id."))})),
        "sent_at": TIME,
        "permalink": string(format="uri"),
    }
)
PERSON = record(
    {
        "id": string(),
        "handle": string(),
        "real_name": string(),
        "kind": string(enum=["owner", "member", "guest", "bot"]),
        "organisation": string(),
        "profile": record(
            {
                "title": string("Title or role."),
                "status_text": string("Current status."),
                "email": string(),
                "phone": string(),
                "timezone": string(),
            }
        ),
    }
)
FILE = record(
    {
        "id": string(),
        "name": string(),
        "folder": string(),
        "owner": AUTHOR,
        "size": integer("Bytes."),
        "modified_at": TIME,
        "shared_to": array(
            record({"id": string("Id of a channel or user, or a mail address."), "role": string()})
        ),
        "link_access": string(enum=["none", "anyone"]),
        "permalink": string(format="uri"),
    }
)
FILE_COMMENT = record({"id": string(), "user": AUTHOR, "text": string(), "created_at": TIME})


def listing(name: str, items: Schema) -> Schema:
    """Return the schema of a page of results."""
    return record(
        {
            "ok": boolean(),
            name: array(items),
            "response_metadata": record({"next_cursor": string("Empty on the last page.")}),
        }
    )


def listed(name: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a page of results."""
    return {"ok": True, name: items, "response_metadata": {"next_cursor": ""}}


def author(state: State, user: str) -> dict[str, Any]:
    """Return how a person is shown in other records."""
    found = person_of(state, user)
    return {
        "id": user,
        "handle": found["handle"],
        "display_name": found["real_name"],
        "kind": found["kind"],
    }


def person_of(state: State, user: str) -> dict[str, Any]:
    """Return a person."""
    found: dict[str, Any] | None = state["people"].get(user)
    if found is None:
        raise ToolError(f"user_not_found: {user}")
    return found


def channel_of(state: State, channel: str) -> dict[str, Any]:
    """Return a channel that the viewer is in."""
    found: dict[str, Any] | None = state["channels"].get(channel)
    if found is None or state["viewer"] not in found["members"]:
        raise ToolError(f"channel_not_found: {channel}")
    return found


def file_of(state: State, file: str) -> dict[str, Any]:
    """Return a file."""
    found: dict[str, Any] | None = state["files"].get(file)
    if found is None:
        raise ToolError(f"file_not_found: {file}")
    return found


def channel_shown(state: State, key: str) -> dict[str, Any]:
    """Return a channel as the API shows one."""
    found = channel_of(state, key)
    others = [one for one in found["members"] if one != state["viewer"]]
    return {
        "id": key,
        "name": found["name"],
        "kind": found["kind"],
        "shared_with": found["shared_with"],
        "topic": {"value": found["topic"]},
        "purpose": {"value": found["purpose"]},
        "num_members": len(found["members"]),
        "with": author(state, others[0]) if found["kind"] == "direct" and others else None,
        "created": found["created"],
    }


def message_shown(state: State, found: dict[str, Any]) -> dict[str, Any]:
    """Return a message as the API shows one."""
    replies = [
        one
        for one in state["messages"]
        if one["channel"] == found["channel"] and one.get("thread") == found["ts"]
    ]
    return {
        "ts": found["ts"],
        "channel": {"id": found["channel"], "name": channel_of(state, found["channel"])["name"]},
        "user": author(state, found["user"]),
        "text": found["text"],
        "thread_ts": found.get("thread"),
        "reply_count": len(replies),
        "reactions": [{"name": name, "users": users} for name, users in found["reactions"].items()],
        "sent_at": found["sent_at"],
        "permalink": f"{HOST}/archives/{found['channel']}/p{found['ts'].replace('.', '')}",
    }


def person_shown(state: State, user: str) -> dict[str, Any]:
    """Return a person as the directory shows one."""
    found = person_of(state, user)
    return (
        {"id": user}
        | {name: found[name] for name in ("handle", "real_name", "kind", "organisation")}
        | {
            "profile": {
                "title": found["title"],
                "status_text": found["status"],
                "email": found["email"],
                "phone": found["phone"],
                "timezone": found["timezone"],
            }
        }
    )


def file_shown(state: State, key: str) -> dict[str, Any]:
    """Return the details of a file as the API shows them."""
    found = file_of(state, key)
    shares = [{"id": one, "role": "viewer"} for one in found["shared"]]
    shares += [{"id": one["recipient"], "role": one["role"]} for one in state["shares"] if one["file"] == key]
    return {
        "id": key,
        "name": found["name"],
        "folder": found["folder"],
        "owner": author(state, found["owner"]),
        "size": len(found["content"].encode()),
        "modified_at": found["modified"],
        "shared_to": shares,
        "link_access": found["link"],
        "permalink": f"{HOST}/files/{key}",
    }
