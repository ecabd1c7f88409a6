# SPDX-License-Identifier: Apache-2.0
"""Shared Signals: received from others, sent to others, and notifications to people.

What a signal takes away goes through `services.endings` and `services.identity`.
"""
