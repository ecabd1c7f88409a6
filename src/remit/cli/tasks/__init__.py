# SPDX-License-Identifier: Apache-2.0
"""Commands about tasks and delegations, and the relays `remit run` and `remit connect`."""
