-- SPDX-License-Identifier: Apache-2.0
-- The views of events, one for each kind but process (process.sql). Each can be asked by id
-- or by a range of ids (microseconds of Unix time) without a scan.
-- docs/format/monitor-db.md explains the columns.

CREATE VIEW file_events AS SELECT
  t.id AS id,
  t.proc AS process_table_id,
  p.pid AS pid,
  xd.s || x.name AS process_path,
  CAST(x.name AS TEXT) AS process_name,
  pi.user_name AS user_name,
  pi.group_name AS group_name,
  strftime('%Y-%m-%d %H:%M:%S', t.id / 1000000, 'unixepoch') || printf('.%03d', t.id / 1000 % 1000) AS timestamp,
  t.id / 1000 AS timestamp_raw,
  o.name AS operation,
  fd.s || f.name AS file,
  f.name AS file_name,
  fd.s AS file_dir,
  gd.s || g.name AS target_file,
  t.op AS event_operation_id,
  t.mode AS mode,
  t.owner AS owner,
  t.inode AS inode,
  ps.s AS path_status,
  json_extract(ex.doc, '$.fields') AS more_fields,
  json_extract(ex.doc, '$.own') AS own_fields,
  ei.user_name AS event_user_name,
  ei.effective_name AS effective_user_name,
  ei.login_name AS login_user_name,
  pi.user_id AS user_id,
  ei.user_id AS event_user_id,
  ei.effective_id AS effective_user_id,
  ei.login_id AS login_user_id,
  t.serial AS serial,
  t.flags AS flags
FROM file t
LEFT JOIN proc p ON p.id = t.proc
LEFT JOIN path x ON x.id = p.exe
LEFT JOIN str xd ON xd.id = x.dir
LEFT JOIN identity pi ON pi.id = p.identity
LEFT JOIN identity ei ON ei.id = t.identity
LEFT JOIN operation o ON o.id = t.op
LEFT JOIN path f ON f.id = t.path
LEFT JOIN str fd ON fd.id = f.dir
LEFT JOIN path g ON g.id = t.target
LEFT JOIN str gd ON gd.id = g.dir
LEFT JOIN str ps ON ps.id = t.path_status
LEFT JOIN extra ex ON ex.id = t.id;

CREATE VIEW network_events AS SELECT
  t.id AS id,
  t.proc AS process_table_id,
  p.pid AS pid,
  xd.s || x.name AS process_path,
  CAST(x.name AS TEXT) AS process_name,
  pi.user_name AS user_name,
  pi.group_name AS group_name,
  strftime('%Y-%m-%d %H:%M:%S', t.id / 1000000, 'unixepoch') || printf('.%03d', t.id / 1000 % 1000) AS timestamp,
  t.id / 1000 AS timestamp_raw,
  o.name AS operation,
  nd.s AS direction,
  np.s AS protocol,
  na.s AS address,
  t.port AS port,
  sa.s AS source_addr,
  t.source_port AS source_port,
  da.s AS destination_addr,
  t.destination_port AS destination_port,
  ud.s || u.name AS socket_path,
  t.result AS result,
  ek.s AS ends_known,
  json_extract(ex.doc, '$.fields') AS more_fields,
  json_extract(ex.doc, '$.own') AS own_fields,
  ei.user_name AS event_user_name,
  ei.effective_name AS effective_user_name,
  ei.login_name AS login_user_name,
  pi.user_id AS user_id,
  ei.user_id AS event_user_id,
  ei.effective_id AS effective_user_id,
  ei.login_id AS login_user_id,
  t.serial AS serial,
  t.flags AS flags
FROM network t
LEFT JOIN proc p ON p.id = t.proc
LEFT JOIN path x ON x.id = p.exe
LEFT JOIN str xd ON xd.id = x.dir
LEFT JOIN identity pi ON pi.id = p.identity
LEFT JOIN identity ei ON ei.id = t.identity
LEFT JOIN operation o ON o.id = t.op
LEFT JOIN str nd ON nd.id = t.direction
LEFT JOIN str np ON np.id = t.protocol
LEFT JOIN str na ON na.id = t.address
LEFT JOIN str sa ON sa.id = t.source_address
LEFT JOIN str da ON da.id = t.destination_address
LEFT JOIN path u ON u.id = t.path
LEFT JOIN str ud ON ud.id = u.dir
LEFT JOIN str ek ON ek.id = t.ends_known
LEFT JOIN extra ex ON ex.id = t.id;

