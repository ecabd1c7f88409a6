# SPDX-License-Identifier: Apache-2.0
"""`remit audit`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from remit.cli.evidence.event_line import saying
from remit.cli.evidence.prune_command import prune
from remit.cli.evidence.replay_command import replay, timeline
from remit.cli.evidence.time_bounds import time_of, zone_min
from remit.cli.exit_codes import UsageFault
from remit.cli.output import terminal
from remit.cli.parser import Several, Switch, noun
from remit.cli.rest_client import BEYOND, Client, connect
from remit.core.evidence.event import meaning_of
from remit.core.evidence.events.kinds import BODIES
from remit.core.json_value import Json

app = noun("audit", "The evidence: read, prove, export and verify it.")

app.command(prune, name="prune")
app.command(replay, name="replay")
app.command(timeline, name="timeline")

#: Events per request.
PAGE = 1000


@app.command(name="log")
def log(
    *,
    limit: int = 50,
    start: int | None = None,
    kind: Several = (),
    task: str = "",
    since: str = "",
    until: str = "",
    agent: str = "",
    person: str = "",
    tool: str = "",
    outcome: str = "",
    data_class: str = "",
    category: str = "",
    follow: Switch = False,
) -> int:
    """Show events in order: the last ones, or those from an index on. Exits 4 if one was changed.

    Times are ISO 8601 (local time without a zone), `2h` or `3d` ago, `today` or `yesterday`. remit searches;
    only what is found is sent. For example, `remit audit log --task ID` shows everything that a task did,
    from its opening to its end, and `remit audit log --outcome deny --since today --follow` shows refusals.

    Parameters
    ----------
    limit
        Show at most this many.
    start
        Begin at this index.
    kind
        Show only this kind, such as `decision.made`; may be given several times.
    task
        Show only the events of this task.
    since
        Show only events of this time and later.
    until
        Show only events from before this time.
    agent
        Show only what this agent did.
    person
        Show only what was done for this person, about this person, or by this person.
    tool
        Show only the events of this tool, or of this upstream.
    outcome
        Show only this outcome: `permit`, `deny` or `defer` of a decision, `ok`, `tool-error` and so on of a
        call.
    data_class
        Show only events about data of this class: what a call read, or its task carried.
    category
        Show only events about data of this category, such as `pii`.
    follow
        Go on to show events as they are recorded, until you interrupt. With `--json` each one is one line.
    """
    client = connect()
    wanted = {
        "kinds": ",".join(kind) or None,
        "task": task or None,
        "since": _at(since, "--since"),
        "until": _at(until, "--until"),
        "agent": agent or None,
        "person": person or None,
        "tool": tool or None,
        "outcome": outcome or None,
        "data_class": data_class or None,
        "category": category or None,
    }
    items, size = _events(client, limit, start, wanted)
    if follow:
        from remit.cli.evidence.follower import follow_events

        shown = items[-1]["index"] + 1 if items else start or 0
        return follow_events(client, items, shown if start is not None else max(size, shown), wanted)
    if terminal.is_json():
        terminal.answer({"items": items, "size": size})
    else:
        header = ("INDEX", "AT", "KIND", "AGENT", "TASK", "WHAT")
        terminal.table(header, (_row(one) for one in items), empty="no events", whole=5, head=3)
    return 4 if any("damaged" in one for one in items) else 0


def _at(given: str, option: str) -> str | None:
    at = time_of(given, option)
    return at.isoformat() if at is not None else None


@app.command(name="summary")
def summary(
    *,
    since: str = "today",
    until: str = "",
    agent: str = "",
    person: str = "",
    tool: str = "",
    task: str = "",
) -> None:
    """Count the calls by tool and day: permitted, refused, asked about, failed.

    Days are those of this machine's time zone. The counts come from the evidence, where no call is missing.
    For example, `remit audit summary --since 7d` shows which tools your agents really use, and where they are
    refused.

    Parameters
    ----------
    since
        Count from this time on: ISO 8601, `2h`, `3d`, `today` or `yesterday`.
    until
        Count up to this time.
    agent
        Count only the calls of this agent.
    person
        Count only calls for this person.
    tool
        Count only the calls of this tool, or of this upstream.
    task
        Count only the calls of this task.
    """
    from remit.cli.evidence.call_table import show_summary

    found = connect().get(
        "events",
        "summary",
        since=_at(since, "--since"),
        until=_at(until, "--until"),
        agent=agent or None,
        person=person or None,
        tool=tool or None,
        task=task or None,
        zone_min=zone_min(),
    )
    if terminal.is_json():
        terminal.answer(found)
    else:
        show_summary(found)


def _row(event: Json) -> tuple[object, ...]:
    if "damaged" in event:
        return str(event["index"]), "", terminal.text("damaged", "red"), "", "", event["damaged"]
    return (
        str(event["index"]),
        terminal.moment(event["at"]),
        terminal.text(event["kind"], "bold"),
        event.get("agent", ""),
        event.get("task", ""),
        saying(event),
    )


def _events(
    client: Client, limit: int, start: int | None, wanted: dict[str, str | None]
) -> tuple[list[Json], int]:
    """Return events and the size of the log; without `start` the last events within the limit."""
    found: list[Json] = []
    place: dict[str, int] = {"before": BEYOND} if start is None else {"start": start}
    while True:
        left = min(limit - len(found), PAGE)
        page = client.get("events", **place, limit=left, **wanted)
        items, size = page["items"], page["size"]
        found = items + found if start is None else found + items
        at = page["previous" if start is None else "next"]
        if at is None or len(found) >= limit:
            return found, size
        place = {"before" if start is None else "start": at}


def _event(client: Client, index: int) -> Json:
    from remit.core.errors import NotFound, VerificationFailed

    page = client.get("events", start=index, limit=1)
    if index < 0 or not page["items"] or page["items"][0]["index"] != index:
        raise NotFound(f"event {index} does not exist", remediation=f"the log has {page['size']} events")
    event = page["items"][0]
    if "damaged" in event:
        raise VerificationFailed(
            event["damaged"], remediation="run `remit audit verify` to see which events fail"
        )
    return event


@app.command(name="show")
def shown(index: int, /) -> None:
    """Show one event: its facts, and its values as far as they can still be read.

    For example, read the exact arguments of a call that a finding names.

    Parameters
    ----------
    index
        The event's index in the log, from 0 on.
    """
    event = _event(connect(), index)
    if terminal.is_json():
        terminal.answer(event)
        return
    terminal.say(
        terminal.text(f"event {index}", "bold"), f"  {event['kind']}  ", terminal.moment(event["at"])
    )
    body = BODIES.get(event["kind"])
    if body is not None:
        terminal.say(meaning_of(body), style="dim")
    values = event.get("values", {})
    pairs = [(name, event.get(name, "")) for name in ("agent", "task", "call")]
    pairs += [(name, _value(value)) for name, value in event["facts"].items()]
    pairs += [(f"{name} (sealed)", _value(value)) for name, value in values.items()]
    gone = [name for name in event.get("sealed", {}) if name not in values]
    pairs += [(f"{name} (sealed)", terminal.text("forgotten", "dim")) for name in gone]
    pairs += [("writer", f"{event['writer']}, its record {event['seq']}"), ("hash", event["hash"])]
    terminal.picture(terminal.facts(pairs))


def _value(value: Json) -> str:
    return value if isinstance(value, str) else terminal.compact(value)


@app.command(name="chain")
def chain(call: str, /, *, file: Path | None = None, mermaid: Switch = False) -> None:
    """Draw what led to a call, across calls, tasks, agents and shared stores, from the evidence alone.

    For a refused call the chain shows which value came from which earlier call, which call had written the
    data that this one read, and so on back to the source. For example, find the document that made an agent
    try to mail your data to an attacker.

    Parameters
    ----------
    call
        The id of a decision (`dec_...`), the index of its event, or a task, for its last refused call.
    file
        Read an exported file instead of asking the running remit; verify it first (`remit audit verify`).
    mermaid
        Print the chain as a Mermaid flowchart instead.
    """
    from remit.cli.evidence.chain import chain_in, fetched, flowchart, lines

    found = chain_in(file, call) if file is not None else fetched(connect(), call)
    if terminal.is_json():
        terminal.answer(msgspec.to_builtins(found))
        return
    if mermaid:
        sys.stdout.write(str(flowchart(found)))
        return
    for line in lines(found):
        terminal.picture(line)


@app.command(name="prove")
def prove(what: str, /, *, out: Path | None = None) -> None:
    """Write a receipt that an event, or an end, is in the signed log, after verifying it here.

    The receipt of an event is a C2SP tlog-proof that holds the event. `remit audit verify` reads the receipts
    of events and of ends. For example, give an auditor proof that one approval took place, without the rest
    of the log.

    Parameters
    ----------
    what
        The event's index in the log, or a closure (`cls_...`).
    out
        Write the receipt to this file instead of standard output.
    """
    from remit.cli.evidence.receipts import prove_event

    client = connect()
    if what.startswith("cls_"):
        _prove_closure(client, what, out)
        return
    index = _index(what)
    found = prove_event(client, _event(client, index))
    if out is not None:
        out.write_text(found["proof"], encoding="utf-8")
    if terminal.is_json():
        terminal.answer(found)
    elif out is None:
        sys.stdout.write(found["proof"])
    else:
        terminal.say(
            terminal.text("proven", "green"), f": event {index} of {found['size']}; the receipt is in {out}"
        )


def _prove_closure(client: Client, closure: str, out: Path | None) -> None:
    from remit.cli.evidence.closure import show_proof, show_read
    from remit.cli.evidence.receipts import prove_closure

    report, found = prove_closure(client, closure, out)
    assert report.closure is not None
    if terminal.is_json():
        terminal.answer({"closure": msgspec.to_builtins(report.closure), "proof": found})
        return
    show_read(report.closure)
    terminal.say("")
    show_proof(found)


def _index(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 16:
        return int(text)
    raise UsageFault(
        f"`{text[:80]}` is neither an event nor a closure",
        remediation="give the index of an event, or `cls_...`",
    )


@app.command(name="forget")
def forget(subject: str, /, *, reason: str = "", confirm: str = "") -> int:
    """Destroy a subject's key: recorded values by or about the subject become unreadable, proofs still hold.

    This cannot be undone. The event that records it does not name the subject. For example, a person who
    leaves demands the erasure of personal data: the log stays verifiable without it.

    Parameters
    ----------
    subject
        The name of a person or an agent.
    reason
        The reason, for the evidence.
    confirm
        The name again, as confirmation; needed without a terminal.
    """
    from remit.cli.decisions.confirmation import confirmed

    if not confirmed(f"Forget {subject} permanently?", subject, confirm):
        terminal.say("nothing was forgotten")
        return 1
    told = connect().post("subjects", "forget", subject=subject, reason=reason)
    if terminal.is_json():
        terminal.answer(told)
    else:
        terminal.say(terminal.text("forgotten", "green"), f": {subject}")
    return 0


@app.command(name="export")
def export(file: Path, /, *, task: str = "", no_values: Switch = False) -> None:
    """Export the evidence as one file that verifies offline.

    For example, give an auditor everything about one task, to be verified without access to remit.

    Parameters
    ----------
    file
        The file to write.
    task
        Export only the events of this task, each with its proof.
    no_values
        Leave out sealed values: arguments, names, words.
    """
    from remit.cli.evidence.export import fetch

    fetched = fetch(connect(), file, task=task, values=not no_values)
    if terminal.is_json():
        terminal.answer(fetched)
        return
    terminal.say(
        f"Wrote {terminal.counted(fetched['events'], 'event')} to ", terminal.text(str(file), "bold")
    )
    terminal.copyable(f"  remit audit verify {file} --key {fetched['verifier']}", style="dim")


@app.command(name="verify")
def verify(
    file: Path | None = None,
    /,
    *,
    key: str = "",
    policy: Path | None = None,
    at_least: int = 0,
    task: str = "",
    no_values: Switch = False,
    growth: Switch = False,
    anew: Switch = False,
) -> int:
    """Verify evidence: every hash, chain, value and the signature; exits 4 and names the event if one fails.

    An exported file, or a receipt, is verified offline. Without a file, the evidence of the running remit is
    fetched and verified here. For example, run it daily from another machine: a log that was cut back or
    rewritten is then noticed within a day.

    Parameters
    ----------
    file
        A file that `remit audit export` or `remit audit prove` wrote.
    key
        The log's public key, or a file that holds it, from a source that you trust; `remit up` prints it.
        Without it, the key must be one that was seen from here before.
    policy
        A trust policy (C2SP tlog-policy): the logs that you trust, the witnesses, and how many of them must
        have cosigned. Then the log's own signature alone proves nothing.
    at_least
        The log must have at least this many events; what was verified here before is remembered.
    task
        Without a file: verify only the events of this task.
    no_values
        Without a file: do not fetch sealed values.
    growth
        Without a file: fetch no events, only the proof that the log extends the one that held here last.
    anew
        Without a file: the log at this address was restarted, or its key replaced at once. If the log holds
        under the key given by `--key`, that key replaces the one that was seen before.
    """
    from remit.cli.evidence.verification import read_policy, verify_file, verify_running

    trust = read_policy(policy) if policy is not None else None
    if anew and (not key or file is not None or growth):
        raise UsageFault(
            "`--anew` needs a key for the running remit", remediation="give `--key KEY`, and no file"
        )
    if growth:
        if file is not None or task or no_values or policy is not None:
            raise UsageFault(
                "`--growth` asks the running remit only for its head",
                remediation="leave out the file and the export options",
            )
        from remit.cli.evidence.consistency import verify_growth

        return verify_growth(key=key, at_least=at_least)
    if file is not None:
        return verify_file(file, key=key, at_least=at_least, policy=trust)
    return verify_running(
        key=key, at_least=at_least, task=task, values=not no_values, anew=anew, policy=trust
    )


@app.command(name="watch")
def watch(
    *,
    policy: Path,
    every: int = 60,
    once: Switch = False,
    stale: int = 3600,
    late: int = 600,
    hashes: Switch = False,
) -> int:
    """Watch a log from elsewhere, trusting no one who runs it; exits 4 at an alarm.

    The monitor reads the checkpoint and the new events, and compares them with what it saw before: a fork, a
    rollback, a gap, a back-dated event, or a log that is not cosigned any more is an alarm. For example, run
    it as a service on a machine of your auditors, and let the service manager report its failure.

    Parameters
    ----------
    policy
        A trust policy (C2SP tlog-policy) that names the log, its witnesses and the quorum.
    every
        Seconds between two looks.
    once
        Look once.
    stale
        Alarm if the newest cosignature is older than this many seconds, or the log does not answer for so
        long.
    late
        Alarm if an event claims a time this many seconds before a checkpoint that did not have it.
    hashes
        Read hashes alone, no events: for a monitor that must not read them. Then times are not checked.
    """
    from remit.cli.evidence.watch import watch_log
    from remit.core.evidence.monitor import MonitorLimits

    if every < 1 or stale < 1 or late < 0:
        raise UsageFault("a time is a number of seconds", remediation="see `remit audit watch --help`")
    limits = MonitorLimits(stale_s=stale, late_s=late)
    return watch_log(policy, every_s=every, once=once, entries=not hashes, limits=limits)


@app.command(name="query")
def query(
    what: str,
    /,
    *given: str,
    source: Annotated[Path | None, Parameter(name="--from")] = None,
    key: str = "",
    limit: int = 50,
    prove: Path | None = None,
) -> None:
    """Ask the evidence a question: one that comes with remit, or your own in SQL.

    For example, `remit audit query data-read agent=clerk since=7d --prove answer.jsonl` shows which data an
    agent read, on whose behalf and by which rule, and writes a file with those events that verifies offline.

    Parameters
    ----------
    what
        The name of a question (`remit audit questions`), or one `SELECT`.
    given
        Parameters of the question, as `name=value`.
    source
        A file of `remit audit export`, which is verified first, or a folder of `remit audit tables`. Without
        it, the evidence of the running remit is fetched.
    key
        The log's public key, or a file that holds it; without it, the one that was seen from here before.
    limit
        Show at most this many rows.
    prove
        Write the events that the answer rests on into this file: each column whose name ends in `index`.
    """
    from remit.cli.evidence.questions import ask

    ask(what, given, place=source, key=key, limit=limit, proof=prove)


@app.command(name="questions")
def named_questions(*, tables: Switch = False) -> None:
    """List the questions that come with remit.

    Parameters
    ----------
    tables
        List the tables and their columns instead, for your own questions.
    """
    from remit.cli.evidence.questions import show_questions

    show_questions(tables=tables)


@app.command(name="tables")
def tables(
    folder: Path, /, *, source: Annotated[Path | None, Parameter(name="--from")] = None, key: str = ""
) -> None:
    """Write the evidence as tables, in Parquet files: for many questions, and for other programs.

    Parameters
    ----------
    folder
        A new folder.
    source
        A file of `remit audit export`; without it, the evidence of the running remit is fetched.
    key
        The log's public key, or a file that holds it; without it, the one that was seen from here before.
    """
    from remit.cli.evidence.questions import write_tables

    write_tables(source, folder, key=key)
