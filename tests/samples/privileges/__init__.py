# SPDX-License-Identifier: Apache-2.0
"""Labelled exports of permissions: which escalation paths they hold, and which they nearly hold."""
