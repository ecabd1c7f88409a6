-- SPDX-License-Identifier: Apache-2.0
-- security events of other systems | were accepted and acted upon
SELECT index, transmitter AS name, true AS holds FROM signal_received WHERE time BETWEEN $since::TIMESTAMP AND $until::TIMESTAMP
UNION ALL SELECT index, transmitter, false FROM signal_refused WHERE time BETWEEN $since::TIMESTAMP AND $until::TIMESTAMP
