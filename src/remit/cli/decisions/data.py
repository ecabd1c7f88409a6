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
    """List the resources to which data with a label was written.

    Parameters
    ----------
    upstream
        Only those of this upstream.
    prefix
        Only those whose names begin so, such as `ticket/`.
    limit
        At most so many.
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
    """Show what is known of the data in a resource, and which calls wrote it.

    Parameters
    ----------
    upstream
        The upstream.
    resource
        The resource, such as `ticket/7`; left out, the upstream as a whole.
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
    yes_i_looked: str = "",
) -> int:
    """Say of data in a resource, and in all that lies in it, that it is less than what is known of it.

    Parameters
    ----------
    upstream
        The upstream.
    resource
        The resource, such as `ticket/7`; left out, everything in the upstream.
    reason
        Why; it goes into the evidence.
    to_class
        Its data class, lower than the one that is known.
    trusted
        That nothing in it speaks to agents in a stranger's name.
    without
        A category or a trust zone that does not count any more; may be given several times.
    yes_i_looked
        The digest that is shown, where there is no terminal to be asked on.
    """
    client = connect()
    found = client.get("data", "resource", upstream=upstream, resource=resource or None)
    if not terminal.is_json():
        _one(found)
    body = lowered(
        f"Declare this data {said(to_class, trusted, without)}?",
        found["digest"],
        yes_i_looked,
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
        return f"not known ({one['resource']})"
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