CREATE VIEW registry_events AS SELECT
  t.id AS id,
  t.proc AS process_table_id,
  p.pid AS pid,
  xd.s || x.name AS process_path,
  CAST(x.name AS TEXT) AS process_name,
  pi.user_name AS user_name,
  pi.group_name AS group_name,
  strftime('%Y-%m-%d %H:%M:%S', t.id / 1000000, 'unixepoch') || printf('.%03d', t.id / 1000 % 1000) AS timestamp,
  t.id / 1000 AS timestamp_raw,
  o.name AS operation,
  kd.s || k.name AS key_path,
  CAST(vn.s AS TEXT) AS value_name,
  CAST(t.value_data AS TEXT) AS value_data,
  json_extract(ex.doc, '$.fields') AS more_fields,
  json_extract(ex.doc, '$.own') AS own_fields,
  ei.user_name AS event_user_name,
  ei.effective_name AS effective_user_name,
  ei.login_name AS login_user_name,
  pi.user_id AS user_id,
  ei.user_id AS event_user_id,
  ei.effective_id AS effective_user_id,
  ei.login_id AS login_user_id,
  t.serial AS serial,
  t.flags AS flags
FROM registry t
LEFT JOIN proc p ON p.id = t.proc
LEFT JOIN path x ON x.id = p.exe
LEFT JOIN str xd ON xd.id = x.dir
LEFT JOIN identity pi ON pi.id = p.identity
LEFT JOIN identity ei ON ei.id = t.identity
LEFT JOIN operation o ON o.id = t.op
LEFT JOIN path k ON k.id = t.key_path
LEFT JOIN str kd ON kd.id = k.dir
LEFT JOIN str vn ON vn.id = t.value_name
LEFT JOIN extra ex ON ex.id = t.id;

CREATE VIEW image_events AS SELECT
  t.id AS id,
  t.proc AS process_table_id,
  p.pid AS pid,
  xd.s || x.name AS process_path,
  CAST(x.name AS TEXT) AS process_name,
  pi.user_name AS user_name,
  pi.group_name AS group_name,
  strftime('%Y-%m-%d %H:%M:%S', t.id / 1000000, 'unixepoch') || printf('.%03d', t.id / 1000 % 1000) AS timestamp,
  t.id / 1000 AS timestamp_raw,
  o.name AS operation,
  im.s || i.name AS path,
  lh.s AS library_hash,
  ss.s AS signature_status,
  si.s AS signature_issuer,
  su.s AS signature_subject,
  json_extract(ex.doc, '$.fields') AS more_fields,
  json_extract(ex.doc, '$.own') AS own_fields,
  ei.user_name AS event_user_name,
  ei.effective_name AS effective_user_name,
  ei.login_name AS login_user_name,
  pi.user_id AS user_id,
  ei.user_id AS event_user_id,
  ei.effective_id AS effective_user_id,
  ei.login_id AS login_user_id,
  t.serial AS serial,
  t.flags AS flags
FROM image t
LEFT JOIN proc p ON p.id = t.proc
LEFT JOIN path x ON x.id = p.exe
LEFT JOIN str xd ON xd.id = x.dir
LEFT JOIN identity pi ON pi.id = p.identity
LEFT JOIN identity ei ON ei.id = t.identity
LEFT JOIN operation o ON o.id = t.op
LEFT JOIN path i ON i.id = t.path
LEFT JOIN str im ON im.id = i.dir
LEFT JOIN str lh ON lh.id = t.hash
LEFT JOIN str ss ON ss.id = t.signature_status
LEFT JOIN str si ON si.id = t.signature_issuer
LEFT JOIN str su ON su.id = t.signature_subject
LEFT JOIN extra ex ON ex.id = t.id;

CREATE VIEW driver_events AS SELECT
  t.id AS id,
  t.proc AS process_table_id,
  p.pid AS pid,
  xd.s || x.name AS process_path,
  CAST(x.name AS TEXT) AS process_name,
  pi.user_name AS user_name,
  pi.group_name AS group_name,
  strftime('%Y-%m-%d %H:%M:%S', t.id / 1000000, 'unixepoch') || printf('.%03d', t.id / 1000 % 1000) AS timestamp,
  t.id / 1000 AS timestamp_raw,
  o.name AS operation,
  im.s || i.name AS ImageLoaded,
  CAST(n.s AS TEXT) AS name,
  lh.s AS Hashes,
  CASE WHEN ss.s IS NULL THEN NULL WHEN lower(ss.s) IN ('unsigned', 'false') THEN 'false' ELSE 'true' END AS Signed,
  su.s AS Signature,
  ss.s AS signature_status,
  si.s AS signature_issuer,
  json_extract(ex.doc, '$.fields') AS more_fields,
  json_extract(ex.doc, '$.own') AS own_fields,
  ei.user_name AS event_user_name,
  ei.effective_name AS effective_user_name,
  ei.login_name AS login_user_name,
  pi.user_id AS user_id,
  ei.user_id AS event_user_id,
  ei.effective_id AS effective_user_id,
  ei.login_id AS login_user_id,
  t.serial AS serial,
  t.flags AS flags
