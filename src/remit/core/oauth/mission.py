# SPDX-License-Identifier: Apache-2.0
"""A task in terms of the mission drafts: the approved authority, in a form that OAuth can carry and hash.

Each grant is one entry of `authorization_details` (RFC 9396) of the drafts' type. Arguments and ceilings are
remit's own constraints (`arguments`, `other_arguments`, `ceilings`; `all_of` where a grant was narrowed). The
gateway enforces them; a party that does not know a constraint must refuse.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable

import msgspec

from remit.core.canonical import encode
from remit.core.draft_names import AUTHORITY_SET_KIND, MISSION_ACCESS
from remit.core.errors import ConfigInvalid, Malformed
from remit.core.json_value import Json
from remit.core.oauth.resource import Resources
from remit.core.tasks.grant import Grant
from remit.core.tasks.grant.layer import Layer
from remit.core.tasks.task import Task

#: The most entries of one request, and the most tools of one entry.
MAX_ENTRIES = 64
MAX_ACTIONS = 256

BAD_DETAILS = "invalid_authorization_details"


def authority_set(task: Task, resources: Resources) -> list[dict[str, Json]]:
    """Return the authority of a task as entries of `authorization_details`, in the order of its grants."""
    depth = min((rule.max_depth for rule in task.delegates), default=0)
    names = sorted(set.intersection(*(set(rule.to) for rule in task.delegates))) if depth > 0 else []
    out = []
    for grant in task.grants:
        upstream, _, tool = grant.tool.partition("/")
        entry: dict[str, Json] = {
            "type": MISSION_ACCESS,
            "resource": resources.of(upstream),
            "actions": [tool],
            "constraints": _constraints(grant),
        }
        if names:
            entry["delegation"] = {"max_depth": depth, "allowed_delegates": [{"sub": one} for one in names]}
        out.append(entry)
    return out


def _constraints(grant: Grant) -> dict[str, Json]:
    layers = [_written(layer) for layer in grant.layers]
    return layers[0] if len(layers) == 1 else {"all_of": layers}


def _written(layer: Layer) -> dict[str, Json]:
    ceilings = {
        name: value
        for name, value in msgspec.to_builtins(layer.ceilings).items()
        if value is not None and value != {}
    }
    out: dict[str, Json] = {"arguments": layer.arguments, "other_arguments": layer.other_arguments}
    return out | ({"ceilings": ceilings} if ceilings else {})


def authority_hash(issuer: str, authority: list[dict[str, Json]]) -> str:
    """Return the drafts' commitment to the approved authority."""
    return anchor(AUTHORITY_SET_KIND, issuer, authority)


def anchor(kind: str, issuer: str, value: Json) -> str:
    """Return the SHA-256 of a value in an envelope that names its kind and its issuer (RFC 8785 bytes)."""
    found = hashlib.sha256(encode({"typ": kind, "iss": issuer, "value": value})).digest()
    return "sha-256:" + base64.urlsafe_b64encode(found).rstrip(b"=").decode()


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    type: str
    resource: str
    actions: list[str]
    constraints: dict[str, Json] = {}


_OWN = frozenset({"arguments", "other_arguments", "ceilings"})


def asked_grants(details: Json, resources: Resources) -> tuple[Grant, ...]:
    """Return the grants that a request's `authorization_details` request.

    An entry without `arguments` requests its tools with all arguments that are held. Raises `Malformed` (code
    `invalid_authorization_details`) for another type, a resource outside this service, an unknown member and
    an unknown constraint.
    """
    if type(details) is not list or not 0 < len(details) <= MAX_ENTRIES:
        raise _bad(f"it is not a list of 1 to {MAX_ENTRIES} entries")
    out: list[Grant] = []
    for written in details:
        if type(written) is not dict or written.get("type") != MISSION_ACCESS:
            raise _bad(f"the type of each entry is `{MISSION_ACCESS}`")
        try:
            entry = msgspec.convert(written, _Entry)
        except msgspec.ValidationError as error:
            raise _bad(str(error)[:200]) from None
        out += _grants(entry, resources)
    return tuple(dict.fromkeys(out))


def _grants(entry: _Entry, resources: Resources) -> Iterable[Grant]:
    unknown = sorted(entry.constraints.keys() - _OWN)
    if unknown:
        # INVARIANT: an unknown constraint is never ignored.
        raise _bad(f"the constraint `{unknown[0][:60]}` is not known")
    upstreams = resources.upstreams(entry.resource)
    if not upstreams:
        raise _bad(f"`{entry.resource[:100]}` is not a resource of the gateway")
    if not 0 < len(entry.actions) <= MAX_ACTIONS:
        raise _bad(f"an entry has 1 to {MAX_ACTIONS} actions")
    constraints = {"other_arguments": True, **entry.constraints}
    if "arguments" in entry.constraints:
        constraints["other_arguments"] = entry.constraints.get("other_arguments", False)
    for action in entry.actions:
        upstream, tool = _place(action, entry.resource, upstreams, resources)
        try:
            yield Grant.load({"tool": f"{upstream}/{tool}", **constraints})
        except (ConfigInvalid, Malformed) as error:
            raise _bad(error.message) from None


def _place(action: str, resource: str, upstreams: tuple[str, ...], resources: Resources) -> tuple[str, str]:
    """Return upstream and tool of an action; at the joined resource the action is named `upstream__tool`."""
    if resource != resources.joined:
        return upstreams[0], action
    upstream, mark, tool = action.partition("__")
    if not mark or upstream not in upstreams:
        raise _bad(f"`{action[:100]}` is not a tool of `{resource}`")
    return upstream, tool


def _bad(why: str) -> Malformed:
    return Malformed(
        f"the authorization details cannot be used: {why}",
        code=BAD_DETAILS,
        remediation="ask for tools that the task is granted, by resource and action",
    )
