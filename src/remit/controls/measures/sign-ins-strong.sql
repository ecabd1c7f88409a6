-- SPDX-License-Identifier: Apache-2.0
-- sign-ins of people | used a passkey or the identity provider
SELECT index, method AS name, coalesce(method, 'code') <> 'code' AS holds FROM person_signed_in WHERE time BETWEEN $since::TIMESTAMP AND $until::TIMESTAMP
