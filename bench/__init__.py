# SPDX-License-Identifier: Apache-2.0
"""The figures: what a governed call costs beside a direct one, a plain relay and a plain MCP proxy."""
