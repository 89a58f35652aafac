-- SPDX-License-Identifier: Apache-2.0
-- What version 2 adds to the tables of schema.sql.

-- A definition as it is in force, and what the language of its text is.
ALTER TABLE signal_definition ADD COLUMN language TEXT;                      -- signal or cel; NULL: signal
ALTER TABLE signal_definition ADD COLUMN suppress TEXT;                      -- JSON array of expressions
ALTER TABLE signal_definition ADD COLUMN enabled INTEGER NOT NULL DEFAULT 1; -- 0: overrides.yml switched it off
ALTER TABLE signal_definition ADD COLUMN severity_now TEXT;                  -- what overrides.yml says; NULL: severity
ALTER TABLE signal_definition ADD COLUMN override_reason TEXT;
ALTER TABLE signal_match ADD COLUMN severity TEXT; -- that it fired with; NULL: that of the definition

-- Each load of signals while or before recording. One with an error changed nothing.
ALTER TABLE signal_load ADD COLUMN source TEXT;    -- file or folder
ALTER TABLE signal_load ADD COLUMN added INTEGER;  -- signals that were not there before; NULL: at the start
ALTER TABLE signal_load ADD COLUMN removed INTEGER;
ALTER TABLE signal_load ADD COLUMN changed INTEGER;
ALTER TABLE signal_load ADD COLUMN error TEXT;

-- Lists that the loaded signals name and that are not there.
CREATE TABLE list_missing (
  definition INTEGER NOT NULL,
  list TEXT NOT NULL,
  place TEXT NOT NULL,         -- where it was looked for
  PRIMARY KEY (definition, list)
) WITHOUT ROWID;

-- What a definition did and cost, over all runs.
CREATE TABLE signal_stats (
  definition INTEGER PRIMARY KEY,
  candidates INTEGER NOT NULL,  -- events that could have met it
  skipped INTEGER NOT NULL,     -- of those, the ones it was not judged on: it was suspended
  evaluations INTEGER NOT NULL, -- events it was judged on
  suppressed INTEGER NOT NULL,  -- events it would have fired on but for a suppress expression
  work INTEGER NOT NULL         -- work units
);
-- Stretches of time in which a signal was not judged for what it cost, in Unix time
-- in nanoseconds.
CREATE TABLE suspension (
  id INTEGER PRIMARY KEY,
  definition INTEGER NOT NULL,
  since INTEGER NOT NULL,
  until INTEGER,               -- NULL: it lasts
  work INTEGER NOT NULL,       -- work units for each event, on average, before it began
  reason TEXT NOT NULL
);
CREATE INDEX suspension_open ON suspension (definition) WHERE until IS NULL;
