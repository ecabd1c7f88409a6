# SPDX-License-Identifier: Apache-2.0
"""Backup and restore of a process's store, keys and log head, from the configuration."""
