# SPDX-License-Identifier: Apache-2.0
"""The evidence log, from the configuration."""
