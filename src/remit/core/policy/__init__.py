# SPDX-License-Identifier: Apache-2.0
"""The policy bundle, and its reach.

An adapter of `ports.policy` evaluates the policies themselves.
"""
