# SPDX-License-Identifier: Apache-2.0
"""The SPIFFE Workload API and trust bundle of remit's own trust domain."""
