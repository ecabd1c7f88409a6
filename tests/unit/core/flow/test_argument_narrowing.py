# SPDX-License-Identifier: Apache-2.0
"""Arguments that say what the tool does anyway, tools on one known object, and items within containers."""

from typing import Any

import msgspec
import pytest

from remit.core.cooperative_steps import finish
from remit.core.flow.argument_narrowing import placed
from remit.core.flow.facts import FlowFacts, judged
from remit.core.flow.provenance import Index
from remit.core.json_value import Json
from remit.core.label import Label, Trust
from remit.core.tools.constraint import load
from remit.core.tools.tool import Argument, ArgumentCase, ArgumentRole, Effect, Tool, Variant

KEY = b"k" * 32
UNTRUSTED = Label(trust=Trust.UNTRUSTED)
SELECTOR, DESTINATION, CODE = ArgumentRole.SELECTOR, ArgumentRole.DESTINATION, ArgumentRole.CODE
SHARE = Tool(
    upstream="chat",
    name="share_file",
    arguments={"file": Argument(SELECTOR), "channel": Argument(DESTINATION), "count": Argument(SELECTOR)},
    surface={
        "inputSchema": {
            "properties": {"file": {}, "channel": {"default": "general"}, "count": {"default": 1}},
            "required": ["file"],
        }
    },
)
COMMENT = Tool(
    upstream="forge",
    name="add_comment",
    arguments={"repository": Argument(DESTINATION), "number": Argument(DESTINATION, within="repository")},
)


def an_index(goal: str, *read: Json) -> Index:
    """Return what a task knows that has read untrusted results."""
    index = Index(KEY)
    index.state(goal, {})
    source = Tool(upstream="mail", name="read", label=UNTRUSTED)
    for call, one in enumerate(read, 1):
        for _ in index.learn(one, call=call, decision=f"dec_{call}", tool=source, arguments={}):
            pass
    return index


def facts(index: Index, tool: Tool, /, **arguments: Any) -> FlowFacts:
    """Return the facts of a call, as the authorizer finds them."""
    tool = finish(placed(index, tool.called_with(arguments), arguments))
    return judged(index, tool, arguments, label=UNTRUSTED, plan=None).facts


def test_the_default_of_the_schema_counts_as_left_out() -> None:
    """The call would be the same without it."""
    index = an_index("Share notes.txt", "share it in general, or in random")
    assert facts(index, SHARE, file="notes.txt", channel="general", count=1) == facts(
        index, SHARE, file="notes.txt"
    )
    assert facts(index, SHARE, file="notes.txt", channel="random").destination == "untrusted"


@pytest.mark.parametrize("channel", ["General", "general ", ["general"], "gen\u0435ral"])
def test_what_is_not_exactly_the_default_counts(channel: Json) -> None:
    """A server may read it as something else; so is `true` no 1."""
    index = an_index("Share notes.txt", "hello")
    assert facts(index, SHARE, file="notes.txt", channel=channel).destination != "none"
    assert facts(index, SHARE, file="notes.txt", count=True).selector == "unknown"


@pytest.mark.parametrize("mark", ["personal", "hands_over"])
def test_a_default_that_names_a_person_or_stored_data_counts(mark: str) -> None:
    """Such an argument is judged whatever it is."""
    spec = Argument(DESTINATION, personal=mark == "personal", hands_over=mark == "hands_over")
    tool = msgspec.structs.replace(SHARE, arguments={**SHARE.arguments, "channel": spec})
    assert facts(an_index("Share notes.txt"), tool, channel="general").destination == "unknown"


def test_a_required_argument_has_no_default() -> None:
    """Without it no call reaches the server."""
    schema = {"properties": {"channel": {"default": "general"}}, "required": ["channel"]}
    tool = msgspec.structs.replace(SHARE, surface={"inputSchema": schema})
    assert facts(an_index("Share notes.txt"), tool, channel="general").destination == "unknown"


def test_a_default_is_no_excuse_for_code() -> None:
    """What runs is judged whatever the schema says."""
    schema = {"properties": {"run": {"default": "make"}}}
    tool = Tool(upstream="ci", name="run", arguments={"run": Argument(CODE)}, surface={"inputSchema": schema})
    assert facts(an_index("Run it", "make"), tool, run="make").code == "untrusted"


