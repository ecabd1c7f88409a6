# SPDX-License-Identifier: Apache-2.0
"""Fetchers of public documents."""
