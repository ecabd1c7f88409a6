# SPDX-License-Identifier: Apache-2.0
"""Floor 2: the external services that remit needs, as Protocols that state durability and concurrency."""
