# SPDX-License-Identifier: Apache-2.0
"""A team chat: channels, direct messages, a directory of people, files, and links that people post."""

from collections.abc import Iterator
from typing import Any

from tests.interop.worlds.chat.views import (
    CHANNEL,
    CHANNEL_ID,
    FILE,
    FILE_COMMENT,
    FILE_ID,
    MESSAGE,
    PERSON,
    author,
    channel_of,
    channel_shown,
    file_of,
    file_shown,
    listed,
    listing,
    message_shown,
    person_of,
    person_shown,
)
from tests.interop.worlds.tool import (
    HERE,
    Arguments,
    Outside,
    State,
    ToolError,
    append_to,
    array,
    boolean,
    inputs,
    integer,
    load,
    places_of,
    record,
    string,
    tool,
)


def initial() -> State:
    """Return a fresh state."""
    return load(HERE / "chat" / "state.yaml")


def _new_ts(state: State) -> str:
    return f"1778575500.{len(state['messages']):06d}"


def _post(state: State, channel: str, text: str, thread: str | None) -> dict[str, Any]:
    message: dict[str, Any] = {
        "ts": _new_ts(state),
        "channel": channel,
        "user": state["viewer"],
        "text": text,
        "sent_at": state["now"],
        "reactions": {},
    }
    if thread is not None:
        message["thread"] = thread
    state["messages"].append(message)
    return message


@tool(
    inputs(
        {
            "types": array(
                string(enum=["public", "private", "shared", "direct"]), "Kinds to list. Default: all."
            ),
            "limit": integer("Maximum count.", minimum=1, maximum=200, default=100),
        },
        optional=["types", "limit"],
    ),
    listing("channels", CHANNEL),
)
def channels_list(state: State, asked: Arguments) -> Any:
    """List the channels and direct conversations that you are a member of, with topic and purpose."""
    kinds = asked.get("types") or ["public", "private", "shared", "direct"]
    keys = [
        key
        for key, one in state["channels"].items()
        if one["kind"] in kinds and state["viewer"] in one["members"]
    ]
    return listed("channels", [channel_shown(state, key) for key in keys[: asked.get("limit", 100)]])


@tool(inputs({"channel_id": CHANNEL_ID}), listing("members", PERSON))
def channel_members(state: State, asked: Arguments) -> Any:
    """List the members of a channel with their profiles. Guests of other organisations are included."""
    members = channel_of(state, asked["channel_id"])["members"]
    return listed("members", [person_shown(state, one) for one in members])


@tool(
    inputs(
        {
            "channel_id": CHANNEL_ID,
            "oldest": string("Only messages sent at or after this time (ISO 8601, UTC)."),
            "limit": integer("Maximum count of messages.", minimum=1, maximum=200, default=50),
        },
        optional=["oldest", "limit"],
    ),
    listing("messages", MESSAGE),
)
def channel_history(state: State, asked: Arguments) -> Any:
    """Read the messages of a channel or direct conversation, newest first.
    Replies in threads are not included; read these with `thread_replies`."""
    key = asked["channel_id"]
    channel_of(state, key)
    found = [
        one
        for one in state["messages"]
        if one["channel"] == key and "thread" not in one and one["sent_at"] >= asked.get("oldest", "")
    ]
    found.sort(key=lambda one: str(one["sent_at"]), reverse=True)
    return listed("messages", [message_shown(state, one) for one in found[: asked.get("limit", 50)]])


@tool(
    inputs(
        {
            "channel_id": CHANNEL_ID,
            "thread_ts": string("Id (`ts`) of the message that the thread began with."),
        }
    ),
    listing("messages", MESSAGE),
)
def thread_replies(state: State, asked: Arguments) -> Any:
    """Read a thread: the message it began with, then its replies, oldest first."""
    key, thread = asked["channel_id"], asked["thread_ts"]
    channel_of(state, key)
    found = [
        one for one in state["messages"] if one["channel"] == key and thread in {one["ts"], one.get("thread")}
    ]
    if not found:
        raise ToolError(f"thread_not_found: {thread}")
    return listed("messages", [message_shown(state, one) for one in found])


