-- SPDX-License-Identifier: Apache-2.0
-- ends of tasks, agents and people | say why
SELECT index, scope AS name, trim(coalesce(reason, '')) <> '' AS holds
FROM fence_raised WHERE time BETWEEN $since::TIMESTAMP AND $until::TIMESTAMP
