# SPDX-License-Identifier: Apache-2.0
"""Keys and signatures in the formats of JOSE and AWS, over the `cryptography` library.

It stores no private key (see `adapters.keys`) and makes no decisions.
"""
