# SPDX-License-Identifier: Apache-2.0
"""Drafts of tool descriptions: what names suggest, what hints may do, and what stays the worst."""

from pathlib import Path
from typing import Any

import pytest

from remit.config import load_bundle, load_config
from remit.core.tools.suggestions import ToolDraft, UpstreamFacts, drafted, tools_text, vouched
from remit.core.tools.tool import Tool
from tests.samples.drafts import STRING, draft, gives, loaded

Json = Any


def roles(one: ToolDraft) -> dict[str, str]:
    """Return the roles of a draft's arguments."""
    return {argument.path: argument.role.value for argument in one.arguments}


@pytest.mark.parametrize(
    ("name", "effect"),
    [
        ("list_orders", "none"),
        ("email_search", "none"),
        ("git_status", "none"),
        ("getUserProfile", "none"),
        ("add_comment", "reversible"),
        ("git_branch", "reversible"),
        ("create-event", "reversible"),
        ("send_email", "irreversible"),
        ("post_status", "irreversible"),
        ("delete_file", "irreversible"),
        ("run_query", "irreversible"),
        ("list_run_steps", "none"),
        ("get_run", "none"),
        ("getDeployKey", "none"),
        ("list_run", "irreversible"),
        ("get_and_run", "irreversible"),
        ("find_run", "irreversible"),
        ("list_delete_items", "irreversible"),
        ("run_list_steps", "irreversible"),
        ("get_or_create_user", "reversible"),
        ("read_and_delete", "irreversible"),
        ("frobnicate", "irreversible"),
        ("", "irreversible"),
    ],
)
def test_a_name_suggests_an_effect(name: str, effect: str) -> None:
    """The worst verb counts; a name that says nothing is the worst."""
    assert draft(name).effect.value == effect


@pytest.mark.parametrize(
    ("name", "hints", "effect"),
    [
        ("frobnicate", {"readOnlyHint": True}, "irreversible"),
        ("send_mail", {"readOnlyHint": True, "destructiveHint": False}, "irreversible"),
        ("add_note", {"readOnlyHint": True}, "reversible"),
        ("add_note", {"destructiveHint": True}, "irreversible"),
        ("get_note", {"readOnlyHint": False}, "irreversible"),
        ("get_note", {"readOnlyHint": False, "destructiveHint": False}, "reversible"),
        ("get_note", {"readOnlyHint": "yes"}, "none"),
    ],
)
def test_a_hint_makes_an_effect_worse_and_never_better(
    name: str, hints: dict[str, Json], effect: str
) -> None:
    """A server's claim to be harmless is written beside it, for review."""
    assert draft(name, hints=hints).effect.value == effect


@pytest.mark.parametrize(
    ("name", "arguments", "effect"),
    [
        ("edit_file", ("path", "oldText", "newText"), "reversible"),
        ("str_replace", ("path", "old_str", "new_str"), "reversible"),
        ("edit_file", ("path", "newText"), "irreversible"),
        ("edit_file", ("old_path", "new_path"), "irreversible"),
        ("write_file", ("path", "oldText", "newText"), "irreversible"),
        ("delete_text", ("path", "oldText", "newText"), "irreversible"),
    ],
)
def test_an_edit_that_holds_what_it_replaces_can_be_undone(
    name: str, arguments: tuple[str, ...], effect: str
) -> None:
    """Its server calls it destructive, as MCP calls all that does not only add; a person reviews it."""
    guess = draft(name, dict.fromkeys(arguments, STRING), hints={"destructiveHint": True}).effect
    assert guess.value == effect
    assert guess.review or name == "delete_text"
    listed = {"edits": {"type": "array", "items": {"properties": dict.fromkeys(arguments, STRING)}}}
    assert draft(name, listed, hints={"destructiveHint": True}).effect == guess


def test_a_description_can_make_an_effect_worse() -> None:
    """A tool that is called `get` and says that it deletes is taken at its word."""
    one = draft("get_message", says="Deletes a message and gives its text.").effect
    assert (one.value, one.review) == ("irreversible", True)


