-- SPDX-License-Identifier: Apache-2.0
-- access tokens | live one hour at most and name their audience
SELECT index, agent AS name,
       coalesce(expires - epoch(time) <= 3600 AND len(audience) > 0, false) AS holds FROM token_issued WHERE time BETWEEN $since::TIMESTAMP AND $until::TIMESTAMP
