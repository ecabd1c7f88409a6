# SPDX-License-Identifier: Apache-2.0
"""The nine steps of a call, driven in their order.

Each step's own work is in the room of its subject.
"""
