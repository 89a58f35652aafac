-- SPDX-License-Identifier: Apache-2.0
-- What version 4 adds to the tables of schema.sql to schema-3.sql.

-- What was collected from a moment on: a row a change. A row holds until the next one
-- begins, or until the recorder stopped (losses of reason not_recording).
CREATE TABLE collection (
  id INTEGER PRIMARY KEY,
  start INTEGER NOT NULL,  -- Unix time in nanoseconds
  source TEXT NOT NULL,    -- unicast, multicast, plugin or log
  reason TEXT NOT NULL,    -- start, signals, rules, source
  kinds TEXT NOT NULL,     -- JSON array of kinds
  paths TEXT NOT NULL,     -- JSON array: folders that are watched
  calls TEXT NOT NULL,     -- JSON array: system calls that rules ask for
  own TEXT NOT NULL,       -- JSON array: own names that are kept of every event; ["*"]: all
  rules TEXT NOT NULL,     -- JSON array: the audit rules in force
  unmet TEXT NOT NULL      -- JSON array of sentences: what signals need and is not collected
);

-- What a packet says of an exchange with a name server.
ALTER TABLE dns ADD COLUMN server_address INTEGER;  -- str
ALTER TABLE dns ADD COLUMN client_address INTEGER;  -- str
ALTER TABLE dns ADD COLUMN client_port INTEGER;
ALTER TABLE dns ADD COLUMN protocol INTEGER;        -- str
ALTER TABLE dns ADD COLUMN exchange INTEGER;        -- str: the field dns.transaction
ALTER TABLE dns ADD COLUMN attribution INTEGER;     -- str

-- Which ends of a connection are sure, and whom a system call acted upon.
ALTER TABLE network ADD COLUMN ends_known INTEGER;  -- str: both, source, destination or none
ALTER TABLE syscall ADD COLUMN target_pid INTEGER;

-- What most command lines begin with is known: it is not stored again.
ALTER TABLE command ADD COLUMN head INTEGER; -- 1: the path of the program comes before line, 2: its name

-- Events that the settings leave out.
ALTER TABLE stats ADD COLUMN left_out INTEGER;

-- How far a live recording is in the kernel's numbering of events: one row, written with
-- the events. What comes after it was missed if the recorder was killed.
CREATE TABLE position (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  boot TEXT NOT NULL,      -- boot id that the numbers are of
  serial INTEGER NOT NULL, -- the greatest that was stored
  open INTEGER NOT NULL,   -- how many below it were not
  time INTEGER NOT NULL    -- of the newest event, Unix time in nanoseconds
);

-- Which processes ran some time ago, and the greatest row of proc then: one row. What runs
-- is among those and the rows after it.
CREATE TABLE survey (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  top INTEGER NOT NULL,   -- proc
  running TEXT NOT NULL   -- JSON array of rows of proc
);
