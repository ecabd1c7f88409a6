# SPDX-License-Identifier: Apache-2.0
"""Floor 4: the doors for traffic. A door adds no rules."""
