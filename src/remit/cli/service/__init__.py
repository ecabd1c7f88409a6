# SPDX-License-Identifier: Apache-2.0
"""Living with a remit that runs: what it does, stopping it, its log. It is started in `serve`."""
