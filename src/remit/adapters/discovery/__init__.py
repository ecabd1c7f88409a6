# SPDX-License-Identifier: Apache-2.0
"""What a scan reads from this machine and remembers: files, histories, databases, archives, owners."""
