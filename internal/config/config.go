// SPDX-License-Identifier: Apache-2.0

// Package config reads recorder.json, the settings of the recorder. Every
// setting has one row in the table below: name, default, limits, meaning. A key
// that is not in the table is an error, so that a misspelt setting is never
// silently the default.
package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Config is what the settings come to.
type Config struct {
	Source              string // where records come from: auto, unicast, multicast, plugin, or log:PATH
	LeaveRules          bool   // use the audit rules that are in force, change none
	MonitorFiles        bool
	MonitorNetwork      bool
	MonitorSecurity     bool
	MonitorSyscalls     bool
	MonitorDNS          bool
	MonitorImageLoad    bool
	Hashes              []string      // what executables are hashed with; empty: they are not
	HashMaxBytes        int           // larger files are not hashed
	HashPerSecond       int           // files that are read in a second at most
	EventQueueExpiry    time.Duration // how long an event waits for the process that it is of
	FileRoots           []string      // folders watched for changes; nil means the default list
	BatchWriteDelay     time.Duration // how long events wait to be written together
	NewEventLimit       int           // how many events are written together at most
	RecordSignalMatches int           // matches stored for each signal and process
	ProcessExpiration   time.Duration // how long a process is remembered after its end
	WatchSignalPaths    bool          // watch folders that signals name beside FileRoots
	SignalWorkLimit     int           // work units an event that one signal may use on average; 0: no limit
	DisableSignalsTrie  bool          // judge by plain comparisons
	SignalsPublicKey    string        // a public key in base64, or the file of one; only signals.bin signed with it are loaded. Empty: any
	LogLevel            string        // trace, debug, info, warn or error
}

// Setting describes one key of recorder.json.
type Setting struct {
	Key     string
	Default string
	Doc     string
	set     func(*Config, json.RawMessage) error
}

// ErrConfig is wrapped by every error about the content of a settings file.
var ErrConfig = errors.New("bad settings")

