# SPDX-License-Identifier: Apache-2.0
"""The words of `tools/`: what they mean, and what does not go together."""

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from remit.config import load_bundle, load_config, problems
from remit.config.bundle.forms import ToolsFile
from remit.config.schema import json_schema
from remit.core.errors import ConfigInvalid
from remit.core.label import Trust, Unseen
from remit.core.tasks.task import TaskType
from remit.core.tools.json_path import steps, take
from remit.core.tools.tool import Argument, ArgumentRole, Effect, Tool, WithheldBy
from tests.samples.tool_files import CONFIG, SEND, folder, tools_of

Json = Any


def test_every_word_of_a_tool_is_kept(tmp_path: Path) -> None:
    """What a file says of arguments, variants, words and resources stands in the tool."""
    send = tools_of(tmp_path)["mail/send"]
    assert send.arguments["attachments[].file_id"] == Argument(ArgumentRole.SELECTOR, hands_over=True)
    assert send.arguments["patient"] == Argument(ArgumentRole.SELECTOR, personal=True)
    assert (send.asked_by, send.repeats, send.resource) == (("mail", "send on"), True, "outbox/{to}")
    assert [(one.effect, str(one.audience)) for one in send.variants] == [
        (Effect.REVERSIBLE, "internal"),
        (None, "self"),
    ]


def test_a_secret_is_hidden_from_evidence(tmp_path: Path) -> None:
    """A secret argument is sensitive without saying so, and one inside of an argument hides all of it."""
    text = SEND.replace("password: {secret: true}", "login.password: {secret: true}")
    assert tools_of(tmp_path)["mail/send"].arguments["password"].sensitive
    assert tools_of(tmp_path, text)["mail/send"].arguments["login"] == Argument(sensitive=True)


def test_a_field_without_a_word_is_as_the_tool_says(tmp_path: Path) -> None:
    """A field's label takes class and categories from the tool's own, and says trust and zone itself."""
    identifier, ours, others = tools_of(tmp_path)["mail/inbox"].fields
    assert (identifier.path, identifier.label.trust, identifier.when) == ("messages[].id", Trust.TRUSTED, {})
    assert (ours.path, ours.label.data_class, ours.label.zones) == (
        "body",
        "confidential",
        frozenset({"office"}),
    )
    assert ours.label.categories == {"pii"}
    assert list(ours.when) == ["from"]
    assert (others.label.trust, others.label.zones) == (Trust.UNTRUSTED, frozenset({"partner"}))
    assert others.when == {}


@pytest.mark.parametrize(
    ("arguments", "effect", "audience"),
    [
        ({"to": "ana@example.com"}, Effect.REVERSIBLE, "internal"),
        ({"to": "ana@example.com", "cc": None}, Effect.REVERSIBLE, "internal"),
        ({"to": "ana@example.com", "cc": "x@example.org"}, Effect.IRREVERSIBLE, "external"),
        ({"to": "ana@example.com, x@example.org"}, Effect.IRREVERSIBLE, "external"),
        ({"to": "ana@\u0435xample.com"}, Effect.IRREVERSIBLE, "external"),
        ({"to": ["ana@example.com"]}, Effect.IRREVERSIBLE, "external"),
        ({"cc": None}, Effect.IRREVERSIBLE, "external"),
        ({"to": "me@example.com", "cc": "x@example.org"}, Effect.IRREVERSIBLE, "self"),
    ],
)
def test_a_variant_counts_only_where_it_surely_fits(
    tmp_path: Path, arguments: dict[str, Json], effect: Effect, audience: str
) -> None:
    """Missing, misshapen and undecidable arguments leave a call what the tool's own words say."""
    called = tools_of(tmp_path)["mail/send"].called_with(arguments)
    assert (called.effect, str(called.audience)) == (effect, audience)


