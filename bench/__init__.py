# SPDX-License-Identifier: Apache-2.0
"""What a governed call costs, against yardsticks measured in the same run."""
