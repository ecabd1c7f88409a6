# SPDX-License-Identifier: Apache-2.0
"""What the kernel reports of this machine: which user serves a port, and what this user could do to remit."""
