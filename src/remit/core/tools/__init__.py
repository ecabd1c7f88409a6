# SPDX-License-Identifier: Apache-2.0
"""Tools as administrators describe them: arguments, effects, constraints, HTTP APIs, suggested descriptions.

`core.flow` reads the results of tools.
"""
