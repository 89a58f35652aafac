-- SPDX-License-Identifier: Apache-2.0
-- The view of all events in one shape. The range of ids that is asked for reaches every part.
-- docs/format/monitor-db.md explains the columns.

CREATE VIEW combined_events AS
SELECT
  p.event AS id, 'process' AS type, 'create' AS operation,
  CAST(CASE c.head WHEN 1 THEN xd.s || x.name || c.line WHEN 2 THEN x.name || c.line ELSE c.line END AS TEXT) AS detail,
  p.id AS process_table_id, p.pid AS pid, xd.s || x.name AS process_path, x.name AS process_name,
  pi.user_name AS user_name, pi.group_name AS group_name,
  strftime('%Y-%m-%d %H:%M:%S', p.event / 1000000, 'unixepoch') || printf('.%03d', p.event / 1000 % 1000) AS timestamp,
  p.event / 1000 AS timestamp_raw
FROM proc p
LEFT JOIN path x ON x.id = p.exe
LEFT JOIN str xd ON xd.id = x.dir
LEFT JOIN identity pi ON pi.id = p.identity
LEFT JOIN command c ON c.id = p.command
WHERE p.event IS NOT NULL
UNION ALL
SELECT
  t.id AS id, 'process' AS type, 'end' AS operation,
  'exit code ' || t.exit_code AS detail,
  t.proc AS process_table_id, p.pid AS pid, xd.s || x.name AS process_path, x.name AS process_name,
  pi.user_name AS user_name, pi.group_name AS group_name,
  strftime('%Y-%m-%d %H:%M:%S', t.id / 1000000, 'unixepoch') || printf('.%03d', t.id / 1000 % 1000) AS timestamp,
  t.id / 1000 AS timestamp_raw
FROM proc_end t LEFT JOIN proc p ON p.id = t.proc
LEFT JOIN path x ON x.id = p.exe
LEFT JOIN str xd ON xd.id = x.dir
LEFT JOIN identity pi ON pi.id = p.identity
UNION ALL
SELECT
  t.id AS id, 'process' AS type, 'update' AS operation,
  coalesce(h.s, cn.s) AS detail,
  t.proc AS process_table_id, p.pid AS pid, xd.s || x.name AS process_path, x.name AS process_name,
  pi.user_name AS user_name, pi.group_name AS group_name,
  strftime('%Y-%m-%d %H:%M:%S', t.id / 1000000, 'unixepoch') || printf('.%03d', t.id / 1000 % 1000) AS timestamp,
  t.id / 1000 AS timestamp_raw
FROM proc_attr t LEFT JOIN proc p ON p.id = t.proc
LEFT JOIN path x ON x.id = p.exe
LEFT JOIN str xd ON xd.id = x.dir
LEFT JOIN identity pi ON pi.id = p.identity
LEFT JOIN str h ON h.id = t.hash
LEFT JOIN str cn ON cn.id = t.container
UNION ALL
SELECT
  t.id AS id, 'file' AS type, o.name AS operation,
  fd.s || f.name AS detail,
  t.proc AS process_table_id, p.pid AS pid, xd.s || x.name AS process_path, x.name AS process_name,
  pi.user_name AS user_name, pi.group_name AS group_name,
  strftime('%Y-%m-%d %H:%M:%S', t.id / 1000000, 'unixepoch') || printf('.%03d', t.id / 1000 % 1000) AS timestamp,
  t.id / 1000 AS timestamp_raw
