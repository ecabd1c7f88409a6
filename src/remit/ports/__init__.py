# SPDX-License-Identifier: Apache-2.0
"""Floor 2: what the services need from outside, as Protocols that state durability and concurrency."""
