# SPDX-License-Identifier: Apache-2.0
"""Agents and people: registration, authentication, permissions, and remit's own keys.

Tokens are issued in `services.oauth`; sign-in pages are served by `services.people`.
"""