FROM file t LEFT JOIN proc p ON p.id = t.proc
LEFT JOIN path x ON x.id = p.exe
LEFT JOIN str xd ON xd.id = x.dir
LEFT JOIN identity pi ON pi.id = p.identity
LEFT JOIN operation o ON o.id = t.op
LEFT JOIN path f ON f.id = t.path
LEFT JOIN str fd ON fd.id = f.dir
UNION ALL
SELECT
  t.id AS id, 'network' AS type, o.name AS operation,
  coalesce(na.s || ' ' || t.port, na.s, ud.s || u.name) AS detail,
  t.proc AS process_table_id, p.pid AS pid, xd.s || x.name AS process_path, x.name AS process_name,
  pi.user_name AS user_name, pi.group_name AS group_name,
  strftime('%Y-%m-%d %H:%M:%S', t.id / 1000000, 'unixepoch') || printf('.%03d', t.id / 1000 % 1000) AS timestamp,
  t.id / 1000 AS timestamp_raw
FROM network t LEFT JOIN proc p ON p.id = t.proc
LEFT JOIN path x ON x.id = p.exe
LEFT JOIN str xd ON xd.id = x.dir
LEFT JOIN identity pi ON pi.id = p.identity
LEFT JOIN operation o ON o.id = t.op
LEFT JOIN str na ON na.id = t.address
LEFT JOIN path u ON u.id = t.path
LEFT JOIN str ud ON ud.id = u.dir
UNION ALL
SELECT
  t.id AS id, 'registry' AS type, o.name AS operation,
  kd.s || k.name || coalesce(' ' || vn.s, '') AS detail,
  t.proc AS process_table_id, p.pid AS pid, xd.s || x.name AS process_path, x.name AS process_name,
  pi.user_name AS user_name, pi.group_name AS group_name,
  strftime('%Y-%m-%d %H:%M:%S', t.id / 1000000, 'unixepoch') || printf('.%03d', t.id / 1000 % 1000) AS timestamp,
  t.id / 1000 AS timestamp_raw
FROM registry t LEFT JOIN proc p ON p.id = t.proc
LEFT JOIN path x ON x.id = p.exe
LEFT JOIN str xd ON xd.id = x.dir
LEFT JOIN identity pi ON pi.id = p.identity
LEFT JOIN operation o ON o.id = t.op
LEFT JOIN path k ON k.id = t.key_path
LEFT JOIN str kd ON kd.id = k.dir
LEFT JOIN str vn ON vn.id = t.value_name
UNION ALL
SELECT
  t.id AS id, 'image' AS type, o.name AS operation,
  im.s || i.name AS detail,
  t.proc AS process_table_id, p.pid AS pid, xd.s || x.name AS process_path, x.name AS process_name,
  pi.user_name AS user_name, pi.group_name AS group_name,
  strftime('%Y-%m-%d %H:%M:%S', t.id / 1000000, 'unixepoch') || printf('.%03d', t.id / 1000 % 1000) AS timestamp,
  t.id / 1000 AS timestamp_raw
FROM image t LEFT JOIN proc p ON p.id = t.proc
LEFT JOIN path x ON x.id = p.exe
LEFT JOIN str xd ON xd.id = x.dir
LEFT JOIN identity pi ON pi.id = p.identity
LEFT JOIN operation o ON o.id = t.op
LEFT JOIN path i ON i.id = t.path
LEFT JOIN str im ON im.id = i.dir
UNION ALL
SELECT
  t.id AS id, 'driver' AS type, o.name AS operation,
  coalesce(im.s || i.name, n.s) AS detail,
  t.proc AS process_table_id, p.pid AS pid, xd.s || x.name AS process_path, x.name AS process_name,
  pi.user_name AS user_name, pi.group_name AS group_name,
  strftime('%Y-%m-%d %H:%M:%S', t.id / 1000000, 'unixepoch') || printf('.%03d', t.id / 1000 % 1000) AS timestamp,
  t.id / 1000 AS timestamp_raw
