# SPDX-License-Identifier: Apache-2.0
"""From YAML to values of declared types: lines, units, secret references, with every problem named."""
