# SPDX-License-Identifier: Apache-2.0
"""Backups of a store: one file, in a form that is the same for every database."""
