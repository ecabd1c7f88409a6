# SPDX-License-Identifier: Apache-2.0
"""`ports.telemetry.tracer.Tracer` by OpenTelemetry."""
