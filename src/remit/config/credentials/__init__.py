# SPDX-License-Identifier: Apache-2.0
"""Configuration of where credentials of upstreams come from, a module for each source."""