@pytest.mark.parametrize(
    ("name", "argument", "about", "role"),
    [
        ("send_mail", "to", STRING, "destination"),
        ("send_mail", "recipients", {"type": "array", "items": STRING}, "destination"),
        ("send_money", "recipientIban", STRING, "destination"),
        ("fetch_page", "url", STRING, "destination"),
        ("fetch_page", "page", {"type": "string", "format": "uri"}, "destination"),
        ("post_message", "channel", STRING, "destination"),
        ("send_mail", "body", STRING, "content"),
        ("send_mail", "subject", STRING, "content"),
        ("get_ticket", "ticket_id", STRING, "selector"),
        ("read_file", "path", STRING, "selector"),
        ("search_files", "query", STRING, "selector"),
        ("read_rows", "query", {"type": "string", "description": "The SQL to run"}, "code"),
        ("run_shell", "command", STRING, "code"),
        ("execute_sql", "query", STRING, "code"),
        ("move_file", "source", STRING, "selector"),
        ("update_customer", "customer_id", STRING, "selector"),
        ("assign_ticket", "user_id", STRING, "destination"),
        ("create_event", "start_time", STRING, "content"),
        ("send_money", "amount", {"type": "number"}, "amount"),
        ("list_files", "max_count", {"type": "integer"}, "amount"),
        ("list_files", "recursive", {"type": "boolean"}, "content"),
        ("find_contact", "email", STRING, "selector"),
        ("get_next", "page_token", STRING, "selector"),
    ],
)
def test_a_name_suggests_the_role_of_an_argument(name: str, argument: str, about: Json, role: str) -> None:
    """Names, formats, types and descriptions say what an argument is for."""
    assert roles(draft(name, {argument: about})) == {argument: role}


@pytest.mark.parametrize(
    ("name", "about", "least"),
    [
        ("role", {"enum": ["owner", "editor", "viewer"]}, "viewer"),
        ("permission", {"enum": ["pull", "triage", "push", "admin"]}, "pull"),
        ("visibility", {"enum": ["Private", "Public"]}, "Private"),
        ("public", {"type": "boolean"}, False),
        ("requireApproval", {"type": "boolean"}, True),
        ("two_step_sign_in", {"type": "boolean"}, True),
        ("state", {"enum": ["open", "closed"]}, None),
        ("silent", {"type": "boolean"}, None),
        ("to", {"enum": ["none", "admin"]}, None),
    ],
)
def test_a_power_is_proposed_as_a_choice(name: str, about: Json, least: Json, tmp_path: Path) -> None:
    """By its values, or by the name of a switch; only for tools that change something."""
    (guess,) = draft("update_thing", {name: about}).arguments
    assert guess.least == least
    assert guess.role.review or least is None
    (read,) = draft("list_things", {name: about}).arguments
    assert read.least is None
    found = loaded(tmp_path, [draft("update_thing", {name: about})])["up/update_thing"]
    assert found.arguments[name].least == (() if least is None else (least,))


def test_an_item_is_proposed_within_its_container(tmp_path: Path) -> None:
    """Where there is one container."""
    properties = {"repository": STRING, "issue_number": {"type": "integer"}, "body": STRING}
    found = loaded(tmp_path, [draft("comment_issue", properties)])["up/comment_issue"]
    assert found.arguments["issue_number"].within == "repository"
    two = draft("comment_issue", {**properties, "project": STRING})
    assert {one.within for one in two.arguments} == {""}


def test_a_record_that_may_be_a_persons_is_personal(tmp_path: Path) -> None:
    """What lowers it stands beside as a comment."""
    properties = {"record_id": STRING, "record_type": {"enum": ["contact", "deal", 'x", y]']}}
    one = draft("update_note", properties)
    assert loaded(tmp_path, [one])["up/update_note"].arguments["record_id"].personal
    text = tools_text("up", [one])
    assert 'one_of: [deal, "x\\", y]"]' in text
    assert "#     personal: false" in text
    whole = loaded(tmp_path, [one], whole=True)["up/update_note"]
    assert not whole.called_with({"record_id": "r", "record_type": "deal"}).arguments["record_id"].personal
    assert whole.called_with({"record_id": "r", "record_type": "contact"}).arguments["record_id"].personal


def test_a_tool_on_the_callers_own_object_is_told(tmp_path: Path) -> None:
    """As a comment, and only where no argument names another one."""
    assert "# single: true" in tools_text("up", [draft("update_my_profile", {"bio": STRING})])
    assert "single" not in tools_text("up", [draft("update_profile", {"profile_id": STRING})])
    assert "single" not in tools_text("up", [draft("get_my_profile", {})])


@pytest.mark.parametrize("name", ["password", "new_password", "otp", "apiKey", "verification_code"])
def test_an_argument_that_carries_a_secret_is_marked_for_review(name: str) -> None:
    """A secret is named as one, and a person has to look at it."""
    (one,) = draft("log_in", {name: STRING}).arguments
    assert (one.secret, one.role.value, one.role.review) == (True, "content", True)


