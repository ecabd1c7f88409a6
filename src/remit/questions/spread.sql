-- SPDX-License-Identifier: Apache-2.0
-- Which tasks read data of a class, and then sent something outside?
-- class: the data class, such as confidential
SELECT r.task, any_value(r.agent) AS agent, any_value(r.person) AS person, count(DISTINCT r.call) AS reads,
       list(DISTINCT a.tool) AS sent_by, min(a.time) AS first_sent, min(r.read_index) AS read_index,
       min(a.action_index) AS action_index
FROM reads r JOIN actions a ON a.task = r.task AND a.action_index > r.read_index
WHERE a.audience = 'external' AND ($class IS NULL OR r.data_class = $class)
GROUP BY r.task ORDER BY first_sent
