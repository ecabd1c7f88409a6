-- SPDX-License-Identifier: Apache-2.0
-- upstream credentials | expire within a day
SELECT issued_index AS index, sink AS name,
       coalesce(try_cast(until AS TIMESTAMP) - issued <= INTERVAL 1 DAY, false) AS holds
FROM leases WHERE issued BETWEEN $since::TIMESTAMP AND $until::TIMESTAMP
