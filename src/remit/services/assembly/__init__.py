# SPDX-License-Identifier: Apache-2.0
"""All services of one process, made from its adapters and settings, for the endpoints.

It is the only room that knows all others. It decides nothing.
"""
