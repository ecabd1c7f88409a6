# SPDX-License-Identifier: Apache-2.0
"""HTTP APIs as upstreams: a request written from the decided arguments, and its response."""
