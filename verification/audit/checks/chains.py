"""The versions of each packet's decision: one chain without a gap or a fork, and its end is the active one."""

from verification.audit.check import VERSIONS, Check, Keys

# Each packet once, in the range of its newest version. LATERAL and OFFSET 0 read its versions by their index, where a
# join could read all versions of all packets for each range.
TOUCHED = """
touched AS MATERIALIZED (
    SELECT newest.packet_id FROM packet_decision AS newest
     WHERE newest.packet_decision_id > %(low)s AND newest.packet_decision_id <= %(high)s
       AND newest.created_at >= %(since)s::timestamptz
       AND NOT EXISTS (SELECT 1 FROM packet_decision AS later
                        WHERE later.packet_id = newest.packet_id
                          AND later.packet_decision_id > newest.packet_decision_id OFFSET 0)
)
"""
SELECT_ACTIVE_TWICE = f"""
WITH {TOUCHED}
SELECT touched.packet_id, 'packet ' || touched.packet_id || ': versions ' || array_to_string(active.versions, ', ')
  FROM touched
 CROSS JOIN LATERAL (
    SELECT array_agg(packet_decision_id ORDER BY packet_decision_id) AS versions FROM packet_decision AS version
     WHERE version.packet_id = touched.packet_id AND is_active
 ) AS active
 WHERE cardinality(active.versions) > 1
"""
SELECT_BROKEN_CHAINS = f"""
WITH {TOUCHED}
SELECT touched.packet_id, 'packet ' || touched.packet_id || ': ' || wrong.what
  FROM touched
 CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE version.supersedes_id IS NULL) AS beginnings,
           count(*) FILTER (WHERE version.is_active) AS active,
           count(version.supersedes_id) - count(DISTINCT version.supersedes_id) AS forks,
           -- Older versions have lower keys, so a circle has one that does not.
           count(*) FILTER (WHERE version.supersedes_id IS NOT NULL
                              AND (previous.packet_id IS DISTINCT FROM version.packet_id
                                   OR previous.packet_decision_id >= version.packet_decision_id)) AS gaps,
           count(*) FILTER (WHERE version.is_active AND next.is_there) AS passed
      FROM packet_decision AS version
      LEFT JOIN packet_decision AS previous ON previous.packet_decision_id = version.supersedes_id
     CROSS JOIN LATERAL (SELECT EXISTS (SELECT 1 FROM packet_decision AS later
                                         WHERE later.supersedes_id = version.packet_decision_id) AS is_there) AS next
     WHERE version.packet_id = touched.packet_id
 ) AS chain
 CROSS JOIN LATERAL (SELECT concat_ws(', ',
           CASE WHEN beginnings <> 1 THEN beginnings || ' first versions' END,
           CASE WHEN forks > 0 THEN 'a version that two others supersede' END,
           CASE WHEN gaps > 0 THEN 'a version whose previous one is missing, newer, or of another packet' END,
           CASE WHEN active = 0 THEN 'no active version' END,
           CASE WHEN passed > 0 THEN 'an active version that another one supersedes' END) AS what) AS wrong
 WHERE wrong.what <> ''
"""

# Each packet once, by its first message. A message is kept only if it is applied, and the first answer makes a version.
MESSAGES = Keys("packet_decision_message", "id", made_at="handled_at")
SELECT_WITHOUT_VERSION = """
SELECT message.packet_id, 'packet ' || message.packet_id
  FROM packet_decision_message AS message
 WHERE message.id > %(low)s AND message.id <= %(high)s AND message.handled_at >= %(since)s::timestamptz
   AND NOT EXISTS (SELECT 1 FROM packet_decision AS version WHERE version.packet_id = message.packet_id OFFSET 0)
   AND NOT EXISTS (SELECT 1 FROM packet_decision_message AS earlier
                    WHERE earlier.packet_id = message.packet_id AND earlier.id < message.id OFFSET 0)
"""
# The same, by what its history says that people decided.
EVENTS = Keys("packet_event", "id", made_at="at")
SELECT_DECIDED_WITHOUT_VERSION = """
SELECT event.packet_id, 'packet ' || event.packet_id
  FROM packet_event AS event
 WHERE event.id > %(low)s AND event.id <= %(high)s AND event.at >= %(since)s::timestamptz AND event.what = 'decided'
   AND NOT EXISTS (SELECT 1 FROM packet_decision AS version WHERE version.packet_id = event.packet_id OFFSET 0)
   AND NOT EXISTS (SELECT 1 FROM packet_event AS earlier
                    WHERE earlier.packet_id = event.packet_id AND earlier.id < event.id AND earlier.what = 'decided'
                   OFFSET 0)
"""

PACKETS = Keys("packet", "packet_id")
# The newest of each case, so that a case is named once. No OFFSET 0: the index is the key that must be missing here.
SELECT_PACKETS_TWICE = """
SELECT packet.packet_id, 'packet ' || packet.packet_id || ', of the case of packet ' || min(other.packet_id)
  FROM packet JOIN packet AS other USING (decision_tracking_id)
 WHERE packet.packet_id > %(low)s AND packet.packet_id <= %(high)s AND packet.created_at >= %(since)s::timestamptz
 GROUP BY packet.packet_id HAVING count(*) > 1 AND max(other.packet_id) = packet.packet_id
"""

CHECKS = [
    Check(
        "two packets of one case",
        "Find out which one people work on, and move what the other has by a person's decision. The unique key of "
        "packet.decision_tracking_id is missing or invalid: run verify_locks.",
        SELECT_PACKETS_TWICE,
        PACKETS,
    ),
    Check(
        "two active versions of one packet",
        "Don't decide these packets until it is mended: find out which version is right, and set is_active to false on "
        "the other. The unique index decision_one_active_per_packet is missing or invalid: run verify_locks.",
        SELECT_ACTIVE_TWICE,
        VERSIONS,
    ),
    Check(
        "gaps and forks in a chain of versions",
        "Restore the missing versions from a backup, as versions are never deleted. See that the trigger "
        "decision_append_only is enabled (verify_locks).",
        SELECT_BROKEN_CHAINS,
        VERSIONS,
    ),
    Check(
        "packets with answers and without a decision",
        "Restore the versions from a backup, as versions are never deleted. If tables were restored one by one, "
        "restore all of them from one moment instead.",
        SELECT_WITHOUT_VERSION,
        MESSAGES,
    ),
    Check(
        "packets that people decided, without a decision",
        "Restore the versions from a backup, as above.",
        SELECT_DECIDED_WITHOUT_VERSION,
        EVENTS,
    ),
]
