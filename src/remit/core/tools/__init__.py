# SPDX-License-Identifier: Apache-2.0
"""Tools as administrators describe them: arguments, effects, constraints, HTTP APIs, suggested descriptions.

What a tool returns is read in `core.flow`.
"""