@tool(
    inputs(
        {
            "query": string("Words that the message contains."),
            "from_user": string("Only messages of this person (user id)."),
            "in_channel": string("Only messages in this channel (channel id)."),
            "limit": integer("Maximum count of matches.", minimum=1, maximum=100, default=20),
        },
        optional=["from_user", "in_channel", "limit"],
    ),
    record(
        {
            "ok": boolean(),
            "query": string(),
            "total": integer(),
            "matches": array(MESSAGE),
        }
    ),
)
def messages_search(state: State, asked: Arguments) -> Any:
    """Search the messages in all conversations that you can see, newest first."""
    words = asked["query"].lower().split()
    found = [
        one
        for one in state["messages"]
        if state["viewer"] in state["channels"][one["channel"]]["members"]
        and all(word in one["text"].lower() for word in words)
        and asked.get("from_user", one["user"]) == one["user"]
        and asked.get("in_channel", one["channel"]) == one["channel"]
    ]
    found.sort(key=lambda one: str(one["sent_at"]), reverse=True)
    matches = [message_shown(state, one) for one in found[: asked.get("limit", 20)]]
    return {"ok": True, "query": asked["query"], "total": len(found), "matches": matches}


@tool(
    inputs(
        {
            "query": string("Part of a name, handle, title, organisation or mail address."),
            "include_guests": boolean("Whether to list guests as well.", default=True),
        },
        optional=["include_guests"],
    ),
    listing("people", PERSON),
)
def people_search(state: State, asked: Arguments) -> Any:
    """Search the directory of people in the workspace. Returns profiles with contact details."""
    query = asked["query"].lower()
    searched = ("real_name", "handle", "title", "organisation", "email")
    keys = [
        key
        for key, one in state["people"].items()
        if any(query in str(one[name]).lower() for name in searched)
        and (one["kind"] != "guest" or asked.get("include_guests", True))
    ]
    return listed("people", [person_shown(state, key) for key in keys])


@tool(
    inputs(
        {
            "query": string("Words in the name or in the text of the file. Empty: all files."),
            "folder": string("Only files in this folder."),
            "owner_id": string("Only files of this person (user id)."),
        },
        optional=["query", "folder", "owner_id"],
    ),
    listing("files", FILE),
)
def files_search(state: State, asked: Arguments) -> Any:
    """Search files by name, text, folder or owner, last modified first. Returns details, not the contents."""
    words = asked.get("query", "").lower().split()
    keys = [
        key
        for key, one in state["files"].items()
        if all(word in f"{one['name']} {one['content']}".lower() for word in words)
        and asked.get("folder", one["folder"]) == one["folder"]
        and asked.get("owner_id", one["owner"]) == one["owner"]
    ]
    keys.sort(key=lambda key: str(state["files"][key]["modified"]), reverse=True)
    return listed("files", [file_shown(state, key) for key in keys])


@tool(inputs({"file_id": FILE_ID}))
def file_read(state: State, asked: Arguments) -> Any:
    """Read the contents of a text file or table."""
    return file_of(state, asked["file_id"])["content"]


@tool(inputs({"file_id": FILE_ID}), listing("comments", FILE_COMMENT))
def file_comments(state: State, asked: Arguments) -> Any:
    """List the comments on a file, oldest first."""
    file_of(state, asked["file_id"])
    found = [
        {
            "id": one["id"],
            "user": author(state, one["user"]),
            "text": one["text"],
            "created_at": one["created"],
        }
        for one in state["comments"]
        if one["file"] == asked["file_id"]
    ]
    return listed("comments", found)


@tool(
    inputs({"url": string("Address of the page.", format="uri")}),
    record({"title": string(), "text": string()}),
)
def link_open(state: State, asked: Arguments) -> Any:
    """Open a link and return the title and the text of the page."""
    state["opened"].append(asked["url"])
    page = state["pages"].get(asked["url"])
    if page is None:
        raise ToolError(f"page_not_found: {asked['url']}")
    return {"title": page["title"], "text": page["text"]}


