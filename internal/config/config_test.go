// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seismo/internal/config"
)

func TestParse(t *testing.T) {
	with := func(change func(*config.Config)) config.Config {
		c := config.Default()
		change(&c)
		return c
	}
	tests := []struct {
		name string
		in   string
		want config.Config
		err  string // a part of the error; empty for none
	}{
		{"an empty object gives the defaults", `{}`, config.Default(), ""},
		{"every setting", `{"source":"log:/var/log/audit/audit.log","auditRules":"leave","monitorFiles":false,"monitorNetwork":false,"monitorSecurity":false,"monitorSyscalls":false,"monitorDNS":false,"monitorImageLoad":true,"hashes":["md5","sha256"],"hashMaxBytes":0,"hashPerSecond":1,"eventQueueExpirationSeconds":3,"fileRoots":["/etc","/srv/a b"],"batchWriteDelayMS":0,"newEventLimit":10,"recordSignalMatches":1,"processExpirationSeconds":1,"watchSignalPaths":false,"signalWorkLimit":0,"disableSignalsTrie":true,"signalsPublicKey":"team.pub","logLevel":"Warning"}`,
			with(func(c *config.Config) {
				*c = config.Config{Source: "log:/var/log/audit/audit.log", LeaveRules: true, MonitorImageLoad: true, Hashes: []string{"md5", "sha256"}, HashPerSecond: 1, EventQueueExpiry: 3 * time.Second,
					FileRoots: []string{"/etc", "/srv/a b"}, NewEventLimit: 10, RecordSignalMatches: 1, ProcessExpiration: time.Second, DisableSignalsTrie: true, SignalsPublicKey: "team.pub", LogLevel: "warn"}
			}), ""},
		{"an empty list of roots is not the default list", `{"fileRoots":[]}`, with(func(c *config.Config) { c.FileRoots = []string{} }), ""},
		{"the original's spelling of a level", `{"logLevel":"Information"}`, config.Default(), ""},
		{"a misspelt key", "{\n \"fileRoot\": []\n}", config.Config{}, `r.json:2: unknown setting "fileRoot"`},
		{"a key whose value takes several lines is named at its own", "{\n \"fileRoot\": [\n  \"/a\"\n ]\n}", config.Config{}, `r.json:2: unknown setting "fileRoot"`},
		{"a value that is broken is named at its key", "{\n \"fileRoots\": [\n  \"/a\"\n x", config.Config{}, `r.json:2: setting "fileRoots"`},
		{"null is not zero", `{"batchWriteDelayMS":null}`, config.Config{}, `setting "batchWriteDelayMS" has no value`},
		{"null is not an empty list", `{"fileRoots":null}`, config.Config{}, `setting "fileRoots" has no value`},
		{"a key that stands twice", `{"newEventLimit":1,"newEventLimit":2}`, config.Config{}, "stands twice"},
		{"a source that is none", `{"source":"netlink"}`, config.Config{}, `want auto, unicast, multicast, plugin or log:PATH`},
		{"a log without its whole path", `{"source":"log:audit.log"}`, config.Config{}, `named by its absolute path`},
		{"rules that are neither kept nor managed", `{"auditRules":true}`, config.Config{}, `true is neither manage nor leave`},
		{"a hash that is not had", `{"hashes":["sha1"]}`, config.Config{}, `"sha1": want sha256 and md5, each once`},
		{"a hash named twice", `{"hashes":["md5","md5"]}`, config.Config{}, `want sha256 and md5, each once`},
		{"a number over its limit", `{"batchWriteDelayMS":5001}`, config.Config{}, `setting "batchWriteDelayMS": 5001 is out of range`},
		{"a number with a fraction", `{"newEventLimit":1.5}`, config.Config{}, "want a whole number"},
		{"a word that is not true or false", `{"disableSignalsTrie":"yes"}`, config.Config{}, `setting "disableSignalsTrie": want true or false`},
		{"a relative root", `{"fileRoots":["etc"]}`, config.Config{}, `"etc" is no clean absolute path`},
		{"a root with dots", `{"fileRoots":["/etc/../root"]}`, config.Config{}, "no clean absolute path"},
		{"a level that is none", `{"logLevel":"loud"}`, config.Config{}, `"loud" is no log level`},
		{"a key that is no text", `{"signalsPublicKey":["a"]}`, config.Config{}, `setting "signalsPublicKey": want a key in base64 or the path of a file`},
		{"an empty key, which would be none", `{"signalsPublicKey":""}`, config.Config{}, `setting "signalsPublicKey": want a key`},
		{"no object", `[]`, config.Config{}, "want a JSON object"},
		{"no end", `{"newEventLimit":1`, config.Config{}, "r.json:1: "},
		{"text after the end", `{} {}`, config.Config{}, "something follows"},
		{"nothing at all", ``, config.Config{}, "want a JSON object"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := config.Parse("r.json", []byte(tt.in))
			if tt.err == "" {
				if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
					t.Errorf("Parse(%s): %v, difference (-want +got):\n%s", tt.in, err, diff)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.err) || !errors.Is(err, config.ErrConfig) {
				t.Errorf("Parse(%s): error %v; want ErrConfig with %q", tt.in, err, tt.err)
			}
		})
	}
}

func TestLoadWithoutAFileGivesTheDefaults(t *testing.T) {
	got, err := config.Load(filepath.Join(t.TempDir(), "recorder.json"))
	if diff := cmp.Diff(config.Default(), got); err != nil || diff != "" {
		t.Errorf("Load: %v, difference (-want +got):\n%s", err, diff)
	}
}

func TestLoadOfNoRegularFileIsRefused(t *testing.T) {
	if _, err := config.Load(t.TempDir()); !errors.Is(err, config.ErrConfig) { // a pipe is refused by the same test
		t.Errorf("Load of a folder: %v; want ErrConfig", err)
	}
}

// docs/configuration.md names every setting with its default.
func TestEverySettingIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range config.Settings() {
		if row := "| " + s.Key + " | " + s.Default + " | " + s.Doc + " |"; !strings.Contains(string(page), row) {
			t.Errorf("docs/configuration.md lacks the row\n%s", row)
		}
	}
}