// Settings returns every key that recorder.json may have.
func Settings() []Setting {
	return []Setting{
		{"fileRoots", "the base file roots that exist", "Folders (a list of absolute paths) whose files are watched for writes, renames, removals and changes of mode or owner. It replaces the default list; an empty list watches none but those that signals name (watchSignalPaths).",
			func(c *Config, v json.RawMessage) error {
				var roots []string
				if err := json.Unmarshal(v, &roots); err != nil {
					return errors.New("want a list of paths")
				}
				for _, r := range roots {
					if !filepath.IsAbs(r) || filepath.Clean(r) != r || strings.ContainsAny(r, "\x00\n\"'") || len(r) > 4000 {
						return fmt.Errorf("%q is no clean absolute path", r)
					}
				}
				c.FileRoots = append([]string{}, roots...)
				return nil
			}},
		{"source", "auto", "Where audit records come from: auto, unicast (the audit role itself), multicast (beside whoever has the role), plugin (auditd hands them to standard input), or log:PATH (a log of auditd, followed over rotation). auto takes multicast where auditd runs, else the role.",
			func(c *Config, v json.RawMessage) error {
				var s string
				if err := json.Unmarshal(v, &s); err != nil {
					return errors.New("want a string")
				}
				return ParseSource(s, c)
			}},
		{"auditRules", "manage", "manage: rules are added for what is monitored and taken away at the end; leave: the rules in force are used, and no rule is added or taken away.",
			func(c *Config, v json.RawMessage) error {
				var s string
				if err := json.Unmarshal(v, &s); err != nil || s != "manage" && s != "leave" {
					return fmt.Errorf("%s is neither manage nor leave", short(v))
				}
				c.LeaveRules = s == "leave"
				return nil
			}},
		{"monitorFiles", "true", "Whether changes of files below fileRoots are recorded. Folders that signals name are watched all the same (watchSignalPaths).",
			truth(func(c *Config, b bool) { c.MonitorFiles = b })},
		{"monitorNetwork", "true", "Whether connections made and taken, and sockets that wait for them, are recorded.",
			truth(func(c *Config, b bool) { c.MonitorNetwork = b })},
		{"monitorSecurity", "true", "Whether logins, authentication, changes of accounts, use of sudo and su, changes of the audit configuration and starts of services are recorded. Where a loaded signal asks for events of kind security, as shipped ones do, they are recorded all the same.",
			truth(func(c *Config, b bool) { c.MonitorSecurity = b })},
		{"monitorSyscalls", "true", "Whether the system calls that attackers use and that have no kind of their own are recorded (ptrace, bpf, mount, modules, memfd_create, namespaces, io_uring). Those that signals name are recorded all the same.",
			truth(func(c *Config, b bool) { c.MonitorSyscalls = b })},
		{"monitorDNS", "true", "Whether DNS queries and answers on this host's interfaces are recorded.",
			truth(func(c *Config, b bool) { c.MonitorDNS = b })},
		{"monitorImageLoad", "false", "Whether libraries and programs that are mapped for execution are recorded.",
			truth(func(c *Config, b bool) { c.MonitorImageLoad = b })},
		{"hashes", `["sha256"]`, "What the programs of processes are hashed with: a list of sha256 and md5. An empty list hashes none.",
			func(c *Config, v json.RawMessage) error {
				names := []string{}
				if err := json.Unmarshal(v, &names); err != nil {
					return errors.New("want a list of words, such as [\"sha256\"]")
				}
				for i, n := range names {
					if n != "sha256" && n != "md5" || slices.Contains(names[:i], n) {
						return fmt.Errorf("%.40q: want sha256 and md5, each once", n)
					}
				}
				c.Hashes = names
				return nil
			}},
		{"hashMaxBytes", "268435456", "Size in bytes beyond which a file is not hashed, 0 to 4294967295.",
			number(0, 4294967295, func(c *Config, n int) { c.HashMaxBytes = n })},
		{"hashPerSecond", "20", "Files that are read for their hashes in a second at most, 1 to 10000; what is known already is not read again.",
			number(1, 10000, func(c *Config, n int) { c.HashPerSecond = n })},
		{"eventQueueExpirationSeconds", "120", "Seconds that events of the sources beside audit (name queries, image loads, late hashes) wait at most until audit has told all that was before them, 1 to 86400.",
			number(1, 86400, func(c *Config, n int) { c.EventQueueExpiry = time.Duration(n) * time.Second })},
		{"batchWriteDelayMS", "1000", "Milliseconds that events wait to be written in one transaction, 0 to 5000. A batch with a match of severity high or critical does not wait.",
			number(0, 5000, func(c *Config, n int) { c.BatchWriteDelay = time.Duration(n) * time.Millisecond })},
		{"newEventLimit", "2000", "Events that are written in one transaction at most, 1 to 100000. Smaller costs more processor time and less memory.",
			number(1, 100000, func(c *Config, n int) { c.NewEventLimit = n })},
		{"recordSignalMatches", "5", "Matches that are stored with their proof for each signal and process, 1 to 1000. All are counted.",
			number(1, 1000, func(c *Config, n int) { c.RecordSignalMatches = n })},
		{"processExpirationSeconds", "180", "Seconds that a process is remembered after its end, for events that arrive late, 1 to 86400.",
			number(1, 86400, func(c *Config, n int) { c.ProcessExpiration = time.Duration(n) * time.Second })},
		{"watchSignalPaths", "true", "Whether folders that the loaded signals name in a file path are watched where no file root covers them, 32 at most.",
			truth(func(c *Config, b bool) { c.WatchSignalPaths = b })},
		{"signalWorkLimit", strconv.Itoa(defaultWorkLimit), "Work units (about one comparison of one literal with one value, 5 ns) that one signal may use for each event, on average over 4,096 events, 0 to 1000000. Beyond it the signal is suspended for a while, by name. 0 switches that off.",
			number(0, 1_000_000, func(c *Config, n int) { c.SignalWorkLimit = n })},
		{"disableSignalsTrie", "false", "Whether every signal is judged by plain comparisons, without tables of literals. The matches are the same, the cost is higher: for comparison.",
			truth(func(c *Config, b bool) { c.DisableSignalsTrie = b })},
		{"signalsPublicKey", "none", "Public key that signals.bin must be signed with: the key in base64, or the path of its file, from the folder of recorder.json on. With it, the recorder loads no definitions, no unsigned signals.bin, and not the shipped signals; replay, test and the others check every signals.bin that they load.",
			func(c *Config, v json.RawMessage) error {
				var s string
				if err := json.Unmarshal(v, &s); err != nil || s == "" || len(s) > 4000 || strings.ContainsAny(s, "\x00\n") {
					return errors.New("want a key in base64 or the path of a file")
				}
				c.SignalsPublicKey = s
				return nil
			}},
		{"logLevel", "info", "How much is written to standard error: trace, debug, info, warn or error.",
			func(c *Config, v json.RawMessage) error {
				var s string
				if err := json.Unmarshal(v, &s); err != nil {
					return errors.New("want a string")
				}
				switch s = strings.ToLower(s); s {
				case "information":
					s = "info"
				case "warning":
					s = "warn"
				case "trace", "debug", "info", "warn", "error":
				default:
					return fmt.Errorf("%q is no log level; want trace, debug, info, warn or error", s)
				}
				c.LogLevel = s
				return nil
			}},
	}
}

