# SPDX-License-Identifier: Apache-2.0
"""What events say: one struct for each kind, in a module for each room that they tell of.

Not what becomes of an event (`core.evidence.event`), nor what is read from a log, which may have been written
by another version.
"""
