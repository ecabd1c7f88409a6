# SPDX-License-Identifier: Apache-2.0
"""Rehearsals: a bundle in force in process, with the services of the gateway."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from remit.config.scaffold import scaffold
from remit.core.errors import ConfigInvalid, Conflict, Fenced, Forbidden, Malformed, NotFound
from remit.core.identity.principals import Role
from remit.core.label import Label, Trust
from remit.core.tasks.task import TaskType
from remit.rehearse import Rehearsal, RehearsedTask

TOOLS = """
upstream: desk
tools:
  look: {effect: none, audience: self, labels: {class: internal, trust: trusted}}
  fetch: {effect: none, audience: self, labels: {class: internal, trust: untrusted}}
  write: {effect: reversible, audience: internal, labels: {class: internal, trust: trusted}}
  pay: {effect: irreversible, audience: internal, production: true, labels: {class: internal, trust: trusted}}
"""
POLICIES = """
@id("granted")
permit (principal, action, resource);

@id("ask")
@reason("`{tool}` cannot be taken back")
@otherwise("approval")
forbid (principal, action, resource) when { resource.production };
"""
TASK = """
task: report
purpose: Write a report
run_by: [group:writers]
requested_by: [group:editors]
parameters: {topic: {constraint: {pattern: "[a-z]+"}}}
grants: [{tool: desk/look, arguments: {about: {exact: "{topic}"}}}]
"""
ALL = [f"desk/{name}" for name in ("look", "fetch", "write", "pay")]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder without `remit.yaml`."""
    folder = tmp_path_factory.mktemp("bundle")
    for name, text in (
        ("tools/desk.yaml", TOOLS),
        ("policies/all.cedar", POLICIES),
        ("tasks/report.yaml", TASK),
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def rehearsal(bundle: Path) -> Iterator[Rehearsal]:
    """One for all tests, as those who write tests of bundles have it."""
    with Rehearsal(bundle) as made:
        made.task_type("work", grants=ALL, hand_down_to=["helper"])
        yield made


@pytest.fixture
def task(rehearsal: Rehearsal) -> RehearsedTask:
    """A task that may call everything."""
    return rehearsal.open(task="work", intent="work at the desk")


def test_a_permitted_call_waits_for_its_result_and_gives_what_the_agent_gets(task: RehearsedTask) -> None:
    """Text comes back as an MCP result."""
    call = task.call("desk/look", {"about": "rivers"})
    assert (call.outcome, call.permitted, call.reasons) == ("permit", True, ())
    assert task.result(call, "they flow") == {"content": [{"type": "text", "text": "they flow"}]}


def test_the_label_of_a_task_rises_with_what_it_reads(task: RehearsedTask) -> None:
    """As at the gateway, and for good."""
    assert task.label == Label()
    task.read("desk/fetch", {}, {"title": "a page"})
    assert (task.label.trust, task.label.data_class) == (Trust.UNTRUSTED, "internal")
    task.end()
    assert task.label.trust is Trust.UNTRUSTED


def test_an_error_of_the_tool_is_told_as_one(rehearsal: Rehearsal, task: RehearsedTask) -> None:
    """The agent and the evidence see it."""
    call = task.call("desk/look")
    assert task.result(call, "no such thing", error=True)["isError"] is True
    (told,) = rehearsal.events("tool.called", task=task.id)
    assert told["facts"]["outcome"] == "tool-error"


def test_a_deferred_call_passes_once_when_it_was_approved(task: RehearsedTask) -> None:
    """Made again with the same arguments, and not with others."""
    asked = task.call("desk/pay", {"sum": 5})
    assert (asked.outcome, asked.rules) == ("defer", ("ask",))
    task.approve(asked)
    assert task.call("desk/pay", {"sum": 6}).outcome == "defer"
    paid = task.call("desk/pay", {"sum": 5})
    assert paid.outcome == "permit"
    assert paid.approval == asked.approval
    task.result(paid, "done")
    assert task.call("desk/pay", {"sum": 5}).outcome == "defer"


def test_a_call_that_a_person_has_refused_is_refused(task: RehearsedTask) -> None:
    """No person is asked again."""
    asked = task.call("desk/pay", {"sum": 5})
    task.deny(asked)
    again = task.call("desk/pay", {"sum": 5})
    assert again.outcome == "deny"
    assert "denied" in {reason.code for reason in again.reasons}
    assert task.refused == [asked, again]


def test_who_asks_does_not_approve(task: RehearsedTask) -> None:
    """Not even in a rehearsal, whatever their roles."""
    with pytest.raises(Forbidden):
        task.approve(task.call("desk/pay"), by="rehearsed-person")


def test_only_what_was_asked_about_is_approved(task: RehearsedTask) -> None:
    """A permitted or denied call needs no approval."""
    with pytest.raises(Conflict, match="has no approval"):
        task.approve(task.call("desk/look"))


def test_a_call_has_one_result_and_only_if_it_was_permitted(
    task: RehearsedTask, rehearsal: Rehearsal
) -> None:
    """A rehearsal that mixes up calls gets an error."""
    look = task.call("desk/look")
    with pytest.raises(Conflict, match="another task"):
        rehearsal.open(task="work").result(look, "x")
    task.result(look, "x")
    with pytest.raises(Conflict, match="already"):
        task.result(look, "y")
    with pytest.raises(Conflict, match="not permitted"):
        task.result(task.call("desk/pay"), "x")


@pytest.mark.parametrize("given", [object(), {1: object()}, "\ud800", float("nan").__class__])
def test_what_json_cannot_hold_is_no_result_and_the_call_still_waits(
    task: RehearsedTask, given: object
) -> None:
    """The fault names the remediation."""
    call = task.call("desk/look")
    with pytest.raises(Malformed, match="give a string"):
        task.result(call, given)
    task.result(call, None)


@pytest.mark.parametrize("given", ["", "x" * 300_000, [1, "two", None], {"a": {"b": [1]}}, 7, None, True])
def test_text_and_whatever_json_holds_is_a_result(task: RehearsedTask, given: object) -> None:
    """Structure goes as structure, the rest as text."""
    told = task.result(task.call("desk/look"), given)
    assert ("structuredContent" in told) == isinstance(given, dict)


@pytest.mark.parametrize("tool", ["", "look", "/look", "desk/"])
def test_a_tool_is_named_with_its_upstream(task: RehearsedTask, tool: str) -> None:
    """Any other name is a mistake of the rehearsal's author."""
    with pytest.raises(Malformed, match="upstream/tool"):
        task.call(tool)


def test_an_unknown_upstream_or_tool_is_refused_with_the_reason(task: RehearsedTask) -> None:
    """As an answer, not as an exception."""
    assert [one.code for one in task.call("attic/look").reasons] == ["no-upstream"]
    assert "not-granted" in {one.code for one in task.call("desk/sing").reasons}


def test_an_ended_task_refuses_and_cuts_what_waits(task: RehearsedTask) -> None:
    """The call that stood at its upstream releases nothing any more, and the closure lists it."""
    waiting = task.call("desk/write", {"text": "hello"})
    closure = task.end("enough")
    assert [one.tool for one in closure.indeterminate] == ["desk/write"]
    with pytest.raises(Fenced):
        task.result(waiting, "too late")
    later = task.call("desk/look")
    assert (later.outcome, [one.code for one in later.reasons]) == ("deny", ["task-ended"])


def test_a_plan_is_known_to_decisions_and_can_be_extended(rehearsal: Rehearsal) -> None:
    """What policies make of it is theirs."""
    task = rehearsal.open(task="work", plan=["desk/look"])
    assert task.call("desk/look").flow.facts.plan == "planned"
    assert task.call("desk/write").flow.facts.plan == "unplanned"
    assert task.extend("desk/write").holds
    assert task.call("desk/write").flow.facts.plan == "planned"


def test_a_type_narrows_its_arguments(rehearsal: Rehearsal) -> None:
    """By the parameters that the task was opened with."""
    report = rehearsal.open(agent="ann-bot", task="report", on_behalf_of="edda", params={"topic": "tea"})
    assert report.call("desk/look", {"about": "tea"}).outcome == "permit"
    assert report.call("desk/look", {"about": "tax"}).outcome == "deny"


def test_who_is_unknown_fits_the_task_type_and_who_was_added_stays_who_they_are(rehearsal: Rehearsal) -> None:
    """An added person in no group may not state what editors state; nor may an added agent run it."""
    params = {"topic": "tea"}
    rehearsal.open(agent="new-bot", task="report", on_behalf_of="new-editor", params=params)
    rehearsal.person("stranger", groups=["readers"])
    with pytest.raises(Forbidden, match="stranger"):
        rehearsal.open(agent="new-bot", task="report", on_behalf_of="stranger", params=params)
    rehearsal.agent("odd-bot", owner="stranger")
    with pytest.raises(Forbidden, match="odd-bot"):
        rehearsal.open(agent="odd-bot", task="report", on_behalf_of="new-editor", params=params)
    rehearsal.person("omar", roles=[Role.APPROVER])
    task = rehearsal.open(task="work")
    task.approve(task.call("desk/pay"), by="omar")
    with pytest.raises(Forbidden, match="not an approver"):
        task.approve(task.call("desk/pay", {"n": 2}), by="stranger")


def test_what_cannot_be_opened_is_told_as_the_gateway_tells_it(rehearsal: Rehearsal) -> None:
    """An unknown type, a parameter that does not fit, a plan that is not granted, a name that is none."""
    with pytest.raises(NotFound):
        rehearsal.open(task="sing")
    with pytest.raises(Malformed):
        rehearsal.open(agent="ann-bot", task="report", on_behalf_of="edda", params={"topic": "TEA"})
    with pytest.raises(Forbidden):
        rehearsal.open(task="work", plan=["desk/sing"])
    with pytest.raises(Malformed):
        rehearsal.open(task="work", agent="No Name!")


def test_a_later_turn_counts_if_somebody_states_the_intent(rehearsal: Rehearsal, task: RehearsedTask) -> None:
    """An agent's own task has no person who could add to it."""
    task.user("and look at the rivers")
    assert rehearsal.events("task.message", task=task.id)[0]["values"] == {"text": "and look at the rivers"}
    rehearsal.task_type("alone", grants=["desk/look"], requires_person=False)
    alone = rehearsal.open(task="alone", on_behalf_of="")
    assert alone.call("desk/look").outcome == "permit"
    with pytest.raises(Conflict, match="no person requests"):
        alone.user("more")


def test_a_task_is_handed_down_no_wider_than_it_is(task: RehearsedTask) -> None:
    """The child has the tools that it was given, and ends with its parent."""
    child = task.hand_down(agent="helper", tools=["desk/look"], brief="look")
    assert child.call("desk/look").outcome == "permit"
    assert child.call("desk/write").outcome == "deny"
    with pytest.raises(Forbidden):
        task.hand_down(agent="another")
    task.end()
    assert child.call("desk/look").outcome == "deny"


def test_tasks_run_beside_each_other(rehearsal: Rehearsal) -> None:
    """What one reads does not taint the other, and each waits by itself."""
    one, other = rehearsal.open(task="work"), rehearsal.open(task="work")
    first, second = one.call("desk/fetch"), other.call("desk/look")
    other.result(second, "clean")
    one.result(first, "dirty")
    assert (one.label.trust, other.label.trust) == (Trust.UNTRUSTED, Trust.TRUSTED)


def test_what_a_task_wrote_is_read_back_until_the_upstreams_begin_anew(bundle: Path) -> None:
    """By another task, with the label that the writer had; not while a call is in hand."""
    with Rehearsal(bundle) as made:
        made.task_type("work", grants=ALL)
        writer = made.open(task="work")
        writer.read("desk/fetch", {}, "from outside")
        waiting = writer.call("desk/write", {"text": "from outside"})
        with pytest.raises(Conflict, match="waits"):
            made.restore()
        writer.result(waiting, "written")
        reader = made.open(task="work")
        reader.read("desk/look", {}, "from outside")
        assert reader.label.trust is Trust.UNTRUSTED
        made.restore()
        later = made.open(task="work")
        later.read("desk/look", {}, "something")
        assert later.label.trust is Trust.TRUSTED


def test_the_evidence_tells_of_decisions_under_the_digest_of_the_bundle(
    rehearsal: Rehearsal, task: RehearsedTask
) -> None:
    """As `remit audit log` does."""
    task.read("desk/look", {"about": "rivers"}, "they flow")
    kinds = [event["kind"] for event in rehearsal.events(task=task.id)]
    assert kinds[:1] == ["task.opened"]
    assert {"decision.made", "tool.called"} <= set(kinds)
    (decided,) = rehearsal.events("decision.made", task=task.id)
    assert decided["facts"]["bundle"] == rehearsal.digest


async def test_a_rehearsal_can_be_used_inside_of_a_running_event_loop(bundle: Path) -> None:
    """It has its own."""
    with Rehearsal(bundle) as made:
        made.task_type("work", grants=ALL)
        assert made.open(task="work").call("desk/look").outcome == "permit"
    await asyncio.sleep(0)


def test_without_a_folder_there_are_the_usual_policies_and_no_described_tool() -> None:
    """A tool without a description needs an approval; types may be passed unchanged."""
    kind = TaskType(
        name="given", purpose="look", run_by=("rehearsed-agent",), requested_by=("rehearsed-person",)
    )
    with Rehearsal(task_types=[kind]) as made:
        made.open(task="given")
        made.task_type("any", grants=["tools/anything"])
        assert made.open(task="any").call("tools/anything").outcome == "defer"


def test_the_folder_that_init_makes_is_rehearsed_as_it_is(tmp_path: Path) -> None:
    """And nothing is written into it."""
    scaffold(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with Rehearsal(tmp_path) as made:
        task = made.open(agent="note-bot", task="tidy-note", on_behalf_of="ana", params={"note": "shopping"})
        assert task.call("notes/read_note", {"name": "shopping"}).outcome == "permit"
        assert task.call("notes/read_note", {"name": "diary"}).outcome == "deny"
    assert sorted(tmp_path.rglob("*")) == before


def test_secrets_and_servers_of_the_folder_are_not_used(tmp_path: Path) -> None:
    """A missing secret, and a server that does not run, stop no rehearsal."""
    scaffold(tmp_path, sample=False)
    (tmp_path / "remit.yaml").write_text(
        "upstreams:\n  far:\n    url: https://far.example.org/mcp\n"
        "    headers: {Authorization: 'Bearer env:NOT_SET_AT_ALL'}\n",
        encoding="utf-8",
    )
    with Rehearsal(tmp_path) as made:
        made.task_type("far", grants=["far/away"])
        task = made.open(task="far")
        asked = task.call("far/away")
        task.approve(asked)
        task.result(task.call("far/away"), "back")


def test_an_unsound_bundle_is_refused_with_the_file(tmp_path: Path) -> None:
    """A folder that is none, a tool file that is broken, a policy that errs."""
    with pytest.raises(ConfigInvalid, match="not a folder"):
        Rehearsal(tmp_path / "nowhere")
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "desk.yaml").write_text("upstream: [", encoding="utf-8")
    with pytest.raises(ConfigInvalid, match=r"tools/desk\.yaml"):
        Rehearsal(tmp_path)
    (tmp_path / "tools" / "desk.yaml").write_text(TOOLS, encoding="utf-8")
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "all.cedar").write_text("permit (", encoding="utf-8")
    with pytest.raises(ConfigInvalid, match=r"all\.cedar"):
        Rehearsal(tmp_path)


def test_an_unsound_grant_changes_nothing(rehearsal: Rehearsal) -> None:
    """The fault names it, and the types before it stay."""
    with pytest.raises(ConfigInvalid):
        rehearsal.task_type("bad", grants=["everything"])
    assert rehearsal.open(task="work").call("desk/look").outcome == "permit"


def test_a_closed_rehearsal_says_so() -> None:
    """Closing twice is no mistake; using it afterwards is."""
    made = Rehearsal()
    made.close()
    made.close()
    with pytest.raises(Conflict, match="closed"):
        made.task_type("late", grants=["tools/x"])
