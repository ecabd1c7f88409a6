# SPDX-License-Identifier: Apache-2.0
"""`remit data`."""

from __future__ import annotations

from remit.cli.decisions.declassification import lowered, said
from remit.cli.output import terminal
from remit.cli.parser import Several, Switch, noun
from remit.cli.rest_client import connect
from remit.core.json_value import Json

app = noun("data", "Stored labels: what is known of data that tasks have written.")


@app.command(name="list")
def listed(upstream: str = "", /, *, prefix: str | None = None, limit: int = 100) -> None:
    """List the resources to which labelled data was written.

    For example, find out where confidential data of a finished task still lies, before you open the next one.

    Parameters
    ----------
    upstream
        List only the resources of this upstream.
    prefix
        List only resources whose names begin with this text, such as `ticket/`.
    limit
        List at most this many.
    """
    found = connect().get("data", upstream=upstream or None, prefix=prefix, limit=limit)
    if terminal.is_json():
        terminal.answer(found)
        return
    terminal.table(
        ("UPSTREAM", "RESOURCE", "CARRIES", "CONTAINS", "WRITTEN BY", "CHANGED"),
        (
            (
                one["upstream"],
                _name(one),
                terminal.label(one["label"] or {}),
                terminal.label(one["below"] or {}),
                ", ".join(dict.fromkeys(writer["tool"] for writer in one["writers"])),
                terminal.moment(one["changed"]),
            )
            for one in found["items"]
        ),
        empty="no stored labels",
        head=2,
    )


@app.command(name="show")
def shown(upstream: str, resource: str = "", /) -> None:
    """Show the stored label of a resource, and the calls that wrote its data.

    For example, find out why an agent was refused after it read a ticket: which call wrote untrusted text
    there, and when.

    Parameters
    ----------
    upstream
        The upstream.
    resource
        The resource, such as `ticket/7`; without it, the upstream as a whole.
    """
    _one(connect().get("data", "resource", upstream=upstream, resource=resource or None))


@app.command(name="declassify")
def declassify(
    upstream: str,
    resource: str = "",
    /,
    *,
    reason: str,
    to_class: str = "",
    trusted: Switch = False,
    without: Several = (),
    confirm: str = "",
) -> int:
    """Lower the stored label of a resource and of everything below it.

    For example, a person has read a draft and confirms that it holds no confidential data: lower its data
    class, and agents may send it on.

    Parameters
    ----------
    upstream
        The upstream.
    resource
        The resource, such as `ticket/7`; without it, everything in the upstream.
    reason
        The reason; it goes into the evidence.
    to_class
        The new data class, lower than the stored one.
    trusted
        Confirm that the data holds no instructions to agents from an untrusted source.
    without
        A category or a trust zone to remove from the label; may be given several times.
    confirm
        The digest that is shown; needed without a terminal.
    """
    client = connect()
    found = client.get("data", "resource", upstream=upstream, resource=resource or None)
    if not terminal.is_json():
        _one(found)
    body = lowered(
        f"Declare this data {said(to_class, trusted, without)}?",
        found["digest"],
        confirm,
        reason=reason,
        to_class=to_class,
        trusted=trusted,
        without=without,
    )
    if body is None:
        return 1
    told = client.post("data", "declassify", upstream=upstream, resource=resource, **body)
    if terminal.is_json():
        terminal.answer(told)
    else:
        left = ", ".join(
            filter(None, (terminal.label(told["label"] or {}), terminal.label(told["below"] or {})))
        )
        terminal.say(
            "declassified: ",
            terminal.text(_name(told), "bold"),
            f" of {told['upstream']} now carries {left or 'no label'}",
        )
    return 0


def _name(one: Json) -> str:
    if not one["known"]:
        # The digest of the tool's surface tells rows apart, and tells a reader nothing.
        return f"not known ({str(one['resource']).partition('@')[0]})"
    return str(one["resource"]) or "(the whole resource)"


def _one(one: Json) -> None:
    if terminal.is_json():
        terminal.answer(one)
        return
    terminal.picture(
        terminal.facts(
            [
                ("upstream", terminal.text(one["upstream"], "bold")),
                ("resource", _name(one)),
                ("carries", terminal.label(one["label"] or {}) or "no label"),
                ("contains", terminal.label(one["below"] or {})),
                ("changed", terminal.moment(one["changed"])),
                ("declassified", terminal.moment(one["lowered"]) if one["lowered"] else ""),
                ("digest", one["digest"]),
            ]
        )
    )
    terminal.say("")
    terminal.table(
        ("WRITTEN BY", "CALL", "TASK", "AGENT", "CARRYING", "AT"),
        (
            (
                writer["tool"],
                str(writer["number"] or ""),
                writer["task"],
                writer["agent"],
                terminal.label(writer),
                terminal.moment(writer["at"]),
            )
            for writer in one["writers"]
        ),
        empty="no task that still counts",
    )
