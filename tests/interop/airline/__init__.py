# SPDX-License-Identifier: Apache-2.0
"""The airline domain of tau2-bench, replayed: a service agent that serves one customer at a time."""
