# SPDX-License-Identifier: Apache-2.0
"""Records in tool results: fields, lookups, names and references between records.

This package finds the record that the words mean. `core.flow` decides whether its values may be used.
"""
