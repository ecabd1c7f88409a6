# SPDX-License-Identifier: Apache-2.0
"""What replicas say to each other, beside the store."""
