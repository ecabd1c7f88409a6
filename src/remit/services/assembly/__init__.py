# SPDX-License-Identifier: Apache-2.0
"""All services of one process, built from its adapters and settings, for use by the endpoints.

This is the only package that knows all other packages. It makes no decisions.
"""
