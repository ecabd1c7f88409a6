# SPDX-License-Identifier: Apache-2.0
"""What a scan reads from this machine: file trees, a repository's index, owners; and what it remembers."""
