# SPDX-License-Identifier: Apache-2.0
"""`remit explain`."""

from __future__ import annotations

from typing import Final

from remit.cli.decisions.explanation_text import show_explanation
from remit.cli.output import terminal
from remit.cli.parser import Switch, verb
from remit.cli.rest_client import BEYOND, Client, connect
from remit.core.errors import NotFound, VerificationFailed
from remit.core.json_value import Json

app = verb("explain")

#: Events of one call: its decision, its outcome, and what it read and changed.
_MOST: Final = 50


@app.default
def explain(decision: str, /, *, brief: Switch = False) -> None:
    """Explain one decision: each rule that spoke, the facts that it read, and what would change the answer.

    The rules are shown as they were in the version that decided, with the values that they read. What would
    change the answer is found by deciding the call again with one thing changed; where nothing can be said,
    it says so. An agent gets the ID with each refusal, also for a tool that does not exist for it. For
    example, paste the ID that an agent shows you to learn which rule refused, and what would permit the call.

    Parameters
    ----------
    decision
        The decision's ID (`dec_...`).
    brief
        Without the rules' texts.
    """
    client = connect()
    events = _events(client, decision)
    made = next((one for one in events if one["kind"] == "decision.made"), None)
    if made is None:
        raise NotFound(
            f"decision `{decision[:80]}` does not exist",
            remediation="give the whole ID; in a flood of refusals only the first ones are recorded singly",
        )
    found = client.post("policies", "explain", decision=made["call"])
    if terminal.is_json():
        terminal.answer({"decision": made, "events": events, "explanation": found})
        return
    _people(made, client.get("tasks", made["task"]) if made["task"] else {})
    for one in events:
        if one["kind"] == "tool.called":
            terminal.say(
                "  ended ", terminal.state(one["facts"]["outcome"]), "  ", terminal.moment(one["at"])
            )
    show_explanation(found, text=not brief)
    terminal.say("")
    terminal.say(f"what led to it: remit audit chain {made['call']}", style="dim")
    terminal.copyable(f"in the console: {terminal.page('decisions', made['call'])}", style="dim")


def _events(client: Client, decision: str) -> list[Json]:
    """Return the events of a call, in order; raises `VerificationFailed` where one was changed."""
    before: int | None = BEYOND
    found: list[Json] = []
    while before is not None and not any(one.get("kind") == "decision.made" for one in found):
        page = client.get("events", before=before, limit=_MOST, call=decision)
        if damaged := next((one for one in page["items"] if "damaged" in one), None):
            raise VerificationFailed(damaged["damaged"], remediation="run `remit audit verify`")
        found = page["items"] + found
        before = page["previous"]
    return found


def _people(made: Json, task: Json) -> None:
    facts, values = made["facts"], made.get("values", {})
    terminal.say(
        terminal.state(facts["outcome"]),
        "  ",
        terminal.text(facts["tool"], "bold"),
        "  ",
        terminal.moment(made["at"]),
        terminal.text("  observed, not refused", "bold yellow") if facts.get("observed") else "",
    )
    person = task.get("on_behalf_of") or ""
    of_type = f"  {task['type']}" if task else ""
    terminal.picture(
        terminal.facts(
            [
                ("agent", made["agent"] + (f"  for {person}" if person else "")),
                ("task", made["task"] + of_type),
                (
                    "arguments",
                    terminal.compact(values["arguments"]) if "arguments" in values else "forgotten",
                ),
            ]
        )
    )
    texts, remedies = values.get("reasons", []), values.get("remedies", [])
    for number, reason in enumerate(facts.get("reasons", [])):
        said = texts[number] if number < len(texts) else reason.get("code", "")
        rule = f"  [{reason['rule']}]" if reason.get("rule") else ""
        terminal.say(f"  {said}", terminal.text(rule, "dim"))
        if number < len(remedies) and remedies[number]:
            terminal.say(f"    what would help: {remedies[number]}")
    if facts.get("approval"):
        left = facts.get("approval_left")
        bounded = "" if left is None else f", which permits {terminal.counted(left, 'further call')}"
        given = f"approval {facts['approval']}{bounded}"
        asks = facts["outcome"] == "defer"
        waits = f"waited for an approver: remit approve {facts['approval']}"
        terminal.copyable(f"  {waits if asks else given}", style="dim")
    if facts.get("obligations"):
        terminal.say(f"  obligations {', '.join(facts['obligations'])}", style="dim")
    if values.get("stated_reason"):
        terminal.say(f"  in the agent's own words: {values['stated_reason']}", style="dim")
