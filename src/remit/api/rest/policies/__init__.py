# SPDX-License-Identifier: Apache-2.0
"""REST endpoints that look at what policies decide: beside those in force, and of one call."""
