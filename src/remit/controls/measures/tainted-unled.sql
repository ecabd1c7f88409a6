-- SPDX-License-Identifier: Apache-2.0
-- effectful calls after untrusted data | took no destination, record, code or amount from it, or a person approved
SELECT index, tool AS name,
       coalesce(NOT list_contains(json_extract_string(facts, ['$.flow.destination', '$.flow.selector',
         '$.flow.personal', '$.flow.code', '$.flow.amount', '$.flow.choice']), 'untrusted'), false)
       OR coalesce(approval, '') <> '' AS holds
FROM decision_made WHERE coalesce(effect, '') <> 'none' AND facts->>'$.untrusted' = 'true' AND (outcome = 'permit' OR observed) AND time BETWEEN $since::TIMESTAMP AND $until::TIMESTAMP