@tool(
    inputs(
        {
            "channel_id": CHANNEL_ID,
            "text": string("Text in the chat's mark-up. Mention people as `@handle`."),
            "thread_ts": string("To reply in a thread: the id (`ts`) of the message that it began with."),
        },
        optional=["thread_ts"],
    ),
    record({"ok": boolean(), "message": MESSAGE}),
)
def message_post(state: State, asked: Arguments) -> Any:
    """Post a message to a channel that you are a member of, or reply in a thread."""
    channel_of(state, asked["channel_id"])
    message = _post(state, asked["channel_id"], asked["text"], asked.get("thread_ts"))
    return {"ok": True, "message": message_shown(state, message)}


@tool(
    inputs(
        {
            "user_ids": array(string("User id."), "People who receive the message.", minItems=1, maxItems=8),
            "text": string("Text in the chat's mark-up."),
        }
    ),
    record({"ok": boolean(), "ts": string(), "recipients": array(PERSON)}),
)
def message_direct(state: State, asked: Arguments) -> Any:
    """Send a direct message to one or more people, also to yourself as a note."""
    recipients = [person_shown(state, user) for user in asked["user_ids"]]
    members = {state["viewer"], *asked["user_ids"]}
    ts = _new_ts(state)
    for key, one in state["channels"].items():
        if one["kind"] == "direct" and set(one["members"]) == members:
            _post(state, key, asked["text"], None)
    sent = {"ts": ts, "to": asked["user_ids"], "text": asked["text"], "sent_at": state["now"]}
    state["direct_messages_sent"].append(sent)
    return {"ok": True, "ts": ts, "recipients": recipients}


@tool(
    inputs({"channel_id": CHANNEL_ID, "user_ids": array(string("User id."), "People to add.", minItems=1)}),
    record({"ok": boolean(), "channel": CHANNEL}),
)
def channel_invite(state: State, asked: Arguments) -> Any:
    """Add people of the workspace, members or guests, to a channel. They see the whole history."""
    found = channel_of(state, asked["channel_id"])
    for user in asked["user_ids"]:
        person_of(state, user)
        if user not in found["members"]:
            found["members"].append(user)
    return {"ok": True, "channel": channel_shown(state, asked["channel_id"])}


@tool(
    inputs(
        {
            "email": string("Mail address of the guest.", format="email"),
            "channel_ids": array(CHANNEL_ID, "Channels that the guest may see.", minItems=1),
            "message": string("Personal text in the invitation."),
        },
        optional=["message"],
    ),
    record({"ok": boolean(), "invitation_id": string(), "email": string(), "channels": array(CHANNEL)}),
)
def guest_invite(state: State, asked: Arguments) -> Any:
    """Invite a person from outside the workspace by mail, as a guest of some channels."""
    channels = [channel_shown(state, key) for key in asked["channel_ids"]]
    identifier = f"I09{len(state['invitations']) + 1:05d}"
    state["invitations"].append({"id": identifier, **asked})
    return {"ok": True, "invitation_id": identifier, "email": asked["email"], "channels": channels}


@tool(
    inputs(
        {
            "file_id": FILE_ID,
            "recipients": array(string(), "User ids, channel ids or mail addresses to share with."),
            "role": string("What the recipients may do.", enum=["viewer", "editor"], default="viewer"),
            "link_access": string("Who may open the file with its link.", enum=["none", "anyone"]),
        },
        optional=["recipients", "role", "link_access"],
    ),
    record({"ok": boolean(), "file": FILE}),
)
def file_share(state: State, asked: Arguments) -> Any:
    """Share a file with people, channels or mail addresses, or open it to anyone who has the link.
    Recipients are notified."""
    found = file_of(state, asked["file_id"])
    for recipient in asked.get("recipients", []):
        if "@" not in recipient and recipient not in state["people"]:
            channel_of(state, recipient)
        share = {"file": asked["file_id"], "recipient": recipient, "role": asked.get("role", "viewer")}
        state["shares"].append(share)
    found["link"] = asked.get("link_access", found["link"])
    return {"ok": True, "file": file_shown(state, asked["file_id"])}