FROM driver t
LEFT JOIN proc p ON p.id = t.proc
LEFT JOIN path x ON x.id = p.exe
LEFT JOIN str xd ON xd.id = x.dir
LEFT JOIN identity pi ON pi.id = p.identity
LEFT JOIN identity ei ON ei.id = t.identity
LEFT JOIN operation o ON o.id = t.op
LEFT JOIN path i ON i.id = t.path
LEFT JOIN str im ON im.id = i.dir
LEFT JOIN str n ON n.id = t.name
LEFT JOIN str lh ON lh.id = t.hash
LEFT JOIN str ss ON ss.id = t.signature_status
LEFT JOIN str si ON si.id = t.signature_issuer
LEFT JOIN str su ON su.id = t.signature_subject
LEFT JOIN extra ex ON ex.id = t.id;

CREATE VIEW dns_events AS SELECT
  t.id AS id,
  t.proc AS process_table_id,
  p.pid AS pid,
  xd.s || x.name AS process_path,
  CAST(x.name AS TEXT) AS process_name,
  pi.user_name AS user_name,
  pi.group_name AS group_name,
  strftime('%Y-%m-%d %H:%M:%S', t.id / 1000000, 'unixepoch') || printf('.%03d', t.id / 1000 % 1000) AS timestamp,
  t.id / 1000 AS timestamp_raw,
  o.name AS operation,
  CAST(q.s AS TEXT) AS query,
  CAST(t.response AS TEXT) AS response,
  ty.s AS query_type,
  st.s AS status,
  sv.s AS server_address,
  cl.s AS client_address,
  t.client_port AS client_port,
  pr.s AS protocol,
  tx.s AS dns_transaction,
  at.s AS attribution,
  json_extract(ex.doc, '$.fields') AS more_fields,
  json_extract(ex.doc, '$.own') AS own_fields,
  ei.user_name AS event_user_name,
  ei.effective_name AS effective_user_name,
  ei.login_name AS login_user_name,
  pi.user_id AS user_id,
  ei.user_id AS event_user_id,
  ei.effective_id AS effective_user_id,
  ei.login_id AS login_user_id,
  t.serial AS serial,
  t.flags AS flags
FROM dns t
LEFT JOIN proc p ON p.id = t.proc
LEFT JOIN path x ON x.id = p.exe
LEFT JOIN str xd ON xd.id = x.dir
LEFT JOIN identity pi ON pi.id = p.identity
LEFT JOIN identity ei ON ei.id = t.identity
LEFT JOIN operation o ON o.id = t.op
LEFT JOIN str q ON q.id = t.query
LEFT JOIN str ty ON ty.id = t.type
LEFT JOIN str st ON st.id = t.status
LEFT JOIN str sv ON sv.id = t.server_address
LEFT JOIN str cl ON cl.id = t.client_address
LEFT JOIN str pr ON pr.id = t.protocol
LEFT JOIN str tx ON tx.id = t.exchange
LEFT JOIN str at ON at.id = t.attribution
LEFT JOIN extra ex ON ex.id = t.id;

CREATE VIEW security_events AS SELECT
  t.id AS id,
  t.proc AS process_table_id,
  p.pid AS pid,
  xd.s || x.name AS process_path,
  CAST(x.name AS TEXT) AS process_name,
  pi.user_name AS user_name,
  pi.group_name AS group_name,
  strftime('%Y-%m-%d %H:%M:%S', t.id / 1000000, 'unixepoch') || printf('.%03d', t.id / 1000 % 1000) AS timestamp,
  t.id / 1000 AS timestamp_raw,
  o.name AS operation,
  ev.s AS event_id,
  rs.s AS result,
  CAST(tu.s AS TEXT) AS target_user,
  sa.s AS source_addr,
  lt.s AS logon_type,
  CAST(t.details AS TEXT) AS details,
  json_extract(ex.doc, '$.fields') AS more_fields,
  json_extract(ex.doc, '$.own') AS own_fields,
  ei.user_name AS event_user_name,
  ei.effective_name AS effective_user_name,
  ei.login_name AS login_user_name,
  pi.user_id AS user_id,
  ei.user_id AS event_user_id,
  ei.effective_id AS effective_user_id,
  ei.login_id AS login_user_id,
  t.serial AS serial,
  t.flags AS flags
