-- SPDX-License-Identifier: Apache-2.0
-- The view of what was collected when.
-- docs/format/monitor-db.md explains the columns.

-- What was collected from begin_time to end_time: until the next change, or the stop of
-- the recorder; end_time is NULL for what is in force, and for the last of a recorder
-- that was killed.
CREATE VIEW collections AS SELECT
  strftime('%Y-%m-%d %H:%M:%S', c.since / 1000000000, 'unixepoch') || printf('.%03d', c.since / 1000000 % 1000) AS begin_time,
  strftime('%Y-%m-%d %H:%M:%S', c.until / 1000000000, 'unixepoch') || printf('.%03d', c.until / 1000000 % 1000) AS end_time,
  c.since / 1000000 AS begin_time_raw,
  c.until / 1000000 AS end_time_raw,
  c.source AS source,
  c.reason AS reason,
  c.kinds AS kinds,
  c.paths AS paths,
  c.calls AS calls,
  c.own AS own_names,
  c.rules AS rules,
  c.unmet AS unmet
FROM (SELECT *, start AS since, min(coalesce(next, stopped), coalesce(stopped, next)) AS until
  FROM (SELECT *,
    (SELECT n.start FROM collection n WHERE n.id > e.id ORDER BY n.id LIMIT 1) AS next,
    (SELECT min(h.stop) FROM host h WHERE h.stop >= e.start) AS stopped
    FROM collection e)) c;
