# SPDX-License-Identifier: Apache-2.0
"""Floor 4: the endpoints for traffic of agents. An endpoint adds no rules."""
