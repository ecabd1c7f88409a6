# SPDX-License-Identifier: Apache-2.0
"""Records in tool results: fields, lookups, names and references between records.

It finds the record that the words mean. Whether its value may be used is decided in `core.flow`.
"""
