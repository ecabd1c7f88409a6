# SPDX-License-Identifier: Apache-2.0
"""What policies may know of time and place: time windows, and network zones."""

from __future__ import annotations

from datetime import time
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Meta

from remit.config.reading.decoding import Problems
from remit.config.reading.section import Name, Section, Text
from remit.config.reading.yaml_lines import Node
from remit.core.circumstances.circumstances import UNKNOWN
from remit.core.circumstances.networks import LONGEST_IPV6, network_of
from remit.core.circumstances.time_window import DAYS, TimeWindow

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_TIME: Final = Meta(
    pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", extra={"rule": "write hours and minutes, `08:00`"}
)


class WindowSection(Section, frozen=True, kw_only=True):
    """A part of the week, such as business hours, in a time zone with its summer time."""

    zone: Annotated[Text, Meta(description="Time zone by its IANA name, such as `Europe/Berlin`.")]
    days: Annotated[tuple[Day, ...], Meta(min_length=1, description="The days on which it opens.")] = DAYS  # type: ignore[assignment]
    opens: Annotated[str, _TIME, Meta(description="The time at which it opens.")]
    closes: Annotated[
        str,
        _TIME,
        Meta(description="The time at which it closes; not after `opens`: on the next day."),
    ]

    @property
    def window(self) -> TimeWindow:
        """The window in the form of core."""
        return TimeWindow(
            zone=self.zone,
            days=frozenset(DAYS.index(one) for one in self.days),
            opens=time.fromisoformat(self.opens),
            closes=time.fromisoformat(self.closes),
        )


class EnvironmentSection(Section, frozen=True, kw_only=True):
    """What policies may know of time and place (`context.environment`)."""

    windows: Annotated[dict[Name, WindowSection], Meta(description="Time windows, by name.")] = {}
    networks: Annotated[
        dict[Name, tuple[Text, ...]],
        Meta(
            description="Network zones, by name: networks in CIDR notation (IPv6: `/64` or wider). The "
            "narrowest network that holds the sender of a call names its zone; senders behind "
            "`listen.proxies` are found by `X-Forwarded-For`."
        ),
    ] = {}


def check_environment(section: EnvironmentSection, node: Node, problems: Problems) -> None:
    """Note zones that this machine does not know, and texts that are no networks."""
    for name, window in section.windows.items():
        try:
            ZoneInfo(window.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            key = f"environment.windows.{name}.zone"
            problems.add(
                f"`{window.zone[:80]}` is not a time zone that this machine knows",
                line=node.line_of(key),
                key=key,
                remediation="write its IANA name, such as `Europe/Berlin`; install the system's tzdata",
            )
    for name, texts in section.networks.items():
        key = f"environment.networks.{name}"
        if name == UNKNOWN:
            problems.add(
                "is the word for senders in no zone",
                line=node.line_of(key),
                key=key,
                remediation="give the zone another name",
            )
        for text in texts:
            try:
                network_of(text)
            except ValueError:
                problems.add(
                    f"`{text[:80]}` is not a network",
                    line=node.line_of(key),
                    key=key,
                    remediation="write it in CIDR notation without host bits, such as `192.0.2.0/24`; IPv6 "
                    f"at most as `/{LONGEST_IPV6}`",
                )
