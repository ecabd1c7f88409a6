# SPDX-License-Identifier: Apache-2.0
"""The REST interface: one table of endpoints, each with its handler."""
