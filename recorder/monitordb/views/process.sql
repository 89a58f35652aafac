-- SPDX-License-Identifier: Apache-2.0
-- The views of processes.
-- docs/format/monitor-db.md explains the columns.

-- Every process that anything refers to, also those without a create event.
CREATE VIEW processes AS SELECT
  p.event AS id,
  p.id AS process_table_id,
  p.pid AS pid,
  xd.s || x.name AS process_path,
  CAST(x.name AS TEXT) AS process_name,
  pi.user_name AS user_name,
  pi.group_name AS group_name,
  strftime('%Y-%m-%d %H:%M:%S', coalesce(p.start / 1000, p.event) / 1000000, 'unixepoch') || printf('.%03d', coalesce(p.start / 1000, p.event) / 1000 % 1000) AS timestamp,
  coalesce(p.start / 1000, p.event) / 1000 AS timestamp_raw,
  strftime('%Y-%m-%d %H:%M:%S', coalesce(p.start / 1000, p.event) / 1000000, 'unixepoch') || printf('.%03d', coalesce(p.start / 1000, p.event) / 1000 % 1000) AS create_time,
  coalesce(p.start / 1000, p.event) / 1000 AS create_time_raw,
  strftime('%Y-%m-%d %H:%M:%S', coalesce(e.end_time / 1000, e.id) / 1000000, 'unixepoch') || printf('.%03d', coalesce(e.end_time / 1000, e.id) / 1000 % 1000) AS end_time,
  coalesce(e.end_time / 1000, e.id) / 1000 AS end_time_raw,
  e.exit_code AS exit_code,
  CAST(CASE c.head WHEN 1 THEN xd.s || x.name || c.line WHEN 2 THEN x.name || c.line ELSE c.line END AS TEXT) AS process_command_line,
  CASE WHEN c.args = 1 THEN '[' || replace(json_quote(CASE c.head WHEN 1 THEN xd.s || x.name || c.line WHEN 2 THEN x.name || c.line ELSE c.line END), ' ', '","') || ']' ELSE c.args END AS process_args,
  CAST(w.s AS TEXT) AS process_cwd,
  coalesce((SELECT s.s FROM proc_attr a JOIN str s ON s.id = a.hash WHERE a.proc = p.id ORDER BY a.id DESC LIMIT 1), h.s) AS hash,
  p.parent AS parent_process_table_id,
  coalesce(p.ppid, pp.pid) AS parent_pid,
  yd.s || y.name AS parent_path,
  CAST(CASE pc.head WHEN 1 THEN yd.s || y.name || pc.line WHEN 2 THEN y.name || pc.line ELSE pc.line END AS TEXT) AS parent_command_line,
  coalesce((SELECT s.s FROM proc_attr a JOIN str s ON s.id = a.hash WHERE a.proc = pp.id ORDER BY a.id DESC LIMIT 1), ph.s) AS parent_hash,
  p.previous AS previous_process_table_id,
  pi.user_id AS user_id,
  pi.group_id AS group_id,
  pi.login_id AS login_user_id,
  pi.login_name AS login_user_name,
  ei.effective_name AS effective_user_name,
  ei.effective_id AS effective_user_id,
  p.session AS session,
  tt.s AS tty,
  coalesce((SELECT s.s FROM proc_attr a JOIN str s ON s.id = a.container WHERE a.proc = p.id ORDER BY a.id DESC LIMIT 1), cn.s) AS container_id,
  CASE p.learned WHEN 0 THEN 'exec' WHEN 1 THEN 'running' WHEN 2 THEN 'fork' ELSE 'inferred' END AS learned,
  hs.s AS host,
  bt.s AS boot_id,
  json_extract(p.facts, '$."process.original_file_name"') AS original_file_name,
  json_extract(p.facts, '$."process.company"') AS company,
  json_extract(p.facts, '$."process.product"') AS product,
  json_extract(p.facts, '$."process.description"') AS description,
  json_extract(p.facts, '$."process.file_version"') AS file_version,
  json_extract(p.facts, '$."process.integrity_level"') AS integrity_level,
  json_extract(p.facts, '$."process.logon_id"') AS logon_id,
  json_extract(p.facts, '$."process.logon_guid"') AS logon_guid,
  json_extract(p.facts, '$."process.guid"') AS guid,
  printf('%llu', p.key) AS process_id,
  p.serial AS serial,
  p.flags AS flags
FROM proc p
LEFT JOIN path x ON x.id = p.exe
LEFT JOIN str xd ON xd.id = x.dir
LEFT JOIN command c ON c.id = p.command
LEFT JOIN str w ON w.id = p.cwd
LEFT JOIN str h ON h.id = p.hash
LEFT JOIN identity pi ON pi.id = p.identity
LEFT JOIN identity ei ON ei.id = p.event_identity
LEFT JOIN str tt ON tt.id = p.tty
LEFT JOIN str cn ON cn.id = p.container
LEFT JOIN str hs ON hs.id = p.host
LEFT JOIN str bt ON bt.id = p.boot
LEFT JOIN proc_end e ON e.id = (SELECT min(id) FROM proc_end WHERE proc = p.id)
LEFT JOIN proc pp ON pp.id = p.parent
LEFT JOIN path y ON y.id = pp.exe
LEFT JOIN str yd ON yd.id = y.dir
LEFT JOIN command pc ON pc.id = pp.command
LEFT JOIN str ph ON ph.id = pp.hash;

-- One row for each process whose beginning was seen, or that was found running when
-- recording began (learned is then running): timestamp is when it was found,
-- create_time when it began.
CREATE VIEW process_events AS SELECT
  id,
  process_table_id,
  pid,
  process_path,
  process_name,
  user_name,
  group_name,
  strftime('%Y-%m-%d %H:%M:%S', id / 1000000, 'unixepoch') || printf('.%03d', id / 1000 % 1000) AS timestamp,
  id / 1000 AS timestamp_raw,
  'create' AS operation,
  create_time,
  create_time_raw,
  end_time,
  end_time_raw,
  exit_code,
  process_command_line,
  (SELECT json_extract(x.doc, '$.fields."process.command_line_length"') FROM extra x WHERE x.id = processes.id) AS process_command_line_length,
  process_args,
  process_cwd,
  hash,
  parent_process_table_id,
  parent_pid,
  parent_path,
  parent_command_line,
  parent_hash,
  previous_process_table_id,
  user_id,
  group_id,
  login_user_id,
  login_user_name,
  effective_user_name,
  effective_user_id,
  session,
  tty,
  container_id,
  learned,
  host,
  boot_id,
  original_file_name,
  company,
  product,
  description,
  file_version,
  integrity_level,
  logon_id,
  logon_guid,
  guid,
  process_id,
  serial,
  flags
FROM processes WHERE id IS NOT NULL;