FROM driver t LEFT JOIN proc p ON p.id = t.proc
LEFT JOIN path x ON x.id = p.exe
LEFT JOIN str xd ON xd.id = x.dir
LEFT JOIN identity pi ON pi.id = p.identity
LEFT JOIN operation o ON o.id = t.op
LEFT JOIN path i ON i.id = t.path
LEFT JOIN str im ON im.id = i.dir
LEFT JOIN str n ON n.id = t.name
UNION ALL
SELECT
  t.id AS id, 'dns' AS type, o.name AS operation,
  CAST(q.s AS TEXT) AS detail,
  t.proc AS process_table_id, p.pid AS pid, xd.s || x.name AS process_path, x.name AS process_name,
  pi.user_name AS user_name, pi.group_name AS group_name,
  strftime('%Y-%m-%d %H:%M:%S', t.id / 1000000, 'unixepoch') || printf('.%03d', t.id / 1000 % 1000) AS timestamp,
  t.id / 1000 AS timestamp_raw
FROM dns t LEFT JOIN proc p ON p.id = t.proc
LEFT JOIN path x ON x.id = p.exe
LEFT JOIN str xd ON xd.id = x.dir
LEFT JOIN identity pi ON pi.id = p.identity
LEFT JOIN operation o ON o.id = t.op
LEFT JOIN str q ON q.id = t.query
UNION ALL
SELECT
  t.id AS id, 'security' AS type, o.name AS operation,
  ev.s || coalesce(' ' || rs.s, '') || coalesce(' ' || tu.s, '') AS detail,
  t.proc AS process_table_id, p.pid AS pid, xd.s || x.name AS process_path, x.name AS process_name,
  pi.user_name AS user_name, pi.group_name AS group_name,
  strftime('%Y-%m-%d %H:%M:%S', t.id / 1000000, 'unixepoch') || printf('.%03d', t.id / 1000 % 1000) AS timestamp,
  t.id / 1000 AS timestamp_raw
FROM security t LEFT JOIN proc p ON p.id = t.proc
LEFT JOIN path x ON x.id = p.exe
LEFT JOIN str xd ON xd.id = x.dir
LEFT JOIN identity pi ON pi.id = p.identity
LEFT JOIN operation o ON o.id = t.op
LEFT JOIN str ev ON ev.id = t.event_id
LEFT JOIN str rs ON rs.id = t.result
LEFT JOIN str tu ON tu.id = t.target_user
UNION ALL
SELECT
  t.id AS id, 'syscall' AS type, o.name AS operation,
  n.s || coalesce(' ' || fd.s || f.name, '') AS detail,
  t.proc AS process_table_id, p.pid AS pid, xd.s || x.name AS process_path, x.name AS process_name,
  pi.user_name AS user_name, pi.group_name AS group_name,
  strftime('%Y-%m-%d %H:%M:%S', t.id / 1000000, 'unixepoch') || printf('.%03d', t.id / 1000 % 1000) AS timestamp,
  t.id / 1000 AS timestamp_raw
FROM syscall t LEFT JOIN proc p ON p.id = t.proc
LEFT JOIN path x ON x.id = p.exe
LEFT JOIN str xd ON xd.id = x.dir
LEFT JOIN identity pi ON pi.id = p.identity
LEFT JOIN operation o ON o.id = t.op
LEFT JOIN str n ON n.id = t.name
LEFT JOIN path f ON f.id = t.path
LEFT JOIN str fd ON fd.id = f.dir
UNION ALL
SELECT
  t.id AS id, 'record' AS type, o.name AS operation,
  ty.s AS detail,
  t.proc AS process_table_id, p.pid AS pid, xd.s || x.name AS process_path, x.name AS process_name,
  pi.user_name AS user_name, pi.group_name AS group_name,
  strftime('%Y-%m-%d %H:%M:%S', t.id / 1000000, 'unixepoch') || printf('.%03d', t.id / 1000 % 1000) AS timestamp,
  t.id / 1000 AS timestamp_raw
FROM record t LEFT JOIN proc p ON p.id = t.proc
LEFT JOIN path x ON x.id = p.exe
LEFT JOIN str xd ON xd.id = x.dir
LEFT JOIN identity pi ON pi.id = p.identity
LEFT JOIN operation o ON o.id = t.op
LEFT JOIN str ty ON ty.id = t.type;
