# SPDX-License-Identifier: Apache-2.0
"""The SPIFFE Workload API: gRPC on a Unix socket, for workloads of this machine."""
