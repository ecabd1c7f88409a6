# SPDX-License-Identifier: Apache-2.0
"""A web shop, seen by a customer: account, catalogue, orders, wish lists and mailbox."""
