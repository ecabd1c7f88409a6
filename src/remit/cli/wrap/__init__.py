# SPDX-License-Identifier: Apache-2.0
"""`remit wrap`, part by part: the client's file, its servers as upstreams, remit's folder, the way back."""
