-- SPDX-License-Identifier: Apache-2.0
-- agents that have existed for 90 days | had an access review in the last 90 days
SELECT registered_index AS index, agent AS name,
       coalesce(reviewed >= $until::TIMESTAMP - INTERVAL 90 DAY, false) AS holds
FROM agents WHERE state <> 'retired' AND registered <= $until::TIMESTAMP - INTERVAL 90 DAY
