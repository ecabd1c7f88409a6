# SPDX-License-Identifier: Apache-2.0
"""Where traces of calls go."""

from __future__ import annotations

from remit.config import Config
from remit.core.errors import ConfigInvalid
from remit.ports.telemetry.tracer import Tracer


def tracer_of(config: Config) -> Tracer | None:
    """Return what sends traces; None without a collector. Raises `ConfigInvalid` without the extra."""
    section = config.telemetry.traces
    if section is None:
        return None
    try:
        from remit.adapters.telemetry.opentelemetry import OpenTelemetryTracer
    except ImportError:
        raise ConfigInvalid(
            "OpenTelemetry's SDK is not installed",
            key="telemetry.traces",
            remediation="install the extra (`pip install 'remit[traces]'`)",
        ) from None
    return OpenTelemetryTracer(
        section.url,
        headers={name: ref.resolve() for name, ref in section.headers.items()},
        ca_file=str(config.at(section.tls_ca)) if section.tls_ca else None,
        share=1 / section.one_in,
        callers_sample=section.callers_sample,
    )