def test_records_of_persons_are_marked() -> None:
    """A selector that names a person's record is personal, also where only the tool shows whose record it
    is.
    """
    for name, argument in (("get_order", "order_id"), ("get_customer", "id"), ("find_user", "email")):
        (one,) = draft(name, {argument: STRING}).arguments
        assert (one.personal, one.role.review) == (True, True)
    (one,) = draft("get_file", {"path": STRING}).arguments
    assert not one.personal


def test_what_a_call_hands_over_is_marked() -> None:
    """Sharing a file by id hands over what lies there; reading it does not."""
    (shared, to) = draft("share_file", {"file_id": STRING, "email": STRING}).arguments
    assert (shared.hands_over, to.role.value) == (True, "destination")
    (read,) = draft("read_file", {"file_id": STRING}).arguments
    assert not read.hands_over


def test_what_may_move_money_is_marked() -> None:
    """By its name, or by an amount that it takes; a read moves none."""
    for name, argument in (("refund_order", "order_id"), ("settle", "amount"), ("send_money", "to")):
        guess = draft(
            name, {argument: {"type": ["string", "number"]} if argument != "amount" else {"type": "number"}}
        )
        assert guess.financial is not None
        assert guess.financial.review
    assert draft("list_payments", {"amount": {"type": "number"}}).financial is None


def test_how_mail_to_colleagues_is_less_stands_beside_as_a_comment(tmp_path: Path) -> None:
    """Once the marks are removed it loads, with every argument that leads outside in it."""
    listed = {"type": "array", "items": STRING}
    text = tools_text("up", [draft("send_email", {"to": listed, "cc": listed, "body": STRING})])
    wanted = [
        line for line in text.splitlines() if line.startswith("    # ") and "says of itself" not in line
    ]
    assert [line[6:].rstrip() for line in wanted] == [
        "when:  # review: less, if it goes only to colleagues",
        "  - arguments:",
        "      to: {each: {email_domain: [example.com]}}",
        "      cc: {optional: {each: {email_domain: [example.com]}}}",
        "    audience: internal",
    ]
    uncommented = "\n".join(f"    {line[6:]}" if line in wanted else line for line in text.splitlines())
    loaded(tmp_path, [draft("send_email")])
    (tmp_path / "tools/up.yaml").write_text(uncommented, encoding="utf-8")
    send = load_bundle(load_config(tmp_path)).tools["up/send_email"]
    assert str(send.called_with({"to": ["ana@example.com"]}).audience) == "internal"
    assert (
        str(send.called_with({"to": ["ana@example.com"], "cc": ["eve@example.org"]}).audience) == "external"
    )
    assert "when:" not in tools_text(
        "up", [draft("send_money", {"recipient": STRING, "amount": {"type": "number"}})]
    )


def test_parts_of_arguments_are_found_through_references() -> None:
    """Lists, objects and `$ref` are followed; only parts that are more than content are written."""
    surface = {
        "inputSchema": {
            "type": "object",
            "properties": {
                "attachments": {"type": "array", "items": {"$ref": "#/$defs/Attachment"}},
                "message": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/Message"}]},
            },
            "$defs": {
                "Attachment": {"properties": {"file_id": STRING, "caption": STRING}},
                "Message": {"properties": {"to": {"type": "array", "items": STRING}, "text": STRING}},
            },
        }
    }
    one = drafted(Tool(upstream="up", name="send_mail", surface=surface), UpstreamFacts(), "restricted")
    assert roles(one) == {
        "attachments": "content",
        "attachments[].file_id": "selector",
        "message": "content",
        "message.to": "destination",
    }
    assert one.arguments[1].hands_over
    assert one.audience.value == "external"


def test_a_schema_in_circles_ends() -> None:
    """A schema that widens and refers to itself is read in bounded time."""
    wide = {f"p{number}": {"$ref": "#"} for number in range(60)}
    one = draft("get_x", wide)
    assert len(one.arguments) <= 200


def test_an_audience_is_the_worst_unless_somebody_says_so() -> None:
    """No name tells who runs an upstream: who asks may say so, and what leads outside stays external."""
    facts = UpstreamFacts(audience="internal", data_class="internal")
    assert draft("get_ticket", hints={"openWorldHint": False}).audience.value == "external"
    assert draft("get_ticket", facts=facts).audience.value == "internal"
    assert draft("get_ticket", facts=facts).data_class.value == "internal"
    assert draft("get_ticket", facts=facts, hints={"openWorldHint": True}).audience.value == "external"
    assert draft("send_note", {"email": STRING}, facts=facts).audience.value == "external"
    assert draft("fetch", {"url": STRING}, facts=facts).audience.value == "external"


