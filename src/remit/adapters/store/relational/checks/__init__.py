# SPDX-License-Identifier: Apache-2.0
"""Rows that decisions rest on, compared with what the log says."""
