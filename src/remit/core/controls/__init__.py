# SPDX-License-Identifier: Apache-2.0
"""Controls of frameworks, and their status by what was measured."""