def test_zones_are_what_the_configuration_says(tmp_path: Path) -> None:
    """A zone has a meaning and, if it says so, a bound of crossings."""
    zones = load_config(folder(tmp_path)).zones
    assert (zones["partner"].meaning, zones["partner"].max_crossings) == ("what partners send", 1)
    assert zones["office"].max_crossings is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("role: destination}\n      cc", "role: destinaton}\n      cc", "did you mean `destination`?"),
        ("audience: external", "audience: everyone", "`everyone` is not an audience; use `self`"),
        (
            "effect: none",
            "effect: nothing",
            "tools/mail.yaml:25: `tools.inbox.effect`: `nothing` is not a known value",
        ),
        ("class: confidential", "class: confidental", "27: `tools.inbox.labels.class`: `confidental` is not"),
        (
            "zone: office",
            "zone: ofice",
            "`tools.inbox.fields.body[0].zone`: `ofice` is not a trust zone; decl",
        ),
        ("zone: office", "zone: ofice", "under `zones` in `remit.yaml`; did you mean `office`?"),
        (
            "{to: {exact",
            "{too: {exact",
            "mail.yaml:22: `tools.send.when[1].arguments.too`: `too` is not one of",
        ),
        ("{to: {exact", "{too: {exact", "did you mean `to`?"),
        (
            "{to: {exact: me@example.com}}",
            "{'attachments[].file_id': {exact: x}}",
            "write `each` or `fields` for its parts",
        ),
        (
            "{exact: me@",
            "{exakt: me@",
            "22: `tools.send.when[1].arguments.to.exakt`: unknown constraint `exakt`",
        ),
        ("{to: {exact: me@example.com}}", "{}", "`tools.send.when[1].arguments`: is empty"),
        ("        audience: self\n", "        audience: external\n", "`tools.send.when[1]`: changes nothing"),
        ("        audience: self\n", "", "`tools.send.when[1]`: changes nothing; give another"),
        (
            "effect: irreversible",
            "effect: none",
            "21: `tools.send.when[0].effect`: is worse than the tool's own",
        ),
        (
            "audience: external",
            "audience: self",
            "`tools.send.when[0].audience`: is wider than the tool's own",
        ),
        (
            "{to: {exact: me@example.com}}",
            "{to: {email_domain: [example.com]}, cc: {optional: {exact: null}}}",
            "`tools.send.when[1]`: has the same condition as an entry above it",
        ),
        ("messages[].id", "messages[0].id", "selects single elements of a list; write `[]`"),
        ("messages[].id", "messages..id", "`tools.inbox.fields.messages..id`: has an empty step"),
        ("messages[].id", "messages.*.id", "`*` is not a step; use keys"),
        ("messages[].id", "$.messages", "`$` is not a step"),
        ("when: {from:", "when: {message.from:", "`message.from` is a path; use a sibling field"),
        (
            "{email_domain: [example.com]}}, zone",
            "{domain: [example.com]}}, zone",
            "unknown constraint `domain`",
        ),
        ("{trust: untrusted, zone", "{class: public, zone", "becomes less strict if no `when` matches; add"),
        (
            "{from: {email_domain: [example.com]}}",
            "{from: {optional: {exact: x}}}",
            "31: `tools.inbox.fields.body[0].when.from`: tests a field that may be missing; state",
        ),
        (
            "        - {trust: untrusted, zone: partner}\n",
            "        - {trust: untrusted, zone: partner}\n        - {trust: trusted}\n",
            "has entries after the one that always matches; put the one without `when` last",
        ),
        ("attachments[].file_id", "attachments[1].file_id", "selects single elements of a list"),
        (
            "attachments[].file_id",
            "'[].file_id'",
            "does not name an argument; begin with the argument's name",
        ),
        ("personal: true", "personal: yes", "`tools.send.arguments.patient.personal`: must be true or false"),
        (
            "{role: selector, personal",
            "{personal",
            "cannot be combined with the role `content`; write `role: selector`",
        ),
        ("{role: selector, hands", "{role: amount, hands", "cannot be combined with the role `amount`"),
        (
            "{secret: true}",
            "{secret: true, role: destination}",
            "cannot be combined with the role `destination`",
        ),
        (
            "outbox/{to}",
            "outbox/{too}",
            "mail.yaml:15: `tools.send.resource`: `{too}` is not one of its arguments",
        ),
        ("outbox/{to}", "outbox/{password}", "is a secret, which would be recorded; use another"),
        (
            "[Mail, ",
            "['send_mail', ",
            "mail.yaml:13: `tools.send.asked_by[0]`: `send_mail` is not an everyday word",
        ),
        (
            "        audience: self\n",
            "        audience: 'group:bord'\n",
            "`tools.send.when[1].audience`: `group:bord` is not a group; declare it under `groups` or",
        ),
        ("        audience: self\n", "        audience: 'group:bord'\n", "did you mean `group:board`?"),
        (
            "audience: external",
            "audience: 'group:bord'",
            "mail.yaml:5: `tools.send.audience`: `group:bord` is",
        ),
        ("repeats: true", "repeat: true", "did you mean `repeats`?"),
        ("hands_over: true", "handsover: true", "did you mean `hands_over`?"),
    ],
)
def test_each_mistake_in_the_words_of_a_tool_is_one_line(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    """Each names file, line, key and the remediation."""
    assert old in SEND
    found = [str(problem) for problem in problems(folder(tmp_path, SEND.replace(old, new, 1)))]
    assert any(said in line for line in found), found
    assert all("\n" not in line and "; " in line for line in found)


def test_a_zone_of_a_task_type_must_be_declared(tmp_path: Path) -> None:
    """What holds for tools holds for tasks."""
    where = folder(tmp_path)
    (where / "tasks").mkdir()
    (where / "tasks/read.yaml").write_text(
        "task: read\npurpose: Read\nrun_by: [bot]\nrequested_by: [ana]\nlabels: {zone: partnr}\n",
        encoding="utf-8",
    )
    (found,) = [str(problem) for problem in problems(where)]
    assert found.startswith("tasks/read.yaml:5: `labels.zone`: `partnr` is not a trust zone")


def test_the_published_schema_takes_what_remit_takes(tmp_path: Path) -> None:
    """An editor that uses the JSON Schema marks none of the words, and marks a wrong one."""
    schema = json_schema("tools/*.yaml", ToolsFile)
    yaml = YAML(typ="safe", pure=True)
    jsonschema.validate(yaml.load(SEND), schema, jsonschema.Draft202012Validator)
    for old, new in (("email_domain", "domain"), ("repeats: true", "repeats: 1"), ("hands_over", "hands")):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(yaml.load(SEND.replace(old, new)), schema, jsonschema.Draft202012Validator)


FILE = Argument(ArgumentRole.SELECTOR)
SHARE = Tool(
    upstream="mail", name="send", arguments={"to": FILE, "files[].id": FILE, "a.b.c": FILE, "a.b": FILE}
)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ({"to": "x", "text": "y"}, {"to": "x", "text": "y"}),
        ({"files": [{"id": 1}, {"id": 2}]}, {"files[].id": [1, 2]}),
        (
            {"files": [{"id": 1, "n": "a"}, {"n": "b"}]},
            {"files[].id": [1], "files": [{"n": "a"}, {"n": "b"}]},
        ),
        ({"files": {"id": 1}}, {"files[].id": [1]}),
        ({"files": "1"}, {"files[].id": ["1"]}),
        ({"files": ["1", {"id": "2"}]}, {"files[].id": ["1", "2"]}),
        ({"files": [[{"id": 1}]]}, {"files[].id": [1]}),
        ({"files": None}, {"files": None}),
        ({"files": []}, {}),
        ({"a": {"b": {"c": 1, "d": 2}, "e": 3}}, {"a.b.c": 1, "a.b": {"d": 2}, "a": {"e": 3}}),
        ({"a": {"b": 5}}, {"a.b.c": 5}),
        ({"files[].id": 9, "files": [{"id": 1}]}, {"files[].id": [9, [1]]}),
        ({"files": [{"id": 1}], "files[].id": 9}, {"files[].id": [[1], 9]}),
    ],
)
def test_a_call_is_given_by_the_parts_that_are_described(
    arguments: dict[str, Json], parts: dict[str, Json]
) -> None:
    """A part stands under its path, the rest under the argument, and another form of it changes nothing."""
    assert SHARE.parts(arguments) == parts


