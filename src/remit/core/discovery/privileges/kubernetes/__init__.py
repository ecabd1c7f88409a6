# SPDX-License-Identifier: Apache-2.0
"""Kubernetes: roles, bindings, service accounts and workloads, and what their holders could gain. Pure."""
