# SPDX-License-Identifier: Apache-2.0
"""`remit suggest`, held to account: learnt on one half of a history, tested on the other half."""
