# SPDX-License-Identifier: Apache-2.0
"""Values of arguments: URLs, hosts, addresses, numbers, and each encoding in which a value comes back.

The strict reading is the value in its literal use; the lenient reading is everything that it could be.
Nothing here knows who stated a value.
"""
