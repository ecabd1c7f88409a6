# SPDX-License-Identifier: Apache-2.0
"""Discovery's hands: the tree of files, processes that read them, histories, databases, archives, and memory."""
