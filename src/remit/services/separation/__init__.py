# SPDX-License-Identifier: Apache-2.0
"""Separation of duties: who made a sign-in code for which person, and the last administrators.

No person may act as their own second person, however many accounts they have.
"""
