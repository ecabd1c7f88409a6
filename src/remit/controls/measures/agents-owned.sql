-- SPDX-License-Identifier: Apache-2.0
-- agents that are not retired | have an accountable owner
SELECT registered_index AS index, agent AS name,
       owner <> '' AND agent NOT IN (SELECT about[7:] FROM findings
                                     WHERE kind = 'ownerless' AND state NOT IN ('resolved', 'false')) AS holds
FROM agents WHERE state <> 'retired' AND registered <= $until::TIMESTAMP
