# SPDX-License-Identifier: Apache-2.0
"""`remit up` and `remit init`: one process, one event loop, one port."""
