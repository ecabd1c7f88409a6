# SPDX-License-Identifier: Apache-2.0
"""What the kernel says of this machine: who serves a port, and what this user could do to remit."""
