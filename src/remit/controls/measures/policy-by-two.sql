-- SPDX-License-Identifier: Apache-2.0
-- policy changes | were confirmed by a second person
-- The names are sealed: without them the answer is unknown.
SELECT index, bundle AS name, CASE WHEN done_by IS NULL THEN NULL ELSE second IS NOT NULL END AS holds
FROM bundle_applied
WHERE done_by IS DISTINCT FROM 'remit' AND bundle IS DISTINCT FROM previous AND time BETWEEN $since::TIMESTAMP AND $until::TIMESTAMP
