-- SPDX-License-Identifier: Apache-2.0
-- The tables of monitor.db, version 1. What people read are the views (views.sql);
-- docs/format/monitor-db.md explains both. Written values that are not valid UTF-8, or
-- hold a NUL, are blobs, all others are text.

-- Dictionaries: each value stands once and is referred to by its number.
CREATE TABLE str (
  id INTEGER PRIMARY KEY,
  s NOT NULL UNIQUE
);
CREATE TABLE path (
  id INTEGER PRIMARY KEY,
  dir INTEGER NOT NULL, -- str: everything up to and with the last separator
  name NOT NULL,        -- what follows it
  UNIQUE (dir, name)
);
CREATE TABLE command ( -- may hold the same line more than once
  id INTEGER PRIMARY KEY,
  line NOT NULL,       -- arguments joined by blanks
  args                 -- 1: the line split at each blank; a JSON array otherwise; NULL: not known
);
CREATE TABLE identity ( -- who; of a process at its start or of an event
  id INTEGER PRIMARY KEY,
  user_id, user_name, group_id, group_name,
  effective_id, effective_name, login_id, login_name
);
CREATE INDEX identity_user ON identity (user_id, effective_id);
CREATE TABLE kind (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE operation (id INTEGER PRIMARY KEY, name TEXT NOT NULL);

-- Processes: one row for each image of a pid.
CREATE TABLE proc (
  id INTEGER PRIMARY KEY,
  key INTEGER NOT NULL UNIQUE, -- process.id as a signed number
  learned INTEGER NOT NULL,    -- 0 exec seen, 1 found running, 2 forked, 3 inferred from an event
  event INTEGER,               -- id of the create event; NULL: none was seen
  start INTEGER,               -- Unix time in nanoseconds; NULL: that of the create event
  pid INTEGER NOT NULL,
  ppid INTEGER,                -- NULL: the parent's pid, if there is a parent
  parent INTEGER,              -- proc
  previous INTEGER,            -- proc: the image that this one replaced
  exe INTEGER,                 -- path
  command INTEGER,             -- command
  cwd INTEGER,                 -- str
  identity INTEGER,            -- identity when the image began
  event_identity INTEGER,      -- identity of the create event
  session INTEGER,
  tty INTEGER,                 -- str
  boot INTEGER,                -- str: boot id
  host INTEGER,                -- str; NULL: the host of the database
  container INTEGER,           -- str
  hash INTEGER,                -- str: NAME=hex, joined by commas
  ticks INTEGER,               -- start in clock ticks since boot
  serial INTEGER,              -- the source's number of the create event
  flags INTEGER NOT NULL       -- of the create event
);
CREATE INDEX proc_event ON proc (event) WHERE event IS NOT NULL;
CREATE INDEX proc_parent ON proc (parent) WHERE parent IS NOT NULL;

-- Event tables. The id of an event is its time in microseconds of Unix time, moved up
-- to a number that is free in all of them.
CREATE TABLE proc_end (
  id INTEGER PRIMARY KEY,
  proc INTEGER,
  exit_code INTEGER,
  end_time INTEGER,            -- Unix time in nanoseconds; NULL: that of the event
  identity INTEGER,
  serial INTEGER,
  flags INTEGER NOT NULL
);
CREATE INDEX proc_end_proc ON proc_end (proc);
CREATE TABLE proc_attr ( -- values that were learned late
  id INTEGER PRIMARY KEY,
  proc INTEGER,
  hash INTEGER,                -- str
  container INTEGER,           -- str
  serial INTEGER,
  flags INTEGER NOT NULL
);
CREATE INDEX proc_attr_proc ON proc_attr (proc);
CREATE TABLE file (
  id INTEGER PRIMARY KEY,
  proc INTEGER,
  op INTEGER NOT NULL,         -- operation
  path INTEGER,                -- path
  target INTEGER,              -- path: of a rename or link
  mode INTEGER,
  owner INTEGER,
  inode INTEGER,
  path_status INTEGER,         -- str
  identity INTEGER,
  serial INTEGER,
  flags INTEGER NOT NULL
);
CREATE INDEX file_path ON file (path);
CREATE TABLE network (
  id INTEGER PRIMARY KEY,
  proc INTEGER,
  op INTEGER NOT NULL,
  direction INTEGER,           -- str
  protocol INTEGER,            -- str
  address INTEGER,             -- str: the remote end; of a listen the local one
  port INTEGER,
  source_address INTEGER,      -- str
  source_port INTEGER,
  destination_address INTEGER, -- str
  destination_port INTEGER,
  path INTEGER,                -- path: of a UNIX socket
  result INTEGER,
  identity INTEGER,
  serial INTEGER,
  flags INTEGER NOT NULL
);
CREATE TABLE registry (
  id INTEGER PRIMARY KEY,
  proc INTEGER,
  op INTEGER NOT NULL,
  key_path INTEGER,            -- path
  value_name INTEGER,          -- str
  value_data,
  identity INTEGER,
  serial INTEGER,
  flags INTEGER NOT NULL
);
CREATE TABLE image (
  id INTEGER PRIMARY KEY,
  proc INTEGER,
  op INTEGER NOT NULL,
  path INTEGER,                -- path
  hash INTEGER,                -- str
  signature_status INTEGER,    -- str
  signature_issuer INTEGER,    -- str
  signature_subject INTEGER,   -- str
  identity INTEGER,
  serial INTEGER,
  flags INTEGER NOT NULL
);
CREATE TABLE driver (
  id INTEGER PRIMARY KEY,
  proc INTEGER,
  op INTEGER NOT NULL,
  path INTEGER,                -- path
  name INTEGER,                -- str
  hash INTEGER,                -- str
  signature_status INTEGER,    -- str
  signature_issuer INTEGER,    -- str
  signature_subject INTEGER,   -- str
  identity INTEGER,
  serial INTEGER,
  flags INTEGER NOT NULL
);
CREATE TABLE dns (
  id INTEGER PRIMARY KEY,
  proc INTEGER,
  op INTEGER NOT NULL,
  query INTEGER,               -- str
  response,
  type INTEGER,                -- str
  status INTEGER,              -- str
  identity INTEGER,
  serial INTEGER,
  flags INTEGER NOT NULL
);
CREATE TABLE security (
  id INTEGER PRIMARY KEY,
  proc INTEGER,
  op INTEGER NOT NULL,
  event_id INTEGER,            -- str
  result INTEGER,              -- str
  target_user INTEGER,         -- str
  source_address INTEGER,      -- str
  logon_type INTEGER,          -- str
  details,
  identity INTEGER,
  serial INTEGER,
  flags INTEGER NOT NULL
);
CREATE TABLE syscall (
  id INTEGER PRIMARY KEY,
  proc INTEGER,
  op INTEGER NOT NULL,
  name INTEGER,                -- str
  arguments,                   -- JSON array
  result INTEGER,
  path INTEGER,                -- path
  identity INTEGER,
  serial INTEGER,
  flags INTEGER NOT NULL
);
CREATE TABLE record (
  id INTEGER PRIMARY KEY,
  proc INTEGER,
  op INTEGER NOT NULL,
  type INTEGER,                -- str
  text,
  identity INTEGER,
  serial INTEGER,
  flags INTEGER NOT NULL
);
CREATE TABLE extra ( -- what some events have beside the columns of their table
  id INTEGER PRIMARY KEY,      -- of the event
  doc TEXT NOT NULL            -- JSON: records, own, fields, process
);

-- Signals.
CREATE TABLE signal_definition (
  id INTEGER PRIMARY KEY,
  uuid TEXT NOT NULL,
  revision TEXT NOT NULL,
  name TEXT, description TEXT, severity TEXT, status TEXT,
  techniques TEXT, platforms TEXT, labels TEXT, refs TEXT, false_positives TEXT, -- JSON arrays
  author TEXT, response TEXT,
  text TEXT,                   -- the expression
  loaded INTEGER NOT NULL,     -- when it was first loaded, Unix time in nanoseconds
  active INTEGER NOT NULL,     -- 1: in the set that was loaded last
  UNIQUE (uuid, revision)
);
CREATE TABLE signal_load (
  id INTEGER PRIMARY KEY,
  time INTEGER NOT NULL,       -- Unix time in nanoseconds
  digest TEXT NOT NULL,        -- of the program
  definitions INTEGER NOT NULL
);
CREATE TABLE signal_match (
  id INTEGER PRIMARY KEY,
  event INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  definition INTEGER NOT NULL,
  proc INTEGER,
  proof TEXT NOT NULL          -- JSON array
);
CREATE INDEX signal_match_event ON signal_match (event);
CREATE INDEX signal_match_definition ON signal_match (definition, proc);
CREATE TABLE signal_count (
  definition INTEGER NOT NULL,
  hour INTEGER NOT NULL,       -- hours of Unix time
  matches INTEGER NOT NULL,    -- all that fired
  stored INTEGER NOT NULL,     -- those of them with a row in signal_match
  last INTEGER NOT NULL,       -- id of the latest event
  PRIMARY KEY (definition, hour)
) WITHOUT ROWID;

-- The recorder about itself. Times are Unix time in nanoseconds.
CREATE TABLE loss (
  id INTEGER PRIMARY KEY,
  since INTEGER NOT NULL,
  until INTEGER NOT NULL,
  reason TEXT NOT NULL,
  kind INTEGER NOT NULL,       -- 0: not known
  count INTEGER NOT NULL,      -- 0: not known
  unit TEXT NOT NULL,
  detail,
  noted INTEGER NOT NULL
);
CREATE INDEX loss_until ON loss (until);
CREATE TABLE host ( -- one row for each start of a recorder
  id INTEGER PRIMARY KEY,
  time INTEGER NOT NULL,
  stop INTEGER,                -- NULL: still running, or ended without closing
  machine_id TEXT, name TEXT, platform TEXT, kernel TEXT, time_zone TEXT, boot_id TEXT,
  version TEXT,                -- of seismo
  program TEXT                 -- digest of the signals
);
CREATE TABLE stats (
  id INTEGER PRIMARY KEY,
  time INTEGER NOT NULL,
  source TEXT,
  received INTEGER, parsed INTEGER, malformed INTEGER,                     -- records
  kernel_lost INTEGER, serial_gaps INTEGER, overruns INTEGER, incomplete INTEGER,
  assembled INTEGER, stored INTEGER, filtered INTEGER, dropped INTEGER, in_flight INTEGER, -- events
  tags INTEGER,
  rss INTEGER,                 -- bytes
  cpu INTEGER,                 -- nanoseconds since the start
  queue INTEGER,               -- batches waiting
  detail TEXT
);
CREATE TABLE tally ( -- events stored, by kind
  kind INTEGER PRIMARY KEY,
  stored INTEGER NOT NULL,
  first INTEGER NOT NULL,      -- least event id
  last INTEGER NOT NULL        -- greatest event id
);
CREATE TABLE pulse ( -- one row: when something was last written
  id INTEGER PRIMARY KEY CHECK (id = 1),
  time INTEGER NOT NULL
);
INSERT INTO pulse VALUES (1, 0);
