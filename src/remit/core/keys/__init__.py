# SPDX-License-Identifier: Apache-2.0
"""Keys and signatures in the formats of JOSE and AWS, over the `cryptography` library.

It holds no private key at rest (`adapters.keys`) and decides nothing.
"""
