-- SPDX-License-Identifier: Apache-2.0
-- permissions of ended tasks | were used
SELECT task_index AS index, agent || ' ' || tool AS name, used > 0 AS holds
FROM grants WHERE ended BETWEEN $since::TIMESTAMP AND $until::TIMESTAMP