def test_a_file_is_held_against_what_the_upstream_offers() -> None:
    """An argument that is offered and not listed, and one that is listed and not offered, are told."""
    surface: dict[str, Json] = {"inputSchema": {"properties": {"recipient": {}, "files": {}, "a.b": {}}}}
    arguments = {"reciepient": FILE, "files[].id": FILE, "a.b": FILE}
    tool = Tool(upstream="mail", name="send", arguments=arguments, surface=surface)
    assert (tool.unlisted, tool.strange) == (("recipient",), ("reciepient",))
    assert (SHARE.unlisted, SHARE.strange) == ((), ())


def test_nothing_is_taken_from_a_value_that_has_no_such_key() -> None:
    """What does not hold the path is left whole."""
    assert take({"a": 1}, steps("b[].c")) == ([], {"a": 1})


FIELDS = """
upstream: mail
tools:
  read:
    effect: none
    labels: {class: internal, trust: trusted}
    fields:
      password: {class: restricted, withhold: true}
      Postal_Code: {trust: untrusted}
      postal code: {trust: untrusted}
      balances._values: {class: confidential}
"""


def test_a_field_is_withheld_where_the_file_says_so(tmp_path: Path) -> None:
    """Other fields are not; two spellings of one name may say the same."""
    read = tools_of(tmp_path, FIELDS)["mail/read"]
    assert [one.withheld for one in read.fields] == [WithheldBy.TOOL, None, None, None]
    assert read.withholds


