# SPDX-License-Identifier: Apache-2.0
"""SCIM 2.0 for agents (RFC 7643, RFC 7644, draft-wzdk-scim-agent-resource-00), for identity providers.

The protocol is `scim2-server`'s; what a provider may do is decided in `services.identity.provisioning`.
"""
