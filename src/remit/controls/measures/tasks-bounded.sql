-- SPDX-License-Identifier: Apache-2.0
-- tasks | end within a day by themselves
SELECT index, task_type AS name, coalesce(try_cast(deadline AS TIMESTAMP) - time <= INTERVAL 1 DAY, false) AS holds
FROM task_opened WHERE time BETWEEN $since::TIMESTAMP AND $until::TIMESTAMP
