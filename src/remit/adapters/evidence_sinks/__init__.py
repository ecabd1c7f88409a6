# SPDX-License-Identifier: Apache-2.0
"""`ports.evidence.sinks.EvidenceSink` by files, HTTPS, OTLP and syslog."""
