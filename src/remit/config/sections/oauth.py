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
            description="How long a refresh token is good unless it is used; it never outlives its task.",
        ),
    ] = 8 * 3600
    clock_skew_s: Annotated[
        Seconds,
        Meta(ge=0, le=120, description="How far the clock of a client may be from ours."),
    ] = 5
    introspectors: Annotated[
        tuple[Name, ...],
        Meta(description="Agents that may ask about every token, as resources of their own must."),
    ] = ()
