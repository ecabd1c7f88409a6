# SPDX-License-Identifier: Apache-2.0
"""Floor 4: the web console, for people."""
