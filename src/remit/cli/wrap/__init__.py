# SPDX-License-Identifier: Apache-2.0
"""The parts of `remit wrap`: the client's file, its servers as upstreams, remit's folder, and the undo."""
