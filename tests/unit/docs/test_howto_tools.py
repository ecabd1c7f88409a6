# SPDX-License-Identifier: Apache-2.0
"""Every file of tools that the guide shows can be loaded, and means what the guide says of it."""

import re
from pathlib import Path
from typing import Any

import pytest

from remit.config import examine_bundle, load_config
from remit.config.bundle.forms import ArgumentForm, ToolForm
from remit.core.flow.records.record import Reading, with_fields
from remit.core.label import Classes, Label, Trust
from remit.core.policy.bundle import Bundle
from remit.core.tools.tool import Effect, Tool
from tests.architecture.tree import ROOT

Json = Any

PAGE = (ROOT / "docs" / "howto" / "describe-tools.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```yaml\n# ([a-z./]+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
SHOWN = [(found[1], found[2]) for found in BLOCK.finditer(PAGE)]
(CONFIG,) = [text for name, text in SHOWN if name == "remit.yaml"]
FILES = [(name, text) for name, text in SHOWN if name != "remit.yaml"]
FIRST, OPEN, CHAT, PROFILE, ANSWER, CALENDAR, FORGE, SHOP, MAIL, BANK, TICKETS, WEB = (
    text for _, text in FILES
)


def bundle(folder: Path, *files: str) -> tuple[Bundle, list[str]]:
    """Load files of tools under the configuration of the page, with what is wrong with them."""
    for name in ("policies", "tools"):
        (folder / name).mkdir()
    (folder / "remit.yaml").write_text(CONFIG, encoding="utf-8")
    (folder / "policies/first.cedar").write_text("permit (principal, action, resource);\n", encoding="utf-8")
    for number, text in enumerate(files):
        (folder / f"tools/{number}.yaml").write_text(text, encoding="utf-8")
    found, problems = examine_bundle(load_config(folder))
    return found, [str(problem) for problem in problems]


def trust_of(tool: Tool, result: Json) -> dict[str, str]:
    """Return the trust of each field of a result."""
    return {leaf.path: leaf.label.trust.value for leaf in Reading(result, tool)}


def task_trust(tool: Tool, result: Json) -> Trust:
    """Return the trust that a task has once it has read a result."""
    reading = Reading(result, tool)
    list(reading)
    return with_fields(tool.label, reading.seen, Classes()).trust


@pytest.mark.parametrize("text", [text for _, text in FILES if text != ANSWER])
def test_a_file_that_is_shown_can_be_loaded(text: str, tmp_path: Path) -> None:
    """Each by itself, without a mistake in it."""
    assert bundle(tmp_path, text)[1] == []


def test_the_profile_and_its_task_type_load(tmp_path: Path) -> None:
    """The tool withholds the password, and the type what is above its class."""
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/answer.yaml").write_text(ANSWER, encoding="utf-8")
    found, problems = bundle(tmp_path, PROFILE)
    assert problems == []
    fields = {one.path: one for one in found.tools["bank/read_profile"].fields}
    assert [path for path, one in fields.items() if one.withheld] == ["password"]
    rule = found.task_types["answer"].withhold
    assert rule.covers(fields["card.number"].label, found.classes)
    assert not rule.covers(fields["note"].label, found.classes)


def test_guests_of_the_house_are_internal(tmp_path: Path) -> None:
    """By the directory of the configuration; a stored destination is one that the call does not name."""
    found, _ = bundle(tmp_path, CALENDAR)
    invite, moved = found.tools["calendar/invite"], found.tools["calendar/reschedule"]
    assert str(invite.called_with({"guests": ["ana@example.com"]}).audience) == "internal"
    assert str(invite.called_with({"guests": ["ana@example.org"]}).audience) == "external"
    assert moved.called_with({"event_id": 1}).arguments["event_id"].role == "destination"


def test_the_own_address_and_the_code_mean_what_the_guide_says(tmp_path: Path) -> None:
    """The profile holds the person's own, and a code arrives from one sender."""
    found, _ = bundle(tmp_path, CHAT, SHOP)
    assert found.tools["chat/my_profile"].own_fields == {"user.id", "user.email"}
    code = found.tools["shop/confirm_order"].arguments["code"].one_time
    assert code is not None
    assert found.tools["shop/read_inbox"].sender == "from.email"


def test_the_four_servers_load_together(tmp_path: Path) -> None:
    """As one bundle."""
    found, problems = bundle(tmp_path, MAIL, BANK, TICKETS, WEB)
    assert problems == []
    assert {tool.upstream for tool in found.tools.values()} == {"mail", "bank", "tickets", "web"}


def test_the_guide_speaks_of_every_word() -> None:
    """Each key that a tool or an argument can have stands in its table, and none that it cannot."""
    keys = {
        word
        for row in re.findall(r"^\| (`[^|]+) \|", PAGE, re.MULTILINE)
        for word in re.findall(r"`(\w+)", row)
    }
    words = set(ToolForm.__struct_fields__) | set(ArgumentForm.__struct_fields__) - {"role"}
    roles = {"role", "destination", "selector", "content", "amount", "code"}
    assert keys - roles == words - {"sanitizes"} | ({"sanitizes"} & keys)


OURS = {"messages": [{"id": 1, "from": "ana@example.com", "subject": "x", "body": "y"}]}
THEIRS = {"messages": [{"id": 1, "from": "eve@example.org", "subject": "x", "body": "y"}]}
ODD = {"messages": [{"id": 1, "from": "Ana <ana@example.com>", "body": "y"}, {"id": 2, "body": "z"}]}


def test_the_body_of_a_message_from_outside_is_untrusted(tmp_path: Path) -> None:
    """Also where the sender is odd or missing; what is not listed is untrusted."""
    read = bundle(tmp_path, FIRST)[0].tools["mail/read_message"]
    assert trust_of(read, OURS) == {
        "messages[].id": "trusted",
        "messages[].from": "trusted",
        "messages[].subject": "untrusted",
        "messages[].body": "trusted",
    }
    for result in (THEIRS, ODD):
        found = trust_of(read, result)
        assert (
            found["messages[].id"],
            found["messages[].from" if result is THEIRS else "messages[].body"],
        ) == (
            "trusted",
            "untrusted",
        )
        assert found["messages[].body"] == "untrusted"
    assert task_trust(read, OURS) is Trust.UNTRUSTED


def test_a_task_that_reads_colleagues_alone_has_read_nothing_untrusted(tmp_path: Path) -> None:
    """Where the tool is described openly; one message from outside, or an odd one, changes that."""
    read = bundle(tmp_path, OPEN)[0].tools["mail/read_message"]
    assert task_trust(read, OURS) is Trust.TRUSTED
    assert task_trust(read, THEIRS) is Trust.UNTRUSTED
    assert task_trust(read, ODD) is Trust.UNTRUSTED


@pytest.mark.parametrize(
    ("arguments", "audience"),
    [
        ({"to": ["ana@example.com"]}, "internal"),
        ({"to": ["ana@example.com"], "cc": ["bo@example.com"]}, "internal"),
        ({"to": ["ana@example.com"], "cc": ["eve@example.org"]}, "external"),
        ({"to": ["ana@example.com", "eve@example.org"]}, "external"),
        ({"to": "ana@example.com"}, "external"),
        ({}, "external"),
    ],
)
def test_mail_to_colleagues_alone_is_internal(
    tmp_path: Path, arguments: dict[str, Json], audience: str
) -> None:
    """One recipient from outside, or a list that cannot be read, makes it external."""
    send = bundle(tmp_path, FIRST)[0].tools["mail/send_message"]
    assert str(send.called_with(arguments).audience) == audience


def test_account_numbers_count_only_where_we_have_chosen_them(tmp_path: Path) -> None:
    """A payer brings their own account number into the list of transactions."""
    found = bundle(tmp_path, BANK)[0]
    result = [{"id": 7, "iban": "DE1", "direction": "incoming", "reference": "x"}]
    assert trust_of(found.tools["bank/list_transactions"], result)["[].iban"] == "untrusted"
    result[0]["direction"] = "outgoing"
    assert trust_of(found.tools["bank/list_transactions"], result)["[].iban"] == "trusted"
    assert trust_of(found.tools["bank/list_transactions"], result)["[].reference"] == "untrusted"
    password = found.tools["bank/change_password"]
    assert all(
        password.arguments[name].sensitive for name in ("old_password", "new_password", "confirmation")
    )
    assert found.classes.cleared(password.audience, Label("confidential"))


def test_only_what_colleagues_write_in_a_ticket_is_trusted(tmp_path: Path) -> None:
    """A comment counts by who wrote it, a note inside does not leave, and a number opens no record."""
    tools = bundle(tmp_path, TICKETS)[0].tools
    comments = [
        {"author_kind": "staff", "text": "a"},
        {"author_kind": "customer", "text": "b"},
        {"text": "c"},
    ]
    leaves = Reading({"id": 3, "text": "d", "comments": comments}, tools["tickets/read_ticket"])
    found = {leaf.text: leaf.label.trust.value for leaf in leaves if leaf.name in ("id", "text")}
    assert found == {"3": "trusted", "d": "untrusted", "a": "trusted", "b": "untrusted", "c": "untrusted"}
    comment = tools["tickets/comment"]
    inside = comment.called_with({"id": "3", "text": "x", "public": False})
    assert (inside.effect, str(inside.audience)) == (Effect.REVERSIBLE, "internal")
    for public in ({"public": True}, {}, {"public": "false"}, {"public": 0}, {"public": None}):
        called = comment.called_with({"id": "3", "text": "x", **public})
        assert (called.effect, str(called.audience)) == (Effect.IRREVERSIBLE, "external")
    assert tools["tickets/read_customer"].arguments["customer_id"].personal


def test_a_fetch_changes_nothing_only_where_it_surely_is_a_get(tmp_path: Path) -> None:
    """A method that is missing is the server's own, which is GET; in other letters it is not understood."""
    fetch = bundle(tmp_path, WEB)[0].tools["web/fetch"]
    assert fetch.called_with({"url": "https://example.org/"}).effect is Effect.NONE
    assert fetch.called_with({"url": "https://example.org/", "method": "GET"}).effect is Effect.NONE
    for method in ("POST", "get", None):
        assert fetch.called_with({"url": "x", "method": method}).effect is Effect.IRREVERSIBLE


def test_what_an_argument_is_depends_on_the_call(tmp_path: Path) -> None:
    """What cannot be judged is as strict as the argument itself."""
    tools = bundle(tmp_path, FORGE)[0].tools
    write = tools["forge/write_file"]
    for path, role in (("a/b.md", "content"), ("c.txt", "content"), ("a.py", "code"), ("../c.txt", "code")):
        assert write.called_with({"path": path}).arguments["content"].role == role
    assert not write.called_with({"branch": "draft/a"}).production
    for branch in ({"branch": "main"}, {"branch": "refs/heads/main"}, {"branch": "draft/../main"}, {}):
        assert write.called_with(branch).production
    note = tools["forge/add_note"]
    assert not note.called_with({"record_type": "release"}).arguments["record_id"].personal
    for kind in ({"record_type": "contact"}, {"record_type": "Release"}, {}):
        assert note.called_with(kind).arguments["record_id"].personal
    assert tools["forge/comment"].arguments["number"].within == "repository"
    assert tools["forge/add_collaborator"].arguments["permission"].least == ("read", "triage")
    assert tools["forge/update_account"].single


def test_a_part_in_another_shape_is_still_the_part(tmp_path: Path) -> None:
    """A path names what stands there, whether in a list or alone."""
    send = bundle(tmp_path, MAIL)[0].tools["mail/send_message"]
    for attached in ([{"file_id": "f"}], {"file_id": "f"}, ["f"], "f"):
        assert send.parts({"attachments": attached})["attachments[].file_id"] == ["f"]