def test_fields_that_hold_words_are_untrusted() -> None:
    """Prose is named; what only a server sets is trusted after review; what is open is not said."""
    message = {"properties": {"id": {"type": "integer"}, "body": STRING, "subject": STRING, "size": STRING}}
    gives = {
        "type": "object",
        "properties": {"messages": {"type": "array", "items": message}, "version": {"type": "integer"}},
    }
    found = {one.name: one.trust for one in draft("list_mail", gives=gives).fields}
    assert {name: trust.value for name, trust in found.items()} == {
        "id": "trusted",
        "body": "untrusted",
        "subject": "untrusted",
        "version": "trusted",
    }
    assert (found["id"].review, found["body"].review) == (True, False)
    twice = {"properties": {"id": {"type": "integer"}, "inner": {"properties": {"id": STRING}}}}
    assert draft("list_mail", gives=twice).fields == ()


def test_a_draft_says_what_it_says_to_the_loader(tmp_path: Path) -> None:
    """The written draft loads unchanged, with every guess in it."""
    one = draft("share_file", {"file_id": STRING, "to": STRING, "pin": STRING}, says="Share\n# effect: none")
    tool = loaded(tmp_path, [one])["up/share_file"]
    assert one.resource == "file/{file_id}"
    assert (tool.effect.value, str(tool.audience), tool.label.data_class) == (
        "irreversible",
        "external",
        "restricted",
    )
    assert (tool.label.trust.value, tool.described, tool.resource) == ("untrusted", True, "")
    assert tool.arguments["file_id"].hands_over
    assert tool.arguments["pin"].secret


def test_what_an_upstream_says_cannot_write_the_file(tmp_path: Path) -> None:
    """Line breaks, quotes, control characters and comments in names and descriptions stay what they are."""
    nasty = 'x"\n    effect: none\u202e\u2028 #: {}'
    one = draft("send", {nasty: STRING, "to: {role: content}": STRING}, says=nasty)
    tool = loaded(tmp_path, [one])["up/send"]
    assert tool.effect.value == "irreversible"
    assert nasty in tool.arguments


def test_each_tool_of_a_file_says_how_much_is_to_be_reviewed() -> None:
    """The head counts the marks that follow."""
    drafts = [draft("share_file", {"file_id": STRING, "to": STRING}), draft("frobnicate", {"x": STRING})]
    text = tools_text("up", drafts)
    marked = sum("# review: " in line for line in text.splitlines() if not line.strip().startswith("#"))
    assert f"# {marked} guesses are marked" in text


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "cardNumber",
        "card_number",
        "access_token",
        "refresh_token",
        "otp",
        "api_key",
        "cvv",
        "pin",
    ],
)
def test_a_secret_in_a_result_is_withheld(name: str, tmp_path: Path) -> None:
    """Until a person has looked: no agent gets it."""
    one = draft("get_profile", gives=gives(**{name: STRING, "city": STRING}))
    tool = loaded(tmp_path, [one])["up/get_profile"]
    assert [field.path for field in tool.fields if field.withheld] == [name]
    assert one.fields[0].trust.review


@pytest.mark.parametrize("name", ["next_page_token", "password_updated_date", "city", "token_count"])
def test_what_only_sounds_like_a_secret_is_given(name: str) -> None:
    """A cursor and a date are no secrets, and a number cannot hold the note in its place."""
    assert not any(one.withhold for one in draft("get_profile", gives=gives(**{name: STRING})).fields)
    number = gives(pin={"type": "integer"})
    assert not any(one.withhold for one in draft("get_profile", gives=number).fields)


def test_one_name_in_two_spellings_is_one_field(tmp_path: Path) -> None:
    """As tool files compare names: the worse guess counts for both."""
    one = draft("get_profile", gives=gives(createdAt={"type": "integer"}, created_at=STRING, passWord=STRING))
    assert [field.name for field in one.fields] == ["passWord"]
    assert "up/get_profile" in loaded(tmp_path, [one])


def test_the_keys_of_a_map_are_values(tmp_path: Path) -> None:
    """They are untrusted until a person has looked."""
    one = draft("get_balances", gives=gives(balances={"type": "object", "additionalProperties": STRING}))
    tool = loaded(tmp_path, [one])["up/get_balances"]
    assert [(field.path, field.label.trust.value) for field in tool.fields] == [
        ("balances._keys", "untrusted")
    ]


def test_a_person_who_vouches_for_an_upstream_vouches_for_every_field() -> None:
    """Texts that anyone may have written are trusted then; what no agent gets stays withheld."""
    one = draft("read_file", gives=gives(content=STRING, password=STRING))
    assert {field.name for field in one.fields} == {"content", "password"}
    own = vouched(one, "as given")
    assert own.trust.value == "trusted"
    assert [(field.name, field.withhold) for field in own.fields] == [("password", True)]
