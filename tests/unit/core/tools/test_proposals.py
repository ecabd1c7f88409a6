# SPDX-License-Identifier: Apache-2.0
"""What a draft proposes as comments: it permits more, or needs what no schema says."""

from pathlib import Path
from typing import Any

import pytest

from remit.config import load_bundle, load_config
from remit.core.tools.suggestions import ToolDraft, tools_text
from remit.core.tools.tool import Tool
from tests.samples.drafts import STRING, draft, gives, loaded

Json = Any


def uncommented(tmp_path: Path, drafts: list[ToolDraft], *words: str) -> dict[str, Tool]:
    """Load drafts in which the proposals with these words count."""
    text = tools_text("up", drafts)
    lines = [
        line.replace("# ", "  " if line.strip().startswith("#   ") else "", 1)
        if any(f"# {word}" in line or f"#   {word}" in line for word in words)
        else line
        for line in text.splitlines()
    ]
    loaded(tmp_path, drafts)
    (tmp_path / "tools/up.yaml").write_text("\n".join(lines), encoding="utf-8")
    return load_bundle(load_config(tmp_path)).tools


@pytest.mark.parametrize("name", ["whoami", "get_me", "my_profile", "getCurrentUser"])
def test_the_callers_own_address_is_proposed_as_own(name: str, tmp_path: Path) -> None:
    """As a comment: it would let `myself` state a destination."""
    one = draft(
        name,
        gives=gives(
            user=gives(email=STRING, city=STRING), friends={"type": "array", "items": gives(email=STRING)}
        ),
    )
    text = tools_text("up", [one])
    assert '#   "user.email": {trust: trusted, own: true}  # review: its name contains' in text
    assert "friends" not in text
    tool = uncommented(tmp_path, [one], "fields:", '"user.email"')[f"up/{name}"]
    assert tool.own_fields == {"user.email"}


def test_a_proposal_names_a_field_once(tmp_path: Path) -> None:
    """Instead of the guess from its name; but what no agent gets stays withheld."""
    result = gives(id={"type": "integer"}, secret_id=STRING, email=STRING)
    one = draft("get_me", gives=result)
    own = loaded(tmp_path, [one], whole=True)["up/get_me"]
    assert own.own_fields == {"id", "email"}
    assert [field.path for field in own.fields if field.withheld] == ["secret_id"]


def test_a_condition_on_a_part_of_an_argument_is_not_proposed(tmp_path: Path) -> None:
    """Conditions name whole arguments; the part stays a person's record."""
    part = {"properties": {"record_id": STRING, "record_type": {"enum": ["contact", "deal"]}}}
    one = draft("update_note", {"about": part})
    assert "when:" not in tools_text("up", [one])
    assert loaded(tmp_path, [one], whole=True)["up/update_note"].arguments["about.record_id"].personal


def test_the_profile_of_someone_else_holds_nothing_of_ones_own() -> None:
    """Nor does a change of the own profile."""
    result = gives(email=STRING)
    assert draft("get_user", {"user_id": STRING}, gives=result).own == ()
    assert draft("update_my_profile", gives=result).own == ()


def test_a_code_is_proposed_with_the_tools_that_read_its_message(tmp_path: Path) -> None:
    """Beside a tool that reads messages, and nowhere else; both as comments."""
    message = {"type": "array", "items": gives(**{"from": gives(email=STRING, name=STRING), "body": STRING})}
    mail = draft("read_mail", gives=gives(messages=message))
    confirm = draft("confirm_order", {"order_id": STRING, "verification_code": STRING})
    assert "one_time" not in tools_text("up", [confirm])
    text = tools_text("up", [mail, confirm])
    assert '# sender: "messages[].from.email"  # review: if one-time codes arrive there' in text
    assert (
        "# one_time: {senders: [codes@service.example], read_by: [read_mail]}  # review: if the code arrives"
        in text
    )
    read = uncommented(tmp_path, [mail, confirm], "sender:")["up/read_mail"]
    assert read.sender == "messages[].from.email"
    whole = loaded(tmp_path, [mail, confirm], whole=True)["up/confirm_order"]
    assert whole.arguments["verification_code"].one_time is not None
    assert draft("send_mail", gives=gives(messages=message)).sender is None


