# SPDX-License-Identifier: Apache-2.0
"""Apart: what agents import. It knows the wire, not the services."""
