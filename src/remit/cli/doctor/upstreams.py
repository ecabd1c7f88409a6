# SPDX-License-Identifier: Apache-2.0
"""`remit doctor`: upstreams, as seen from here and as seen by the running remit."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime

from remit.cli.doctor.check import Check, no_connection
from remit.cli.output.terminal import span
from remit.cli.rest_client import Client
from remit.cli.session_file import session_for
from remit.config import Config
from remit.config.settings import UpstreamSection
from remit.core.errors import KeyUnavailable, RemitError
from remit.core.json_value import Json


def told_of_upstreams(base_url: str) -> dict[str, Json]:
    """Return what the running remit reports of each upstream, by name; empty without a session there."""
    try:
        found = Client(base_url, session_for(base_url)).get("upstreams")["items"]
        return {str(one["name"]): one for one in found}
    except (RemitError, KeyError, TypeError):
        return {}


def upstream_looks(config: Config, told: dict[str, Json]) -> Iterator[Check]:
    """Report whether each upstream is reachable; `told` is the running remit's report, if there is one."""
    for name, section in config.upstreams.items():
        yield _look(f"upstream {name}", config, section, told.get(name))
        yield from _unread(f"upstream {name}", section, told.get(name))


def _unread(subject: str, section: UpstreamSection, told: Json) -> Iterator[Check]:
    """Name the secrets without which remit does not start; a variable may be set where remit runs."""
    for ref in (*section.env.values(), *section.headers.values()):
        if ref.scheme not in ("env", "file") or (ref.scheme == "env" and told is not None):
            continue
        try:
            ref.resolve()
        except KeyUnavailable as fault:
            state = "fail" if ref.scheme == "file" else "note"
            yield Check(subject, state, f"{fault.place}: {fault.message}", fault.remediation)


def _look(subject: str, config: Config, section: UpstreamSection, told: Json) -> Check:
    here = _from_here(config, section)
    if told is not None and told["reachable"] is False:
        says = f"unreachable for remit since {_since(told)}"
        says += f": {told['why']}" if told["why"] else ""
        if not told["api"]:
            return Check(subject, "fail", says, _remediation(section, here))
        # Only calls test an API: it may be reachable again.
        if here:
            return Check(subject, "fail", f"{says}; unreachable from here, too: {here}", "is it running?")
        says += "; it accepts connections from here"
        return Check(subject, "note", says, "the next call tries again")
    runs = told is not None and told["reachable"]
    if here and not (runs and section.command):
        missing = bool(section.command)
        says = here if missing else f"{section.url} is not reachable: {here}"
        return Check(subject, "fail", says, "install it, or give its path" if missing else "is it running?")
    says = f"starts {' '.join(section.command)}" if section.command else section.url
    if runs:
        says += f"; reachable since {_since(told)}"
    return _standing(subject, section, says)


def _from_here(config: Config, section: UpstreamSection) -> str:
    """Return why an upstream is not reachable from here; empty if it is."""
    if not section.command:
        return no_connection(section.url)
    program = section.command[0]
    found = shutil.which(program) or (config.at(section.cwd) / program).is_file()
    return "" if found else f"program `{program}` does not exist"


def _remediation(section: UpstreamSection, here: str) -> str:
    if section.command:
        return here or "read its last output in remit's log; remit restarts it"
    return (
        "is it running?" if here else "it accepts connections from here: does it serve MCP at this address?"
    )


def _since(told: Json) -> str:
    when = datetime.fromisoformat(told["since"])
    ago = span((when - datetime.now(UTC)).total_seconds())
    return f"{when.astimezone():%Y-%m-%d %H:%M:%S} ({ago})"


def _standing(subject: str, section: UpstreamSection, says: str) -> Check:
    if section.observed:
        return Check(subject, "note", f"{says}; OBSERVE MODE: nothing is refused", "set `mode: enforce`")
    if section.sender_constraint == "optional":
        return Check(
            subject,
            "note",
            f"{says}; a bearer token, even a stolen one, permits calls of every tier",
            "set `sender_constraint: required`",
        )
    return Check(subject, "ok", says)
