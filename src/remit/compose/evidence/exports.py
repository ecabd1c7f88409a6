# SPDX-License-Identifier: Apache-2.0
"""The sinks of continuous exports from the configuration."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from datetime import timedelta
from functools import partial

from remit.adapters.evidence_sinks.file import FileSink
from remit.adapters.evidence_sinks.http import HttpsSink, OtlpSink
from remit.adapters.evidence_sinks.syslog import SyslogSink
from remit.compose.fetching import guarded_fetch
from remit.config import Config, SecretRef
from remit.config.sections.evidence import ExportSection, host_and_port
from remit.core.errors import ConfigInvalid
from remit.ports.evidence.sinks import EvidenceSink
from remit.services.evidence.exports import ExportTarget


def export_targets(config: Config) -> Mapping[str, ExportTarget]:
    """Return where the evidence goes; raises `ConfigInvalid` if certificate authorities are unreadable."""
    return {
        name: ExportTarget(
            name=name,
            sink=_sink(config, one),
            people=one.people,
            values=frozenset(one.values),
            leaf=one.leaf,
            lag=timedelta(seconds=one.lag),
        )
        for name, one in config.evidence.exports.items()
    }


def _sink(config: Config, one: ExportSection) -> EvidenceSink:
    if one.to == "file":
        return FileSink(config.at(one.path), rotate=int(one.rotate), fsync=one.fsync == "always")
    if one.to == "syslog":
        host, port = host_and_port(one.host) or ("", 0)
        return SyslogSink(host, port, tls=partial(_tls, config, one.tls_ca) if one.tls else None)
    deliver = guarded_fetch(
        private=one.private,
        plain_loopback=config.trust.plain_loopback,
        ca_file=config.at(one.tls_ca) if one.tls_ca else None,
    )
    kind = HttpsSink if one.to == "https" else OtlpSink
    return kind(one.url, partial(_resolved, one.headers), deliver=deliver)


def _tls(config: Config, ca: str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=str(config.at(ca)) if ca else None)
    except (OSError, ssl.SSLError):
        raise ConfigInvalid(
            f"the certificate authorities in `{ca}` cannot be read", remediation="give a PEM file"
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _resolved(headers: Mapping[str, SecretRef]) -> Mapping[str, str]:
    return {name: ref.resolve() for name, ref in headers.items()}
