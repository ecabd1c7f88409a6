# SPDX-License-Identifier: Apache-2.0
"""Values of arguments: URLs, hosts, addresses, numbers, and each encoding in which a value comes back.

The strict reading is what a value is when it is used as it stands; the lenient reading is all that it could
be. Nothing here knows who stated a value.
"""
