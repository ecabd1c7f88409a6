# SPDX-License-Identifier: Apache-2.0
"""What wakes the other replicas where the store is not to do it."""

from __future__ import annotations

import ssl

from remit.compose.replicas import several
from remit.compose.sources import tls_of
from remit.config import Config
from remit.config.sections.nats import nats_servers
from remit.core.errors import ConfigInvalid
from remit.ports.wakeup import Waker


def waker_of(config: Config) -> Waker | None:
    """Return the way that the configuration names; `None` where the store itself wakes."""
    section = config.replica.nats
    if section is None or not several(config):
        return None
    from remit.adapters.waker.nats import Login, NatsWaker

    servers = nats_servers(section)

    def login() -> Login:
        return Login(
            user=section.user,
            password=section.password.resolve() if section.password else "",
            token=section.token.resolve() if section.token else "",
            credentials=section.credentials.resolve_lines() if section.credentials else "",
        )

    def tls() -> ssl.SSLContext | None:
        if not servers[0].startswith("tls://"):
            return None
        try:
            context = tls_of(section.tls_ca, config) or ssl.create_default_context()
            if section.tls_certificate:
                context.load_cert_chain(config.at(section.tls_certificate), config.at(section.tls_key))
        except OSError as fault:
            # What TLS itself says of a file that it cannot read does not name it.
            raise ConfigInvalid(
                f"a file of `replica.nats` cannot be used for TLS: {fault.strerror or fault}",
                key="replica.nats",
                remediation="look at `tls_ca`, `tls_certificate` and `tls_key`",
            ) from None
        return context

    return NatsWaker(servers, f"{section.subject}.{config.tenant.replace('.', '_')}", login=login, tls=tls)
