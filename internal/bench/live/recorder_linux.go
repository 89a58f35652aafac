// SPDX-License-Identifier: Apache-2.0

// This file runs this recorder and asks its database what it has.

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"seismo/recorder/monitordb"
)

// seismo is the recorder of this checkout, detection with the shipped signals and the
// database on: with the rules that the peers have, or in full with all defaults.
type seismo struct {
	place
	mode   mode
	full   bool
	daemon *daemon
}

func (r *seismo) pid() int {
	if r.daemon == nil {
		return 0
	}
	return r.daemon.cmd.Process.Pid
}

func (r *seismo) home() string     { return filepath.Join(r.dir, "home") }
func (r *seismo) output() string   { return filepath.Join(r.dir, "seismo.log") }
func (r *seismo) database() string { return filepath.Join(r.home(), "monitor.db") }

// settings are those of recorder.json. What the peers' rules do not ask for is off.
func (r *seismo) settings() map[string]any {
	if r.full {
		return map[string]any{"source": "unicast"}
	}
	return map[string]any{"source": "unicast", "fileRoots": []string{r.watched}, "watchSignalPaths": false,
		"monitorSecurity": false, "monitorSyscalls": false, "monitorDNS": false, "hashes": []string{}}
}

// alarm is a signal whose matches are waited for under the load "latency": its id, its
// severity and the program.
const alarm = `id: %s
name: Program of the benchmark of severity %[2]s
description: It is started to see how long its match takes.
severity: %[2]s
status: test
platforms: [linux]
signal: process.path is '%[3]s'
`

// writeAlarms makes a folder with the signals of the load "latency".
func (r *seismo) writeAlarms() (folder string, err error) {
	folder = filepath.Join(r.dir, "signals")
	if err := os.Mkdir(folder, 0o700); err != nil {
		return "", err
	}
	high := fmt.Appendf(nil, alarm, "7a3f0c52-9b1e-4d3b-8a35-0d4c7f6b2e10", "high", r.tiny)
	medium := fmt.Appendf(nil, alarm, "c1d5b1f6-2f38-4f0a-9a5e-6a1f0b7c9d42", "medium", r.fork)
	return folder, errors.Join(os.WriteFile(filepath.Join(folder, "high.yml"), high, 0o600),
		os.WriteFile(filepath.Join(folder, "medium.yml"), medium, 0o600))
}

func (r *seismo) start(ctx context.Context) error {
	if err := os.Mkdir(r.home(), 0o700); err != nil {
		return err
	}
	settings, err := json.MarshalIndent(r.settings(), "", "  ")
	if err == nil {
		err = os.WriteFile(filepath.Join(r.home(), "recorder.json"), settings, 0o600)
	}
	if err != nil {
		return fmt.Errorf("write the settings: %w", err)
	}
	args := []string{"record", "--home", r.home()}
	if r.mode.Kind == reportLatency {
		folder, err := r.writeAlarms()
		if err != nil {
			return err
		}
		args = append(args, "--signals", folder)
	}
	if r.daemon, err = launch(r.output(), r.seismo, args...); err != nil {
		return err
	}
	return r.daemon.until(ctx, r.output(), func() (bool, error) {
		log, err := os.ReadFile(r.output())
		return bytes.Contains(log, []byte(`"message":"recording"`)), err
	})
}

func (r *seismo) stop() error {
	if r.daemon == nil {
		return nil
	}
	return r.daemon.stop(r.output())
}

// size asks the database for the pages that it uses: its file and its log, which has
// pages that come into the file later and others that are there already.
func (r *seismo) size() (size int64, err error) {
	err = r.ask("SELECT (p.page_count - f.freelist_count) * s.page_size FROM pragma_page_count p, pragma_freelist_count f, pragma_page_size s",
		func(row []any) { size, _ = row[0].(int64) })
	return size, err
}

// ask runs one query over the database and hands its rows to each.
func (r *seismo) ask(query string, each func([]any)) error {
	db, err := monitordb.OpenReader(r.database())
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.Query(context.Background(), query, monitordb.QueryOptions{Timeout: 5 * time.Minute},
		func([]string) error { return nil }, func(row []any) error { each(row); return nil })
	return err
}

func (r *seismo) count(s *seen) (losses []string, err error) {
	err = r.ask("SELECT process_command_line, end_time IS NOT NULL FROM process_events WHERE learned = 'exec'", func(row []any) {
		if s.addArgs(strings.Split(text(row[0]), " ")) && row[1] == int64(1) {
			s.ends++
		}
	})
	if err != nil {
		return nil, err
	}
	err = r.ask("SELECT operation, file, target_file FROM file_events", func(row []any) {
		switch text(row[0]) {
		case "create", "write":
			s.addFile(text(row[1]), true)
		case "rename":
			s.addFile(text(row[2]), true)
		case "delete":
			s.addFile(text(row[1]), false)
		}
	})
	if err != nil {
		return nil, err
	}
	err = r.ask("SELECT address, port FROM network_events WHERE operation IN ('connect', 'accept')", func(row []any) {
		port, _ := row[1].(int64)
		if a, err := netip.ParseAddr(text(row[0])); err == nil && a.Unmap().Is4() {
			s.addSocket(a.Unmap().As4(), uint16(port))
		}
	})
	if err != nil {
		return nil, err
	}
	err = r.ask("SELECT reason, type, count, unit, detail FROM losses WHERE reason <> 'matches_over_limit'", func(row []any) {
		losses = append(losses, strings.TrimSpace(fmt.Sprintln("loss row:", text(row[0]), text(row[1]), text(row[2]), text(row[3]), text(row[4]))))
	})
	return losses, err
}

// text writes a value of a row; NULL as nothing.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case []byte:
		return string(v)
	}
	return fmt.Sprint(v)
}
