# SPDX-License-Identifier: Apache-2.0
"""Ports of telemetry: where traces of calls go."""
