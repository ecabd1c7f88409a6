# SPDX-License-Identifier: Apache-2.0
"""Separation of duties: who made a sign-in code for whom, and the last administrators.

Nobody agrees with themselves, whatever number of accounts they have.
"""