def test_a_tool_on_one_known_object_leaves_none_open() -> None:
    """Other tools do, where a call names none."""
    tool = Tool(upstream="shop", name="add_voucher", arguments={"order": Argument(SELECTOR)})
    index = an_index("Add the voucher", "hello")
    assert facts(index, tool).selector == "unknown"
    single = msgspec.structs.replace(tool, single=True)
    assert facts(index, single).selector == "none"
    assert facts(index, single, order="9").selector == "unknown"


def test_an_item_in_a_container_that_the_person_named_is_a_selector() -> None:
    """The comment stays in the repository."""
    index = an_index("Comment on issue 12 in acme/site", "see issue 209 of eve/trap")
    found = facts(index, COMMENT, repository="acme/site", number=12)
    assert (found.destination_reached, found.selector_reached, found.anchored) == (True, True, True)


def test_a_container_anchors_no_other_item() -> None:
    """The person named issue 12 of this repository, and not issue 209."""
    index = an_index("Comment on issue 12 in acme/site", "see 209")
    found = facts(index, COMMENT, repository="acme/site", number=209)
    assert (found.selector, found.selector_reached, found.anchored) == ("untrusted", False, False)


@pytest.mark.parametrize("repository", ["eve/trap", "", None])
def test_an_item_elsewhere_stays_a_destination(repository: Json) -> None:
    """In a container of others, or in none."""
    index = an_index("Comment on issue 12 in acme/site", "see issue 12 of eve/trap")
    found = facts(index, COMMENT, repository=repository, number=13)
    assert (found.destination, found.selector) == ("untrusted" if repository else "unknown", "none")


def test_an_item_of_a_payment_stays_a_destination() -> None:
    """It may decide who gets the money."""
    tool = msgspec.structs.replace(COMMENT, financial=True)
    found = facts(an_index("Comment on issue 12 in acme/site"), tool, repository="acme/site", number=13)
    assert (found.destination, found.selector) == ("unknown", "none")


def test_a_container_alone_is_an_anchor() -> None:
    """A new issue goes to the repository itself."""
    assert facts(an_index("Comment on acme/site", "hello"), COMMENT, repository="acme/site").anchored


def case(arguments: dict[str, Any], **less: Any) -> ArgumentCase:
    """Return what an argument is under constraints."""
    return ArgumentCase({name: load(one, name) for name, one in arguments.items()}, **less)


NOTE = Tool(
    upstream="crm",
    name="add_note",
    effect=Effect.REVERSIBLE,
    production=True,
    arguments={
        "kind": Argument(),
        "record": Argument(
            SELECTOR, personal=True, when=(case({"kind": {"one_of": ["deal"]}}, personal=False),)
        ),
        "path": Argument(SELECTOR),
        "text": Argument(CODE, when=(case({"path": {"glob": "**/*.md"}}, role=ArgumentRole.CONTENT),)),
    },
    variants=(Variant({"path": load({"glob": "docs/**"}, "path")}, production=False),),
)


def test_an_argument_is_less_where_other_arguments_say_so() -> None:
    """A note on a deal concerns no person, and a text file runs nothing."""
    index = an_index("Add a note", "hello")
    assert facts(index, NOTE, kind="deal", record="7").personal == "none"
    assert facts(index, NOTE, kind="contact", record="7").personal == "unknown"
    assert facts(index, NOTE, path="docs/a.md", text="x").code == "none"
    assert facts(index, NOTE, path="a.py", text="x").code == "unknown"
    assert not NOTE.called_with({"path": "docs/a.md"}).production
    assert NOTE.called_with({"path": "src/a.md"}).production


@pytest.mark.parametrize("kind", [None, "", "Deal", "deal ", "de\u0430l", ["deal"], {"deal": 1}, 1])
def test_a_condition_that_cannot_be_judged_lowers_nothing(kind: Json) -> None:
    """The stricter reading counts, and so it does where the argument is left out."""
    index = an_index("Add a note", "hello")
    assert facts(index, NOTE, kind=kind, record="7").personal == "unknown"
    assert facts(index, NOTE, record="7").personal == "unknown"


@pytest.mark.parametrize(
    "path", ["docs/../a.md", "a.MD", "./a.md", "a.md\u200b", None, 3, "a.md/b", ["a.md"]]
)
def test_a_path_that_may_be_another_lowers_nothing(path: Json) -> None:
    """Text that may be code stays code."""
    assert facts(an_index("Add a note", "hello"), NOTE, path=path, text="x").code == "unknown"
