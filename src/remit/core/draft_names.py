# SPDX-License-Identifier: Apache-2.0
"""Names from drafts, each under its draft and the month of the draft's version.

A change of a draft is followed only here.
"""

from __future__ import annotations

from typing import Final

# draft-mcguinness-oauth-mission, 2026-11: the draft's name for a task.
MISSION: Final = "mission"
MISSION_ID: Final = "id"
MISSION_ISSUER: Final = "issuer"
MISSION_EXPIRES: Final = "expires_at"
MISSION_STATE: Final = "state"
AUTHORITY_HASH: Final = "authority_hash"
MISSION_ACCESS: Final = "mission_resource_access"
MISSION_INTENT: Final = "mission_intent"
MISSION_SUPPORTED: Final = "mission_bound_authorization_supported"
#: The request parameter that names a task of the requesting agent itself. The draft leaves this to
#: deployments. The value is a reference, not a credential.
MISSION_PARAMETER: Final = "mission_id"
#: What domain-separates the digest of authority.
AUTHORITY_SET_KIND: Final = "mission-authority-set"

# draft-mcguinness-oauth-actor-profile, 2026-06: the kind of party that a subject or an actor is.
SUB_PROFILE: Final = "sub_profile"
PROFILE_AGENT: Final = "ai_agent"
PROFILE_USER: Final = "user"

# draft-ietf-oauth-spiffe-client-auth, 2026-10.
JWT_SPIFFE_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe"
SPIFFE_JWT_METHOD: Final = "spiffe_jwt"
SPIFFE_X509_METHOD: Final = "spiffe_x509"

# draft-ietf-wimse-workload-creds and draft-ietf-wimse-wpt, 2026: later versions put the proof into
# `Authorization`, earlier ones (-00, -01) into a separate header.
WIT_HEADER: Final = "workload-identity-token"
WPT_SCHEME: Final = "wpt"
WPT_HEADER: Final = "workload-proof-token"

# draft-ietf-oauth-identity-assertion-authz-grant (ID-JAG), 2026-10.
ID_JAG_HEADER_TYPE: Final = "oauth-id-jag+jwt"
ID_JAG_TOKEN: Final = "urn:ietf:params:oauth:token-type:id-jag"
ID_JAG_PROFILE: Final = "urn:ietf:params:oauth:grant-profile:id-jag"
GRANT_PROFILES: Final = "authorization_grant_profiles_supported"

# draft-ietf-oauth-client-id-metadata-document-03, 2026-11.
CLIENT_DOCUMENTS_SUPPORTED: Final = "client_id_metadata_document_supported"

# draft-ietf-oauth-grant-management, 2023: the identifier shared by everything issued under one grant.
GRANT_ID: Final = "grant_id"

# OCSF 1.9-dev, 2026-11: the agent of an event, and its place in a chain of records. They stand in `unmapped`.
OCSF_AI_AGENT: Final = "ai_agent"
OCSF_RECORD_INTEGRITY: Final = "record_integrity"
OCSF_CHAIN: Final = "chain_uid"
OCSF_PREVIOUS: Final = "prev_event"
OCSF_ATTESTATION: Final = "attestation"