def test_what_is_stored_may_be_the_destination(tmp_path: Path) -> None:
    """Rescheduling reaches the participants; with others named, these."""
    moved = draft("reschedule_event", {"event_id": STRING, "start_time": STRING})
    assert "# stored_destination: {by: [event_id]}  # review: if it reaches those" in tools_text(
        "up", [moved]
    )
    named = draft("update_meeting", {"meeting_id": STRING, "attendees": {"type": "array", "items": STRING}})
    assert "# stored_destination: {by: [meeting_id], unless: [attendees]}" in tools_text("up", [named])
    tool = uncommented(tmp_path, [moved], "stored_destination:")["up/reschedule_event"]
    assert tool.called_with({"event_id": "e"}).arguments["event_id"].role == "destination"
    for other in (draft("update_file", {"file_id": STRING}), draft("get_event", {"event_id": STRING})):
        assert other.stored is None


ADDRESSED: Json = {
    "properties": {"email": {"type": "string", "format": "email"}, "name": STRING, "id": STRING}
}
EVENT = gives(
    id=STRING,
    organizer=ADDRESSED,
    attendees={"type": "array", "items": ADDRESSED},
    guests={"type": "integer"},
    place=gives(recipient=STRING),
)


def test_the_tools_that_show_who_is_told_are_proposed(tmp_path: Path) -> None:
    """With one address of each participant, as comments on both tools."""
    moved = draft("reschedule_event", {"event_id": STRING, "start_time": STRING})
    shows = draft("get_event", {"event_id": STRING, "limit": STRING}, required=("event_id",), gives=EVENT)
    text = tools_text("up", [moved, shows])
    assert "# stored_destination: {by: [event_id], read_by: [get_event]}  # review: if it reaches" in text
    marked = [line.split(":")[0].strip() for line in text.splitlines() if "participant: true" in line]
    assert marked == ['#   "organizer.email"', '#   "attendees[].email"']
    assert not loaded(tmp_path, [moved, shows])["up/get_event"].shows_participants
    tools = loaded(tmp_path, [moved, shows], whole=True)
    stored = tools["up/reschedule_event"].stored_destination
    assert stored is not None
    assert (stored.by, stored.read_by) == (("event_id",), ("up/get_event",))
    assert [one.path for one in tools["up/get_event"].fields if one.participant] == [
        "organizer.email",
        "attendees[].email",
    ]


@pytest.mark.parametrize(
    "sibling",
    [
        draft("list_events", {"calendar_id": STRING}, gives=EVENT),
        draft("get_event", {"id": STRING}, gives=EVENT),
        draft("get_event", {"event_id": STRING, "day": STRING}, required=("event_id", "day"), gives=EVENT),
        draft("get_event", {"event_id": STRING}, gives=gives(title=STRING, organizer=gives(name=STRING))),
        draft("copy_event", {"event_id": STRING}, gives=EVENT),
        draft("get_event", {"event_id": STRING}, gives=gives(**{f"n{i}": EVENT for i in range(15)})),
    ],
    ids=["other argument", "other name", "second argument", "names only", "no read", "too many"],
)
def test_a_tool_that_cannot_show_who_is_told_is_not_proposed(sibling: ToolDraft) -> None:
    """What a read by the same argument alone does not show completely narrows nothing."""
    text = tools_text("up", [draft("update_event", {"event_id": STRING}), sibling])
    assert "stored_destination: {by: [event_id]}" in text
    assert "participant" not in text


def test_an_event_in_a_calendar_is_not_shown_by_its_number_alone() -> None:
    """Two arguments select it: the same number may mean another event in another calendar."""
    shows = draft("get_event", {"event_id": STRING}, gives=EVENT)
    moved = draft("update_event", {"calendar_id": STRING, "event_id": STRING})
    assert "# stored_destination: {by: [event_id]}" in tools_text("up", [moved, shows])


def test_an_answer_goes_to_those_in_the_thread(tmp_path: Path) -> None:
    """What is attached selects no thread; a forwarded message goes to others."""
    mail = gives(messages={"type": "array", "items": gives(to={"type": "array", "items": STRING}, at=STRING)})
    shows = draft("get_thread", {"thread_id": STRING}, gives=mail)
    sent = draft(
        "send_mail", {"thread_id": STRING, "to": STRING, "attach_invoice_ids": STRING, "body": STRING}
    )
    stored = loaded(tmp_path, [sent, shows], whole=True)["up/send_mail"].stored_destination
    assert stored is not None
    assert (stored.by, stored.unless, stored.read_by) == (("thread_id",), ("to",), ("up/get_thread",))
    assert draft("forward_mail", {"message_id": STRING, "to": STRING}).stored is None
    assert draft("send_mail", {"to": STRING, "body": STRING}).stored is None
