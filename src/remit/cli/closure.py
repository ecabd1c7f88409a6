# SPDX-License-Identifier: Apache-2.0
"""How a closure is shown: every derived permission, when it was refused first, and what is still open."""

from __future__ import annotations

from typing import Any

from remit.cli import show

Json = Any


def show_closure(closure: Json) -> int:
    """Show a closure."""
    if show.is_json():
        show.answer(closure)
        return 0
    closed = closure["closed"]
    show.say(
        "Ended ",
        show.text(closure["scope"], "bold"),
        f": fenced after {closure['fence_ms']:.1f} ms, ",
        show.text("nothing left open", "green")
        if closed
        else show.text("something is still open", "bold red"),
    )
    pairs = [
        ("closure", closure["id"]),
        ("at", show.moment(closure["at"])),
        ("by", closure["ended_by"]),
        ("reason", closure["reason"]),
        ("cause", closure["cause"]),
        ("tasks", ", ".join(closure["tasks"]) or "none were open"),
    ]
    show.picture(show.facts(pairs))
    permissions = [one for one in closure["closings"] if not one.get("lease")]
    if permissions:
        show.say("")
        show.table(
            ("PERMISSION", "REFUSED AFTER", "KIND", "DETAIL"),
            ((one["name"], _after(one), one["kind"], one["detail"]) for one in permissions),
            empty="",
        )
    _credentials([one for one in closure["closings"] if one.get("lease")])
    if closure["indeterminate"]:
        show.say("")
        show.say("Permitted before the end, and not known to have taken effect or not:", style="yellow")
        show.table(
            ("DECISION", "TOOL", "EFFECT"),
            ((one["decision"], one["tool"], one["effect"]) for one in closure["indeterminate"]),
            empty="",
        )
    return 0


def _credentials(closings: list[Json]) -> None:
    """Show what became of credentials: taken back at their source, and tried at their sink until refused."""
    if not closings:
        return
    show.say("")
    show.table(
        ("CREDENTIAL FOR", "KIND", "TAKEN BACK AFTER", "REFUSED AFTER", "TRIED", "LEASE"),
        (
            (
                one["name"],
                one["kind"],
                _ms(one["revoked_after_ms"]),
                _after(one),
                one["attempts"],
                one["lease"],
            )
            for one in closings
        ),
        empty="",
    )
    for one in closings:
        if one["refused_after_ms"] is None:
            show.say(show.text(f"{one['name']} is {one['detail']}; see `remit who`", "yellow"))


def _after(closing: Json) -> object:
    return _ms(closing["refused_after_ms"])


def _ms(after: float | None) -> object:
    return show.text("still open", "bold red") if after is None else f"{after:.1f} ms"
