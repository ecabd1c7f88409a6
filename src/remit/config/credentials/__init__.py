# SPDX-License-Identifier: Apache-2.0
"""Configuration of the sources of upstream credentials, a module for each source."""
