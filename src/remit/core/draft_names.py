# SPDX-License-Identifier: Apache-2.0
"""Names that stand in drafts alone, each under the draft and the month from which it was taken.

A draft that moves is followed here and nowhere else.
"""

from __future__ import annotations

from typing import Final

# draft-mcguinness-oauth-mission, 2026-11: a task is a mission there.
MISSION: Final = "mission"
MISSION_ID: Final = "id"
MISSION_ISSUER: Final = "issuer"
MISSION_EXPIRES: Final = "expires_at"
MISSION_STATE: Final = "state"
AUTHORITY_HASH: Final = "authority_hash"
MISSION_ACCESS: Final = "mission_resource_access"
MISSION_INTENT: Final = "mission_intent"
MISSION_SUPPORTED: Final = "mission_bound_authorization_supported"
#: The request parameter that names a task of the very agent that asks. The draft leaves it to deployments: it
#: is a reference and no credential.
MISSION_PARAMETER: Final = "mission_id"
#: What domain-separates the digest of authority.
AUTHORITY_SET_KIND: Final = "mission-authority-set"

# draft-mcguinness-oauth-actor-profile, 2026-06: what kind of party a subject or an actor is.
SUB_PROFILE: Final = "sub_profile"
PROFILE_AGENT: Final = "ai_agent"
PROFILE_USER: Final = "user"

# draft-ietf-oauth-spiffe-client-auth, 2026-10.
JWT_SPIFFE_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe"
SPIFFE_JWT_METHOD: Final = "spiffe_jwt"
SPIFFE_X509_METHOD: Final = "spiffe_x509"

# draft-ietf-oauth-identity-assertion-authz-grant (ID-JAG), 2026-10.
ID_JAG_HEADER_TYPE: Final = "oauth-id-jag+jwt"
ID_JAG_TOKEN: Final = "urn:ietf:params:oauth:token-type:id-jag"
ID_JAG_PROFILE: Final = "urn:ietf:params:oauth:grant-profile:id-jag"
GRANT_PROFILES: Final = "authorization_grant_profiles_supported"

# draft-ietf-oauth-client-id-metadata-document-03, 2026-11.
CLIENT_DOCUMENTS_SUPPORTED: Final = "client_id_metadata_document_supported"

# draft-ietf-oauth-grant-management, 2023: what everything issued under one grant has in common.
GRANT_ID: Final = "grant_id"
