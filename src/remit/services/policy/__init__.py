# SPDX-License-Identifier: Apache-2.0
"""The policy bundle in force, its evaluation, and what can be reached under it.

Bundles are read from files in `config.bundle.bundle`.
"""
