# SPDX-License-Identifier: Apache-2.0
"""Witnesses and exports of the evidence log, from the configuration."""
