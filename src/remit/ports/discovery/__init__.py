# SPDX-License-Identifier: Apache-2.0
"""What discovery needs of the machine: files, processes that read them, and a memory of scans."""
