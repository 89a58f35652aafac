-- SPDX-License-Identifier: Apache-2.0
-- The views of signals and losses.
-- docs/format/monitor-db.md explains the columns.

-- Signals that fired, with their proof.
CREATE VIEW signal_matches AS SELECT
  m.id AS id,
  m.event AS event_id,
  k.name AS event_type,
  d.uuid AS signal_id,
  d.name AS signal_name,
  coalesce(m.severity, d.severity) AS severity,
  d.revision AS revision,
  d.techniques AS techniques,
  m.proc AS process_table_id,
  p.pid AS pid,
  xd.s || x.name AS process_path,
  CAST(x.name AS TEXT) AS process_name,
  CAST(CASE c.head WHEN 1 THEN xd.s || x.name || c.line WHEN 2 THEN x.name || c.line ELSE c.line END AS TEXT) AS process_command_line,
  pi.user_name AS user_name,
  pi.group_name AS group_name,
  strftime('%Y-%m-%d %H:%M:%S', m.event / 1000000, 'unixepoch') || printf('.%03d', m.event / 1000 % 1000) AS timestamp,
  m.event / 1000 AS timestamp_raw,
  m.proof AS proof
FROM signal_match m
JOIN signal_definition d ON d.id = m.definition
LEFT JOIN kind k ON k.id = m.kind
LEFT JOIN proc p ON p.id = m.proc
LEFT JOIN path x ON x.id = p.exe
LEFT JOIN str xd ON xd.id = x.dir
LEFT JOIN command c ON c.id = p.command
LEFT JOIN identity pi ON pi.id = p.identity;

-- How often each revision of a signal fired, and what it cost over all runs; stored is the
-- number of matches with a row, severity that in force.
CREATE VIEW signal_counts AS SELECT
  d.uuid AS signal_id,
  d.name AS signal_name,
  coalesce(d.severity_now, d.severity) AS severity,
  d.revision AS revision,
  d.active AS active,
  coalesce(sum(c.matches), 0) AS matches,
  coalesce(sum(c.stored), 0) AS stored,
  strftime('%Y-%m-%d %H:%M:%S', max(c.last) / 1000000, 'unixepoch') || printf('.%03d', max(c.last) / 1000 % 1000) AS last_match,
  max(c.last) / 1000 AS last_match_raw,
  coalesce(s.candidates, 0) AS candidates,
  coalesce(s.evaluations, 0) AS evaluations,
  coalesce(s.suppressed, 0) AS suppressed,
  coalesce(s.skipped, 0) AS skipped,
  coalesce(s.work, 0) AS work,
  d.enabled AS enabled,
  d.override_reason AS override_reason
FROM signal_definition d
LEFT JOIN signal_count c ON c.definition = d.id
LEFT JOIN signal_stats s ON s.definition = d.id
GROUP BY d.id;

-- When a signal was not judged because it cost too much; end_time is NULL while it lasts.
CREATE VIEW suspensions AS SELECT
  strftime('%Y-%m-%d %H:%M:%S', u.since / 1000000000, 'unixepoch') || printf('.%03d', u.since / 1000000 % 1000) AS begin_time,
  strftime('%Y-%m-%d %H:%M:%S', u.until / 1000000000, 'unixepoch') || printf('.%03d', u.until / 1000000 % 1000) AS end_time,
  u.since / 1000000 AS begin_time_raw,
  u.until / 1000000 AS end_time_raw,
  d.uuid AS signal_id,
  d.name AS signal_name,
  d.revision AS revision,
  u.work AS work_per_event,
  u.reason AS reason
FROM suspension u JOIN signal_definition d ON d.id = u.definition;

-- What was not seen or not kept, and when. Matches over a limit are counted, not stored:
-- the second part tells how many, in which hour.
CREATE VIEW losses AS SELECT
  strftime('%Y-%m-%d %H:%M:%S', l.since / 1000000000, 'unixepoch') || printf('.%03d', l.since / 1000000 % 1000) AS begin_time,
  strftime('%Y-%m-%d %H:%M:%S', l.until / 1000000000, 'unixepoch') || printf('.%03d', l.until / 1000000 % 1000) AS end_time,
  l.since / 1000000 AS begin_time_raw,
  l.until / 1000000 AS end_time_raw,
  l.reason AS reason,
  CASE l.kind WHEN 0 THEN NULL ELSE k.name END AS type,
  nullif(l.count, 0) AS count,
  l.unit AS unit,
  l.detail AS detail
FROM loss l LEFT JOIN kind k ON k.id = l.kind
UNION ALL SELECT
  strftime('%Y-%m-%d %H:%M:%S', c.hour * 3600, 'unixepoch') || '.000',
  strftime('%Y-%m-%d %H:%M:%S', c.hour * 3600 + 3599, 'unixepoch') || '.999',
  c.hour * 3600000,
  c.hour * 3600000 + 3599999,
  'matches_over_limit',
  NULL,
  c.matches - c.stored,
  'matches',
  d.name
FROM signal_count c JOIN signal_definition d ON d.id = c.definition
WHERE c.matches > c.stored;
