# SPDX-License-Identifier: Apache-2.0
"""Processes of upstreams: started, guarded, kept apart, and ended with everything that they started.

Modules that run inside the guard import the standard library alone.
"""
