-- SPDX-License-Identifier: Apache-2.0
-- What version 3 adds to the tables of schema.sql and schema-2.sql.

-- What only sources of Windows say of a process: a JSON object of fields of the
-- registry; NULL: nothing.
ALTER TABLE proc ADD COLUMN facts TEXT;
