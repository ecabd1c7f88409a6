-- SPDX-License-Identifier: Apache-2.0
-- scans of files and configurations | could read everything
SELECT index, scope AS name, coalesce(complete, false) AS holds FROM scan_delivered WHERE time BETWEEN $since::TIMESTAMP AND $until::TIMESTAMP
