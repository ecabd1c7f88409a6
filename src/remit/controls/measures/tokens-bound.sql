-- SPDX-License-Identifier: Apache-2.0
-- access tokens | are bound to a key of their agent
SELECT index, agent AS name, coalesce(bound IN ('dpop', 'mtls'), false) AS holds FROM token_issued WHERE time BETWEEN $since::TIMESTAMP AND $until::TIMESTAMP
