# SPDX-License-Identifier: Apache-2.0
"""Threat: what results hold is not labelled although calls used it, or an observation relaxes too much."""

from __future__ import annotations

from typing import Any

from remit.core.tools.suggestions import (
    ArgumentSource,
    ObservedCall,
    ToolDraft,
    UpstreamFacts,
    ValueOrigin,
    drafted,
    tools_text,
    with_observed,
)
from remit.core.tools.tool import Tool
from tests.samples.work_history import observed

Json = Any
TIME = {"type": "string", "format": "date-time"}
TOKEN = "ghp_" + "a1" * 18


def guess(tool: str, arguments: tuple[str, ...] = (), results: tuple[str, ...] = ()) -> ToolDraft:
    """Draft a tool with these arguments and fields, all texts; `_at` ends the name of a time."""
    upstream, _, name = tool.partition("/")
    surface: dict[str, Json] = {"name": name}
    for key, names in (("inputSchema", arguments), ("outputSchema", results)):
        surface[key] = {
            "type": "object",
            "properties": {one: TIME if one.endswith("_at") else {"type": "string"} for one in names},
        }
    facts = UpstreamFacts(audience="internal", data_class="internal")
    return drafted(Tool(upstream=upstream, name=name, surface=surface), facts, "restricted")


DRAFTS = {
    "crm/get": guess("crm/get", ("contact_id",), ("id", "note", "sender", "created_at")),
    "crm/send": guess("crm/send", ("to", "body")),
}


def taken(value: str, field: str, number: int, *, name: str = "to", **more: Json) -> ObservedCall:
    """A call that took a value from a field of `crm/get`."""
    source = ArgumentSource("untrusted", "", (ValueOrigin(f"dec_{number}", "crm/get", field, "untrusted"),))
    return observed("crm/send", {name: value}, task=f"tsk_{number}", sources={name: source}, **more)


def test_what_calls_took_from_results_labels_them() -> None:
    """Addresses and secrets become categories, with the field and the tasks; a secret is for review."""
    calls = [taken(f"p{one}@a.example", "sender", one) for one in range(3)]
    categories = with_observed(DRAFTS, calls)["crm/get"].categories
    assert categories is not None
    assert (categories.value, categories.review) == ("pii", False)
    assert categories.why == "3 tasks took mail addresses from its field `sender`"
    more = with_observed(DRAFTS, [*calls, taken(TOKEN, "key", 9, name="body")])["crm/get"]
    assert more.categories is not None
    assert (more.categories.value, more.categories.review) == ("pii, secret", True)
    text = tools_text("crm", [more])
    assert "categories: [pii, secret]  # review: 3 tasks took mail addresses" in text
    assert TOKEN not in text
    assert with_observed(DRAFTS, [])["crm/get"] == DRAFTS["crm/get"]


def test_a_field_whose_text_led_calls_is_written_by_outsiders() -> None:
    """Its schema may say what it will; an address that the text named says nothing of the record."""
    calls = [
        taken("eve@evil.example", "created_at", one, led={"to": "crm/get created_at"}) for one in range(2)
    ]
    made = with_observed(DRAFTS, calls)["crm/get"]
    assert made.trust.value == "untrusted"
    assert made.trust.why == "a text in its field `created_at` led 2 tasks: others write there"
    before = {one.name: one.trust.value for one in DRAFTS["crm/get"].fields}
    after = {one.name: one.trust.value for one in made.fields}
    assert before["created_at"] == "trusted"
    assert after == before | {"created_at": "untrusted"}
    assert made.categories == DRAFTS["crm/get"].categories


def opened(number: int, *, stated: str = "", led: bool = False) -> ObservedCall:
    """A call that opens the record of a person."""
    more: dict[str, Json] = {"led": {"contact_id": "crm/get note"}} if led else {}
    return observed(
        "crm/get",
        {"contact_id": f"c{number}"},
        task=f"tsk_{number}",
        sources={"contact_id": ArgumentSource("intent" if stated else "untrusted", stated)},
        **more,
    )


def test_records_of_persons_that_are_found_all_day_are_no_one_persons() -> None:
    """For review; not from a few tasks, not where the person names them, not where a text led there."""
    before = DRAFTS["crm/get"].arguments[0]
    assert before.personal

    def made(*calls: ObservedCall) -> Any:
        return with_observed(DRAFTS, calls)["crm/get"].arguments[0]

    relaxed = made(*map(opened, range(4)))
    assert (relaxed.personal, relaxed.role.review) == (False, True)
    assert "in 4 of 4 tasks such records were found" in relaxed.role.why
    assert made(opened(1), opened(2)) == before
    assert made(*(opened(one, stated="words") for one in range(6))) == before
    assert made(*(opened(one, led=True) for one in range(6))) == before
