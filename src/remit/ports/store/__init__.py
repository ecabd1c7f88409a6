# SPDX-License-Identifier: Apache-2.0
"""The store: state and evidence, committed together; one Protocol for each room, and all changes."""
