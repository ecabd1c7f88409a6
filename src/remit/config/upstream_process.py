# SPDX-License-Identifier: Apache-2.0
"""The settings of an upstream that is a program, and of one that is an address."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from remit.config.reading.decoding import Problems
from remit.config.reading.yaml_lines import Node
from remit.config.settings import ProgramsSection, UpstreamSection

#: Lower ids belong to users of the system, and to people at the machine.
_FIRST_USER: Final = 10_000
_LAST_USER: Final = 2**31 - 1
#: Names the lease that a process serves; remit sets it.
_OWN: Final = "REMIT_LEASE"


def check_foreign(upstream: UpstreamSection, key: str, node: Node, problems: Problems) -> None:
    """Note settings of the other kind of upstream, and a lease that a program cannot carry."""
    lease = upstream.lease
    if upstream.command:
        foreign: dict[str, object] = {"headers": upstream.headers, "tls_ca": upstream.tls_ca}
        foreign["openapi"] = upstream.openapi
        if lease is not None:
            foreign |= {"lease.headers": lease.headers, "lease.per": lease.per == "call"}
            foreign["lease.password"] = lease.password is not None
    else:
        foreign = {"env": upstream.env, "per_task": upstream.per_task}
        foreign["environment"] = upstream.environment != "minimal"
        foreign["apart"] = upstream.apart != "where-possible"
        foreign["lease.env"] = lease.env if lease is not None else {}
    if lease is not None and lease.password is not None and lease.per == "call":
        problems.add(
            "has no meaning with `password`, a standing credential",
            line=node.line_of(f"{key}.lease.per"),
            key=f"{key}.lease.per",
            remediation="remove it",
        )
    for name, value in foreign.items():
        if value:
            problems.add(
                f"has no meaning beside `{'command' if upstream.command else 'url'}`",
                line=node.line_of(f"{key}.{name}"),
                key=f"{key}.{name}",
                remediation="remove it",
            )
    if lease is not None and lease.aws is not None and lease.aws.sign_service and not upstream.openapi:
        problems.add(
            "has no meaning without `openapi`",
            line=node.line_of(f"{key}.lease.aws.sign_service"),
            key=f"{key}.lease.aws.sign_service",
            remediation="give `headers` or `env`; calls of MCP are not signed",
        )
    if lease is not None and lease.shows and not (upstream.openapi and upstream.url.startswith("https:")):
        problems.add(
            "does not state how calls send the certificate",
            line=node.line_of(f"{key}.lease"),
            key=f"{key}.lease",
            remediation="give `headers` or `env`; the connection presents it to an https `url` with "
            "`openapi`",
        )
    if upstream.command and lease is not None and lease.sources and not lease.env:
        problems.add(
            "does not state how the program gets the credential",
            line=node.line_of(f"{key}.lease"),
            key=f"{key}.lease",
            remediation="give `env`, such as `API_TOKEN: '{token}'`",
        )


def check_arguments(upstream: UpstreamSection, key: str, node: Node, problems: Problems) -> None:
    """Note values that neither a word of the command contains nor the address after its host."""
    after = urlsplit(upstream.url)
    places = (*upstream.command, after.path, after.query)
    for name in upstream.arguments:
        if not any(f"${{{name}}}" in word for word in places):
            where = "word of the command" if upstream.command else "path or query of the address"
            problems.add(
                f"is in no {where} as `${{{name}}}`",
                line=node.line_of(f"{key}.arguments.{name}"),
                key=f"{key}.arguments.{name}",
                remediation="write it there, or remove it",
            )


def check_programs(programs: ProgramsSection, node: Node, problems: Problems) -> None:
    """Note an invalid range of user ids."""
    users = programs.users
    if users and not (len(users) == 2 and _FIRST_USER <= users[0] <= users[1] <= _LAST_USER):
        problems.add(
            f"is not a range of user ids from {_FIRST_USER}",
            line=node.line_of("programs.users"),
            key="programs.users",
            remediation="give the first and the last one, such as `[2000000000, 2000000999]`",
        )


def check_variables(upstream: UpstreamSection, key: str, node: Node, problems: Problems) -> None:
    """Note names that an environment variable cannot have."""
    leased = upstream.lease.env if upstream.lease is not None else {}
    for name in (*(f"env.{one}" for one in upstream.env), *(f"lease.env.{one}" for one in leased)):
        variable = name.rpartition("env.")[2]
        if not variable or "=" in variable or "\0" in variable or variable == _OWN:
            at = f"{key}.{name}"
            problems.add(
                "cannot name a variable",
                line=node.line_of(at),
                key=at,
                remediation="use letters, digits and `_`",
            )
