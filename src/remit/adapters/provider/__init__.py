# SPDX-License-Identifier: Apache-2.0
"""Identity providers for people."""