FROM security t
LEFT JOIN proc p ON p.id = t.proc
LEFT JOIN path x ON x.id = p.exe
LEFT JOIN str xd ON xd.id = x.dir
LEFT JOIN identity pi ON pi.id = p.identity
LEFT JOIN identity ei ON ei.id = t.identity
LEFT JOIN operation o ON o.id = t.op
LEFT JOIN str ev ON ev.id = t.event_id
LEFT JOIN str rs ON rs.id = t.result
LEFT JOIN str tu ON tu.id = t.target_user
LEFT JOIN str sa ON sa.id = t.source_address
LEFT JOIN str lt ON lt.id = t.logon_type
LEFT JOIN extra ex ON ex.id = t.id;

CREATE VIEW syscall_events AS SELECT
  t.id AS id,
  t.proc AS process_table_id,
  p.pid AS pid,
  xd.s || x.name AS process_path,
  CAST(x.name AS TEXT) AS process_name,
  pi.user_name AS user_name,
  pi.group_name AS group_name,
  strftime('%Y-%m-%d %H:%M:%S', t.id / 1000000, 'unixepoch') || printf('.%03d', t.id / 1000 % 1000) AS timestamp,
  t.id / 1000 AS timestamp_raw,
  o.name AS operation,
  n.s AS syscall_name,
  t.arguments AS arguments,
  t.result AS result,
  fd.s || f.name AS path,
  t.target_pid AS target_pid,
  json_extract(ex.doc, '$.fields') AS more_fields,
  json_extract(ex.doc, '$.own') AS own_fields,
  ei.user_name AS event_user_name,
  ei.effective_name AS effective_user_name,
  ei.login_name AS login_user_name,
  pi.user_id AS user_id,
  ei.user_id AS event_user_id,
  ei.effective_id AS effective_user_id,
  ei.login_id AS login_user_id,
  t.serial AS serial,
  t.flags AS flags
FROM syscall t
LEFT JOIN proc p ON p.id = t.proc
LEFT JOIN path x ON x.id = p.exe
LEFT JOIN str xd ON xd.id = x.dir
LEFT JOIN identity pi ON pi.id = p.identity
LEFT JOIN identity ei ON ei.id = t.identity
LEFT JOIN operation o ON o.id = t.op
LEFT JOIN str n ON n.id = t.name
LEFT JOIN path f ON f.id = t.path
LEFT JOIN str fd ON fd.id = f.dir
LEFT JOIN extra ex ON ex.id = t.id;

CREATE VIEW record_events AS SELECT
  t.id AS id,
  t.proc AS process_table_id,
  p.pid AS pid,
  xd.s || x.name AS process_path,
  CAST(x.name AS TEXT) AS process_name,
  pi.user_name AS user_name,
  pi.group_name AS group_name,
  strftime('%Y-%m-%d %H:%M:%S', t.id / 1000000, 'unixepoch') || printf('.%03d', t.id / 1000 % 1000) AS timestamp,
  t.id / 1000 AS timestamp_raw,
  o.name AS operation,
  ty.s AS type,
  CAST(t.text AS TEXT) AS text,
  json_extract(ex.doc, '$.fields') AS more_fields,
  json_extract(ex.doc, '$.own') AS own_fields,
  ei.user_name AS event_user_name,
  ei.effective_name AS effective_user_name,
  ei.login_name AS login_user_name,
  pi.user_id AS user_id,
  ei.user_id AS event_user_id,
  ei.effective_id AS effective_user_id,
  ei.login_id AS login_user_id,
  t.serial AS serial,
  t.flags AS flags
FROM record t
LEFT JOIN proc p ON p.id = t.proc
LEFT JOIN path x ON x.id = p.exe
LEFT JOIN str xd ON xd.id = x.dir
LEFT JOIN identity pi ON pi.id = p.identity
LEFT JOIN identity ei ON ei.id = t.identity
LEFT JOIN operation o ON o.id = t.op
LEFT JOIN str ty ON ty.id = t.type
LEFT JOIN extra ex ON ex.id = t.id;