def test_two_spellings_of_a_name_must_not_differ(tmp_path: Path) -> None:
    """A server that changes its spelling would choose the label."""
    text = FIELDS.replace("postal code: {trust: untrusted}", "postal code: {trust: trusted}")
    with pytest.raises(ConfigInvalid, match="is another spelling of `Postal_Code`, with another label"):
        tools_of(tmp_path, text)


def type_of(tmp_path: Path, withhold: str) -> TaskType:
    """Load a task type with this `withhold`."""
    made = folder(tmp_path)
    (made / "tasks").mkdir(exist_ok=True)
    text = f"{{task: t, purpose: p, run_by: [a], requested_by: [ana], withhold: {withhold}}}"
    (made / "tasks/t.yaml").write_text(text, encoding="utf-8")
    return load_bundle(load_config(made)).task_types["t"]


def test_a_task_type_says_what_its_tasks_never_see(tmp_path: Path) -> None:
    """By class and by category."""
    seen = type_of(tmp_path, "{above: internal, categories: [secret]}").withhold
    assert seen == Unseen("internal", frozenset({"secret"}))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{above: internl}", "did you mean `internal`"),
        ("{above: restricted}", "withholds nothing"),
        ("{}", "withholds nothing"),
        ("{below: internal}", "below"),
    ],
)
def test_a_rule_that_withholds_nothing_is_refused(tmp_path: Path, written: str, said: str) -> None:
    """It says which class or category to name."""
    with pytest.raises(ConfigInvalid, match=said):
        type_of(tmp_path, written)


SENDING = """
upstream: mail
tools:
  invite:
    effect: irreversible
    audience: external
    labels: {class: internal, trust: trusted}
    fields: {id: {trust: trusted}}
    audience_by: [guests, cc]
    repeats_in: [Guests, title]
    when: [{narrowed_to: self, effect: reversible}]
    arguments:
      guests: {role: destination}
      cc: {role: destination}
      title: {role: content}
  change_payment:
    effect: irreversible
    audience: external
    labels: {class: internal, trust: trusted}
    stored_destination: {by: [id], unless: [recipient]}
    arguments:
      id: {role: selector}
      recipient: {role: destination}
"""
DIRECTORY = """\
upstreams: {mail: {url: 'https://mail.example/mcp'}}
directory:
  example.com: internal
  me@example.com: self
  board-guest@example.com: external
"""


def sending(tmp_path: Path, tools: str = SENDING, config: str = DIRECTORY) -> dict[str, Tool]:
    """Load the tools that send, under a directory."""
    return load_bundle(load_config(folder(tmp_path, tools, config))).tools


@pytest.mark.parametrize(
    ("arguments", "effect", "audience"),
    [
        ({"guests": ["ana@example.com"]}, Effect.IRREVERSIBLE, "internal"),
        ({"guests": "ana@Example.com", "cc": ["me@example.com"]}, Effect.IRREVERSIBLE, "internal"),
        ({"guests": ["me@example.com"], "cc": []}, Effect.REVERSIBLE, "self"),
        ({"cc": "me@example.com", "guests": None}, Effect.REVERSIBLE, "self"),
        ({"guests": ["ana@example.com"], "cc": ["eve@example.org"]}, Effect.IRREVERSIBLE, "external"),
        ({"guests": ["board-guest@example.com"]}, Effect.IRREVERSIBLE, "external"),
        ({"guests": ["Board-Guest@example.com"]}, Effect.IRREVERSIBLE, "external"),
        ({"guests": ["board-guest+x@example.com"]}, Effect.IRREVERSIBLE, "external"),
        ({"guests": ["Ana <ana@example.com>"]}, Effect.IRREVERSIBLE, "external"),
        ({"guests": ["ana@example.com, eve@example.org"]}, Effect.IRREVERSIBLE, "external"),
        ({"guests": ["ana@example.com.evil.example"]}, Effect.IRREVERSIBLE, "external"),
        ({"guests": [{"to": "me@example.com"}]}, Effect.IRREVERSIBLE, "external"),
        ({"guests": []}, Effect.IRREVERSIBLE, "external"),
        ({}, Effect.IRREVERSIBLE, "external"),
    ],
)
def test_the_directory_narrows_an_audience(
    tmp_path: Path, arguments: dict[str, Json], effect: Effect, audience: str
) -> None:
    """Only where it surely knows every address, and there is one; an address comes before its domain."""
    called = sending(tmp_path)["mail/invite"].called_with(arguments)
    assert (called.effect, str(called.audience)) == (effect, audience)