// Sources that records may come from by name; log:PATH is another.
var sources = []string{"auto", "unicast", "multicast", "plugin"}

// ParseSource takes s for the source of c.
func ParseSource(s string, c *Config) error {
	path, log := strings.CutPrefix(s, "log:")
	switch {
	case log && filepath.IsAbs(path) && !strings.ContainsAny(path, "\x00\n") && len(path) <= 4000:
	case log:
		return fmt.Errorf("%.80q: a log is named by its absolute path", s)
	case !slices.Contains(sources, s):
		return fmt.Errorf("%.40q is no source; want %s or log:PATH", s, strings.Join(sources, ", "))
	}
	c.Source = s
	return nil
}

func number(low, high int, set func(*Config, int)) func(*Config, json.RawMessage) error {
	return func(c *Config, v json.RawMessage) error {
		var n int
		if err := json.Unmarshal(v, &n); err != nil || n < low || n > high {
			return fmt.Errorf("%s is out of range; want a whole number from %d to %d", short(v), low, high)
		}
		set(c, n)
		return nil
	}
}

func truth(set func(*Config, bool)) func(*Config, json.RawMessage) error {
	return func(c *Config, v json.RawMessage) error {
		var b bool
		if err := json.Unmarshal(v, &b); err != nil {
			return errors.New("want true or false")
		}
		set(c, b)
		return nil
	}
}

func short(v []byte) string {
	if len(v) > 40 {
		v = append(v[:40:40], "…"...)
	}
	return string(v)
}

// defaultWorkLimit is what a signal may cost: 2,000 work units are about 10 µs an
// event, so that at 10,000 events a second one signal takes at most a tenth of a
// processor.
const defaultWorkLimit = 2000

// Default returns the settings without any file.
func Default() Config {
	return Config{Source: "auto", MonitorFiles: true, MonitorNetwork: true, MonitorSecurity: true, MonitorSyscalls: true, MonitorDNS: true,
		Hashes: []string{"sha256"}, HashMaxBytes: 256 << 20, HashPerSecond: 20, EventQueueExpiry: 120 * time.Second,
		BatchWriteDelay: time.Second, NewEventLimit: 2000, RecordSignalMatches: 5,
		ProcessExpiration: 180 * time.Second, WatchSignalPaths: true, SignalWorkLimit: defaultWorkLimit, LogLevel: "info"}
}

// maxFile bounds a settings file, in bytes.
const maxFile = 1 << 20

// Load reads the settings file at path. A file that is not there gives the
// defaults. An error about its content wraps [ErrConfig] and names the line.
func Load(path string) (Config, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Default(), nil
	} else if err != nil {
		return Config{}, err
	}
	if !info.Mode().IsRegular() { // opening a pipe waits for a writer
		return Config{}, fmt.Errorf("%s is no regular file: %w", path, ErrConfig)
	}
	f, err := os.Open(path)
	if err != nil {
		return Config{}, err
	}
	defer f.Close()
	src, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return Config{}, fmt.Errorf("read %s: %w", path, err)
	}
	return Parse(path, src)
}

// Parse reads the settings in src; name is used in errors.
func Parse(name string, src []byte) (Config, error) {
	c := Default()
	if len(src) > maxFile {
		return c, fmt.Errorf("%s: longer than %d bytes: %w", name, maxFile, ErrConfig)
	}
	d := json.NewDecoder(bytes.NewReader(src))
	line := func() int { return 1 + bytes.Count(src[:min(int(d.InputOffset()), len(src))], []byte("\n")) }
	at := 0 // the line of the setting at hand, 0 outside of one
	bad := func(format string, args ...any) (Config, error) {
		if at == 0 {
			at = line()
		}
		return c, fmt.Errorf("%s:%d: %s: %w", name, at, fmt.Sprintf(format, args...), ErrConfig)
	}
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return bad("want a JSON object of settings")
	}
	settings := Settings()
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return bad("%v", err)
		}
		key, _ := t.(string)
		at = line()
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return bad("setting %.40q: %v", key, err)
		}
		if seen[key] {
			return bad("setting %.40q stands twice", key)
		}
		seen[key] = true
		found := false
		for _, s := range settings {
			if found = s.Key == key; found {
				if string(v) == "null" { // which would set what it stands for to zero
					return bad("setting %q has no value; leave it out for the default", key)
				}
				if err := s.set(&c, v); err != nil {
					return bad("setting %q: %v", key, err)
				}
				break
			}
		}
		if !found {
			return bad("unknown setting %.40q; docs/configuration.md lists them", key)
		}
		at = 0
	}
	if _, err := d.Token(); err != nil {
		return bad("the object has no end")
	}
	if _, err := d.Token(); err != io.EOF {
		return bad("something follows the object")
	}
	return c, nil
}
