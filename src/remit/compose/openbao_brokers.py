# SPDX-License-Identifier: Apache-2.0
"""The brokers of OpenBao credentials, from the configuration."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from remit.compose.sources import tls_of
from remit.config import BaoAuthSection, Config, LeaseSection, OpenBaoLeaseSection
from remit.config.credentials.openbao import BaoSourceSection
from remit.ports.broker import Broker
from remit.ports.runtime import Clock

if TYPE_CHECKING:
    from remit.adapters.broker.openbao.client import BaoLogin, BaoSource


def openbao_broker(
    lease: LeaseSection,
    openbao: OpenBaoLeaseSection,
    config: Config,
    clock: Clock,
    stack: AsyncExitStack,
    *,
    sink_ca: str,
) -> Broker:
    """Return the broker of an upstream whose credentials come from OpenBao.

    `sink_ca` are the authorities that verify the upstream.
    """
    bao = source_of(openbao, config, clock, stack)
    if openbao.pki is not None:
        from remit.adapters.broker.openbao.pki import OpenBaoPkiBroker
        from remit.adapters.upstream.client_tls import showing

        trusted = str(config.at(sink_ca)) if sink_ca else None

        return OpenBaoPkiBroker(
            bao,
            openbao.pki.mount,
            openbao.pki.role,
            clock=clock,
            probe_url=openbao.pki.probe_url,
            showing=partial(showing, partial(ssl.create_default_context, cafile=trusted)),
            parameters=openbao.parameters,
            headers=lease.headers,
            env=lease.env,
        )
    if openbao.tokens is not None:
        from remit.adapters.broker.openbao.tokens import OpenBaoTokenBroker

        return OpenBaoTokenBroker(
            bao,
            openbao.tokens.role,
            clock=clock,
            policies=openbao.tokens.policies,
            tool_policies=openbao.tokens.tool_policies,
            headers=lease.headers,
            env=lease.env,
        )
    if openbao.static is not None:
        from remit.adapters.broker.openbao.static_roles import OpenBaoStaticBroker

        return OpenBaoStaticBroker(
            bao,
            openbao.static.mount,
            openbao.static.role,
            login=openbao.login,
            headers=lease.headers,
            env=lease.env,
        )
    from remit.adapters.broker.openbao.dynamic_secrets import OpenBaoBroker

    return OpenBaoBroker(
        bao,
        openbao.path,
        parameters=openbao.parameters,
        headers=lease.headers,
        env=lease.env,
        login=openbao.login,
    )


def source_of(at: BaoSourceSection, config: Config, clock: Clock, stack: AsyncExitStack) -> BaoSource:
    """Return an OpenBao client with remit's login there; `stack` closes its connections."""
    from remit.adapters.broker.http import BrokerHttp
    from remit.adapters.broker.openbao.client import BaoSource

    web = BrokerHttp(f"OpenBao at `{urlsplit(at.address).netloc}`", tls=tls_of(at.tls_ca, config))
    stack.push_async_callback(web.close)
    return BaoSource(at.address, _known_by(at), web=web, clock=clock, namespace=at.namespace)


def _known_by(openbao: BaoSourceSection) -> Callable[[], str] | BaoLogin:
    if openbao.token is not None:
        return openbao.token.resolve
    assert openbao.auth is not None
    return _login(openbao.auth)


def _login(auth: BaoAuthSection) -> BaoLogin:
    from remit.adapters.broker.openbao.client import BaoLogin

    if auth.approle:
        secret_id = auth.secret_id
        assert secret_id is not None
        return BaoLogin(
            f"auth/{auth.mount or 'approle'}/login",
            lambda: {"role_id": auth.role_id, "secret_id": secret_id.resolve()},
        )
    jwt = auth.jwt
    assert jwt is not None
    return BaoLogin(f"auth/{auth.mount or 'jwt'}/login", lambda: {"role": auth.role, "jwt": jwt.resolve()})
