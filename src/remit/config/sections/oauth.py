# SPDX-License-Identifier: Apache-2.0
"""How the authorization server issues tokens."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from remit.config.reading.section import Name, Seconds, Section


class OAuthSection(Section, frozen=True, kw_only=True):
    """Settings of tokens, besides their lifetime (`limits.token_ttl_s`)."""

    refresh_ttl_s: Annotated[
        Seconds,
        Meta(
            ge=60,
            le=30 * 86400,
            description="Lifetime of an unused refresh token; it never outlives its task.",
        ),
    ] = 8 * 3600
    clock_skew_s: Annotated[
        Seconds,
        Meta(ge=0, le=120, description="Permitted clock difference between a client and remit."),
    ] = 5
    introspectors: Annotated[
        tuple[Name, ...],
        Meta(description="Agents that may introspect every token, as separate resource servers must."),
    ] = ()