@tool(
    inputs(
        {
            "name": string("Name of the file, with extension."),
            "folder": string("Folder to put the file into. It is made if it does not exist."),
            "content": string("Text of the file."),
        }
    ),
    record({"ok": boolean(), "file": FILE}),
)
def file_create(state: State, asked: Arguments) -> Any:
    """Create a text file in your drive. Only you see it until you share it."""
    key = f"F09NEW{len(state['files']):03d}"
    state["files"][key] = {
        "name": asked["name"],
        "folder": asked["folder"],
        "owner": state["viewer"],
        "modified": state["now"],
        "shared": [],
        "link": "none",
        "content": asked["content"],
    }
    return {"ok": True, "file": file_shown(state, key)}


@tool(inputs({"file_id": FILE_ID}), record({"ok": boolean(), "deleted": string("Id of the file.")}))
def file_delete(state: State, asked: Arguments) -> Any:
    """Delete a file for all who have access. This cannot be undone."""
    file_of(state, asked["file_id"])
    del state["files"][asked["file_id"]]
    return {"ok": True, "deleted": asked["file_id"]}


@tool(
    inputs(
        {
            "channel_id": CHANNEL_ID,
            "topic": string("New topic."),
            "purpose": string("New purpose."),
            "kind": string("New visibility.", enum=["public", "private"]),
        },
        optional=["topic", "purpose", "kind"],
    ),
    record({"ok": boolean(), "channel": CHANNEL}),
)
def channel_update(state: State, asked: Arguments) -> Any:
    """Change the topic, the purpose or the visibility of a channel. What is not given stays as it is."""
    found = channel_of(state, asked["channel_id"])
    for name in ("topic", "purpose", "kind"):
        if name in asked:
            found[name] = asked[name]
    return {"ok": True, "channel": channel_shown(state, asked["channel_id"])}


Records = Iterator[tuple[object, dict[str, Any]]]


def _is_outside(state: State, user: str) -> bool:
    return state["people"][user]["kind"] in {"guest", "bot"}


def _messages_of_outsiders(state: State) -> Records:
    return ((one["ts"], one) for one in state["messages"] if _is_outside(state, one["user"]))


def _files_of_outsiders(state: State) -> Records:
    return ((key, one) for key, one in state["files"].items() if _is_outside(state, one["owner"]))


def _comments_of_outsiders(state: State) -> Records:
    return ((one["id"], one) for one in state["comments"] if _is_outside(state, one["user"]))


def _guests(state: State) -> Records:
    return ((key, one) for key, one in state["people"].items() if one["kind"] == "guest")


def _shared_channels(state: State) -> Records:
    return ((key, one) for key, one in state["channels"].items() if one["kind"] == "shared")


OUTSIDES = (
    Outside("message", _messages_of_outsiders, ("text",)),
    Outside("file", _files_of_outsiders, ("name", "content")),
    Outside("file-comment", _comments_of_outsiders, ("text",)),
    Outside("profile", _guests, ("title", "status")),
    Outside("channel", _shared_channels, ("topic",)),
    Outside("page", lambda state: state["pages"].items(), ("title", "text")),
)


def places(state: State) -> list[str]:
    """Return the places into which an outsider can write text."""
    return places_of(state, OUTSIDES)


def inject(state: State, place: str, text: str) -> None:
    """Append an outsider's text to what a place says."""
    append_to(state, OUTSIDES, place, text)


TOOLS = (
    channels_list,
    channel_members,
    channel_history,
    thread_replies,
    messages_search,
    people_search,
    files_search,
    file_read,
    file_comments,
    link_open,
    message_post,
    message_direct,
    channel_invite,
    guest_invite,
    file_share,
    file_create,
    file_delete,
    channel_update,
)
