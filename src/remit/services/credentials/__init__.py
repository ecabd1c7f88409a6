# SPDX-License-Identifier: Apache-2.0
"""Credentials of upstreams: leased to a task, injected, scrubbed from answers, rotated, revoked, proven dead.

Sources of credentials are adapters of `ports.broker`. No agent sees a credential.
"""
