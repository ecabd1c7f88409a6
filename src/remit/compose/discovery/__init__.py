# SPDX-License-Identifier: Apache-2.0
"""Discovery, wired together: scans of this machine."""
