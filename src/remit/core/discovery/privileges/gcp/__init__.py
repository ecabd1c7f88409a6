# SPDX-License-Identifier: Apache-2.0
"""Google Cloud: allow and deny policies, custom roles and service accounts. Pure."""
