# SPDX-License-Identifier: Apache-2.0
"""Shared Signals: received from others, sent to others, and notifications to people.

The removal of authority that a signal causes goes through `services.endings` and `services.identity`.
"""
