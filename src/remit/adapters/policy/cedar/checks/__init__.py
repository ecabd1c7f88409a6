# SPDX-License-Identifier: Apache-2.0
"""Checks of policies: in a separate process, and only of what is not known from before."""
