-- SPDX-License-Identifier: Apache-2.0
-- ends | left nothing open and no call with an unknown outcome
SELECT index, scope AS name,
       coalesce(json_array_length(indeterminate) = 0
                AND NOT list_contains(json_extract_string(closings, '$[*][2]'), '-1'), false) AS holds
FROM closure_made WHERE time BETWEEN $since::TIMESTAMP AND $until::TIMESTAMP
