-- SPDX-License-Identifier: Apache-2.0
-- ends | were in force at each replica within one second
SELECT index, scope AS name,
       coalesce(fence_us <= 1000000, false)
       AND NOT list_contains(coalesce(json_extract_string(acknowledged, '$[*][1]'), []), '-1') AS holds
FROM closure_made WHERE time BETWEEN $since::TIMESTAMP AND $until::TIMESTAMP
