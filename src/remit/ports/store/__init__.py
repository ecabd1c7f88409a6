# SPDX-License-Identifier: Apache-2.0
"""The store: state and evidence, committed together, and every change that may be asked of it."""
