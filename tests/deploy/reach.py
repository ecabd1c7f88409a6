# SPDX-License-Identifier: Apache-2.0
"""Which connections NetworkPolicies permit, by the rules of `networking.k8s.io/v1`.

Only what the chart uses is known; anything else in a policy is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple

Json = Any


class End(NamedTuple):
    """One end of a connection: a pod, or with an address alone something outside the cluster."""

    namespace: str = ""
    labels: dict[str, str] = {}
    address: str = ""


def reaches(policies: Sequence[Json], source: End, target: End, port: int, protocol: str = "TCP") -> bool:
    """Return whether a connection is permitted: its source may leave so, and its target be entered so."""
    asked = (port, protocol)
    return _permits(policies, "egress", source, target, asked) and _permits(
        policies, "ingress", target, source, asked
    )


def _permits(policies: Sequence[Json], way: str, own: End, other: End, asked: tuple[int, str]) -> bool:
    binding = [
        one
        for one in policies
        if one["metadata"]["namespace"] == own.namespace
        and way.capitalize() in one["spec"]["policyTypes"]
        and _selects(one["spec"]["podSelector"], own.labels)
    ]
    # What no policy selects may do anything.
    return not binding or any(
        _rule(rule, "to" if way == "egress" else "from", own, other, asked)
        for one in binding
        for rule in one["spec"].get(way, [])
    )


def _rule(rule: Json, key: str, own: End, other: End, asked: tuple[int, str]) -> bool:
    assert set(rule) <= {key, "ports"}
    ports = [(one["port"], one.get("protocol", "TCP")) for one in rule.get("ports", [])]
    return any(_peer(one, own, other) for one in rule[key]) and (not ports or asked in ports)


def _peer(peer: Json, own: End, other: End) -> bool:
    assert set(peer) <= {"podSelector", "namespaceSelector", "ipBlock"}
    if "ipBlock" in peer:
        assert set(peer["ipBlock"]) == {"cidr"}
        return bool(other.address) and ip_address(other.address) in ip_network(peer["ipBlock"]["cidr"])
    if not other.namespace:
        return False
    if "namespaceSelector" in peer:
        space = _selects(peer["namespaceSelector"], {"kubernetes.io/metadata.name": other.namespace})
    else:
        space = other.namespace == own.namespace
    return space and _selects(peer.get("podSelector", {}), other.labels)


def _selects(selector: Json, labels: dict[str, str]) -> bool:
    assert set(selector) <= {"matchLabels"}
    return bool(selector.get("matchLabels", {}).items() <= labels.items())
