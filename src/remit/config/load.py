# SPDX-License-Identifier: Apache-2.0
"""Reading `remit.yaml`."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from remit.config.credentials.lease import check_lease
from remit.config.folders import find_config
from remit.config.reading.decoding import Problems, read, suggestion
from remit.config.reading.folder import Folder
from remit.config.reading.secret_reference import looks_secret
from remit.config.reading.yaml_lines import Node, read_text, read_yaml
from remit.config.sections.audiences import check_within
from remit.config.sections.directory import check_directory
from remit.config.sections.environment import check_environment
from remit.config.sections.evidence import check_evidence
from remit.config.sections.governance import check_approvals, check_scim
from remit.config.sections.keys import check_keys
from remit.config.sections.listen import check_listen
from remit.config.sections.notify import check_notify
from remit.config.sections.policy import check_policy
from remit.config.sections.secret_sources import check_secrets
from remit.config.sections.signals import check_signals
from remit.config.sections.store import check_store
from remit.config.sections.trust import address_fault, check_trust
from remit.config.sections.workload_api import check_workload_api
from remit.config.settings import CONFIG_NAME, Config, UpstreamSection
from remit.config.telemetry import check_telemetry
from remit.config.upstream_process import check_arguments, check_foreign, check_programs, check_variables
from remit.core.coding.calls import CLIENTS
from remit.core.errors import ConfigInvalid
from remit.core.hooks.forms import unsupported
from remit.core.label import AUDIENCE_RULE, audience_fault
from remit.core.policy.bundle import file_digest
from remit.core.tasks.plan import PLAN_TOOL

_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
#: Headers that remit writes itself, so that no configuration can break the framing of a request.
_OWN_HEADERS = frozenset(
    {"connection", "content-length", "host", "te", "trailer", "transfer-encoding", "upgrade"}
)


def config_path(where: Path | str) -> Path:
    """Return the absolute path of the configuration: a file, or the `remit.yaml` of a folder."""
    return find_config(str(where))


def load_config(where: Path | str = CONFIG_NAME) -> Config:
    """Read the configuration; raises `ConfigInvalid` with the first problem and the number of others."""
    config, problems = examine_config(where)
    if problems or config is None:
        raise first_of(problems)
    return config


def examine_config(where: Path | str = CONFIG_NAME) -> tuple[Config | None, list[ConfigInvalid]]:
    """Read the configuration as far as possible, and return it with all its problems."""
    path = config_path(where)
    folder = Folder(path.parent)
    try:
        content = folder.read(path)
        node = read_yaml(read_text(content, path.name), path.name)
    except ConfigInvalid as fault:
        return None, [fault]
    problems = Problems(path.name, path.parent)
    config = read(node, Config, problems)
    if isinstance(config, msgspec.UnsetType):
        return None, _in_order(problems.found)
    _check(config, node, problems)
    config = msgspec.structs.replace(config, file=str(path), file_sha256=file_digest(content))
    return config, _in_order(problems.found)


def first_of(problems: list[ConfigInvalid]) -> ConfigInvalid:
    """Return the first problem as the exception to raise; its remediation states the number of others."""
    first = problems[0]
    others = len(problems) - 1
    if others:
        more = f"{others} more problem{'s' if others > 1 else ''}: `remit policy check` lists all"
        first.remediation = f"{first.remediation} ({more})" if first.remediation else more
    return first


def _in_order(found: list[ConfigInvalid]) -> list[ConfigInvalid]:
    return sorted(found, key=lambda problem: problem.line or 0)


def _check_guards(config: Config, node: Node, problems: Problems) -> None:
    written = node.value.get("upstreams") if isinstance(node.value, dict) else None
    owners = config.upstreams or config.guards or config.functions
    if not owners and not (written is not None and written.value):
        problems.add(
            "is missing" if written is None else "is empty",
            line=node.line_of("upstreams"),
            key="upstreams",
            remediation="add `upstreams:`" if written is None else "add at least one entry",
        )
    for name, section in config.guards.items():
        why, remedy = f"`{name}` is no client that remit can guard", f"use one of {', '.join(CLIENTS)}"
        if name in CLIENTS:
            why, remedy = unsupported(name, section.mode, section.permits)
        if why:
            problems.add(why, line=node.line_of("guards"), key=f"guards.{name}", remediation=remedy)
        if name in config.upstreams:
            problems.add(
                f"`{name}` is an upstream, too",
                line=node.line_of("guards"),
                key=f"guards.{name}",
                remediation="rename the upstream",
            )


def _check_functions(config: Config, node: Node, problems: Problems) -> None:
    """Each name owns tools in one way: what remit carries out itself is never left to an agent."""
    points = {name for point in config.enforcement_points.values() for name in point.resources}
    for name in config.functions:
        if name in config.upstreams or name in config.guards or name in points:
            key, way = f"functions.{name}", "choose another name"
            what = f"`{name}` owns tools in another section, too"
            problems.add(what, line=node.line_of(key), key=key, remediation=way)


def _check(config: Config, node: Node, problems: Problems) -> None:
    """Check rules across several values."""
    for name, upstream in config.upstreams.items():
        _check_upstream(f"upstreams.{name}", upstream, node, problems)
    _check_guards(config, node, problems)
    _check_functions(config, node, problems)
    _check_callbacks(config, node, problems)
    if (own := PLAN_TOOL.upstream) in config.governed:
        # An approval of a call there could be used to extend a plan.
        key = f"upstreams.{own}" if own in config.upstreams else "enforcement_points"
        key = f"functions.{own}" if own in config.functions else key
        way = "choose another name"
        problems.add(f"`{own}` is reserved for remit", line=node.line_of(key), key=key, remediation=way)
    _check_classes(config, node, problems)
    if config.limits.max_bodies_bytes < 4 * config.limits.max_request_bytes:
        problems.add(
            "is less than four times `limits.max_request_bytes`: one large request could not be read",
            line=node.line_of("limits"),
            key="limits.max_bodies_bytes",
            remediation="raise it, or lower the other",
        )
    check_programs(config.programs, node, problems)
    check_listen(config.listen, config.upstreams, node, problems)
    check_environment(config.environment, node, problems)
    check_trust(config.trust, node, problems)
    check_policy(config.policy, node, problems)
    check_scim(config.agents.scim, node, problems)
    check_approvals(config.approvals, config.limits.approval_ttl_s, node, problems)
    check_notify(config.notify, config.trust.plain_loopback, node, problems)
    check_evidence(config.evidence, config.trust.plain_loopback, node, problems)
    check_telemetry(config.telemetry, node, problems)
    check_signals(config.signals, config.trust.plain_loopback, node, problems)
    check_keys(config.keys, node, problems)
    check_store(config.store, node, problems)
    check_secrets(config, config.secrets, config.keys, node, problems)
    if config.workload_api is not None:
        check_workload_api(config.workload_api, node, problems)
    if config.listen.public_url:
        _check_url(config.listen.public_url, "listen.public_url", node, problems)
    places = {
        "store.path": config.store.path,
        "keys.path": config.keys.path,
        "log_head.path": config.log_head.path,
    }
    if config.store.kind != "sqlite":
        del places["store.path"]
    real = {key: os.path.abspath(config.at(path)) for key, path in places.items()}
    for key in ("keys.path", "log_head.path"):
        # Keys and head reveal a stolen or rolled back store: they must be kept apart from it.
        if real[key] == real.get("store.path") or (key == "log_head.path" and real[key] == real["keys.path"]):
            problems.add(
                "is used twice", line=node.line_of(key), key=key, remediation="give each its own path"
            )


def _check_upstream(key: str, upstream: UpstreamSection, node: Node, problems: Problems) -> None:
    line = node.line_of(key)
    if bool(upstream.command) == bool(upstream.url):
        what = "has both `command` and `url`" if upstream.url else "has neither `command` nor `url`"
        problems.add(
            what, line=line, key=key, remediation="give `command` for a local program or `url` for a server"
        )
        return
    check_foreign(upstream, key, node, problems)
    if upstream.url:
        _check_url(upstream.url, f"{key}.url", node, problems)
        if upstream.openapi and "?" in upstream.url:
            # The path of each operation is appended to it.
            problems.add(
                "has a query",
                line=node.line_of(f"{key}.url"),
                key=f"{key}.url",
                remediation="end it after the path",
            )
    if upstream.lease is not None:
        check_lease(upstream.lease, f"{key}.lease", node, problems)
    for place, word in enumerate(upstream.command):
        if looks_secret(word):
            problems.add(
                "looks like a literal secret",
                line=node.line_of(f"{key}.command[{place}]"),
                key=f"{key}.command",
                remediation="pass it under `env:`, as `NAME: env:NAME` or `NAME: file:path`",
            )
    leased = upstream.lease.headers if upstream.lease else {}
    names = [f"headers.{name}" for name in upstream.headers] + [f"lease.headers.{name}" for name in leased]
    for place_of in names:
        at, name = f"{key}.{place_of}", place_of.rpartition("headers.")[2]
        if not _HEADER.fullmatch(name) or name.lower() in _OWN_HEADERS:
            problems.add(
                "cannot be set",
                line=node.line_of(at),
                key=at,
                remediation="remove it; remit writes the framing",
            )
    check_arguments(upstream, key, node, problems)
    check_variables(upstream, key, node, problems)


def _check_url(url: str, key: str, node: Node, problems: Problems) -> None:
    line = node.line_of(key)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        problems.add("is not a URL", line=line, key=key, remediation="write `https://host/path`")
        return
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or port == 0
        or any(c.isspace() for c in url)
    ):
        problems.add(
            "is not an http or https URL", line=line, key=key, remediation="write `https://host/path`"
        )
    elif "@" in parts.netloc:
        problems.add(
            "contains a name or password",
            line=line,
            key=key,
            remediation="give it as a header: `Authorization: env:NAME`",
        )
    elif parts.fragment or (parts.query and key.startswith("listen")):
        problems.add(
            "has a query or fragment", line=line, key=key, remediation="remove what follows `#` or `?`"
        )


def _check_callbacks(config: Config, node: Node, problems: Problems) -> None:
    for name, point in config.enforcement_points.items():
        key = f"enforcement_points.{name}"
        for one in point.callbacks:
            if fault := address_fault(one, config.trust.plain_loopback):
                at = f"{key}.callbacks"
                problems.add(fault, line=node.line_of(at), key=at, remediation="write `https://host/path`")
        secret = point.callback_secret
        fine = not point.callbacks if secret is None else secret.secret and not secret.lead
        if not fine:
            at = f"{key}.callback_secret"
            problems.add("is not a reference", line=node.line_of(at), key=at, remediation="write `env:NAME`")


def _check_classes(config: Config, node: Node, problems: Problems) -> None:
    order = config.classes.order
    if len(set(order)) != len(order):
        problems.add(
            "has a duplicate class",
            line=node.line_of("classes.order"),
            key="classes.order",
            remediation="keep one of them",
        )
    for audience in config.classes.categories:
        if fault := audience_fault(audience):
            key = f"classes.categories.{audience}"
            problems.add(fault, line=node.line_of(key), key=key, remediation=AUDIENCE_RULE)
    check_directory(config.directory, node, problems)
    check_within(config.classes.within, config.data_classes, config.groups, node, problems)
    for audience, data_class in (config.classes.clearance or {}).items():
        key = f"classes.clearance.{audience}"
        if data_class not in order:
            problems.add(
                f"`{data_class}` is not a data class",
                line=node.line_of(key),
                key=key,
                remediation=suggestion(data_class, order),
            )
        if fault := audience_fault(audience):
            problems.add(fault, line=node.line_of(key), key=key, remediation=AUDIENCE_RULE)