def test_without_a_directory_the_audience_stands(tmp_path: Path) -> None:
    """`audience_by` alone changes nothing."""
    invite = sending(tmp_path, config=CONFIG)["mail/invite"]
    assert invite.variants == ()
    assert (invite.repeats, invite.repeats_in) == (True, ("Guests", "title"))


@pytest.mark.parametrize(
    ("arguments", "role"),
    [
        ({"id": 7}, ArgumentRole.DESTINATION),
        ({"id": 7, "recipient": None}, ArgumentRole.DESTINATION),
        ({"id": 7, "recipient": "  "}, ArgumentRole.DESTINATION),
        ({"id": 7, "recipient": "DE1"}, ArgumentRole.SELECTOR),
    ],
)
def test_what_selects_a_stored_destination_is_the_destination(
    tmp_path: Path, arguments: dict[str, Json], role: ArgumentRole
) -> None:
    """Unless the call names another one."""
    tool = sending(tmp_path)["mail/change_payment"]
    assert tool.sends
    assert tool.called_with(arguments).arguments["id"].role is role
    assert tool.called_with(arguments).arguments["recipient"].role is ArgumentRole.DESTINATION


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("audience_by: [guests, cc]", "audience_by: [guest]", "did you mean `guests`"),
        ("    audience_by: [guests, cc]\n", "", "needs `audience_by`"),
        ("audience_by: [guests, cc]", "audience_by: [guests]", "leaves out the destination `cc`"),
        ("effect: reversible}]", "arguments: {cc: {exact: x}}}]", "cannot be combined with `arguments`"),
        ("narrowed_to: self, effect: reversible", "effect: reversible", "has no condition"),
        ("narrowed_to: self, effect: reversible", "narrowed_to: self", "changes nothing"),
        ("narrowed_to: self", "narrowed_to: us", "`us` is not an audience"),
        ("by: [id]", "by: [idd]", "`idd` is no selector; add `idd: {role: selector}`"),
        ("unless: [recipient]", "unless: [id]", "`id` is no destination"),
    ],
)
def test_narrowing_and_stored_destinations_are_checked(tmp_path: Path, old: str, new: str, said: str) -> None:
    """What cannot count is refused, with the remediation."""
    assert old in SENDING
    with pytest.raises(ConfigInvalid, match=re.escape(said)):
        sending(tmp_path, SENDING.replace(old, new))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("  example.com: everyone", "`everyone` is not an audience"),
        ("  exa mple.com: internal", "`exa mple.com` is not a domain"),
    ],
)
def test_a_directory_is_checked(tmp_path: Path, line: str, said: str) -> None:
    """Its audiences and its domains."""
    config = DIRECTORY.replace("  example.com: internal", line)
    with pytest.raises(ConfigInvalid, match=re.escape(said)):
        sending(tmp_path, config=config)


def test_a_field_of_a_persons_record_leads_on_and_is_a_fact(tmp_path: Path) -> None:
    """`leads` and `fact` stand in the tool, for the field's path in any wrapping."""
    text = SEND.replace("messages[].id: {trust", "messages[].id: {leads: true, fact: string, trust")
    inbox = tools_of(tmp_path, text)["mail/inbox"]
    assert (inbox.fields[0].leads, inbox.fields[0].fact) == (True, "string")
    assert inbox.leads("messages[].id") is True
    assert inbox.leads("messages[].from") is None


@pytest.mark.parametrize(
    ("field", "said"),
    [
        (
            "messages[].id: {leads: true, trust: untrusted}",
            "is not trusted, so `leads` has no meaning; write",
        ),
        ("messages[].id: {fact: date, trust: untrusted}", "is not trusted, so `fact` has no meaning; write"),
        ("messages[].tags[]: {fact: string, trust: trusted}", "cannot be a fact; use a field with one value"),
        ("messages[].__id: {fact: string, trust: trusted}", "cannot be a fact; use a field with one value"),
        (
            "messages[].id: {fact: text, trust: trusted}",
            "`text` is not a known value; use one of boolean, date",
        ),
        (
            "messages[].id: [{leads: true, trust: trusted, when: {from: {exact: a}}}, {trust: untrusted}]",
            "has entries that differ in `leads`; write the same `leads` in each entry",
        ),
    ],
)
def test_a_field_that_cannot_lead_or_be_a_fact_is_a_mistake(tmp_path: Path, field: str, said: str) -> None:
    """Both need a trusted field, and a fact one value with a name that policies can write."""
    text = SEND.replace("messages[].id: {trust: trusted}", field)
    assert text != SEND
    found = [str(problem) for problem in problems(folder(tmp_path, text))]
    assert any(said in line for line in found), found
