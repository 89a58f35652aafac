// SPDX-License-Identifier: Apache-2.0

package monitordb

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"seismo/internal/event"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var viewNames = []string{"processes", "process_events", "file_events", "network_events", "registry_events", "image_events",
	"driver_events", "dns_events", "security_events", "syscall_events", "record_events", "combined_events", "signal_matches",
	"signal_counts", "losses"}

// smallDB writes a database with everything in it and returns its path.
func smallDB(t testing.TB) string {
	t.Helper()
	db := newDB(t)
	setDefinitions(t, db, definitions(2))
	b := everyKind(db.IDs())
	for _, e := range b.Events() {
		if e.Kind == event.KindFile {
			e.Tags = append(e.Tags, event.Tag{Signal: 1, Proof: []event.ProofItem{
				{Term: 0x1234, Text: "file.path begins with '/etc'", Event: e.ID, Time: e.Time, Field: event.FilePath, Value: "/etc/cron.d/x", Literal: "/etc"},
				{Term: 0xfffffffffffffff0, Text: "record.'key' is NOT 'x'", Event: e.ID, Own: "key", Absent: true}}})
		}
	}
	write(t, db, b)
	ctx := context.Background()
	if err := db.NoteHost(ctx, Host{Time: base, MachineID: "m1", Name: "web1", Platform: "linux", Kernel: "6.1", Version: "0.1", BootID: "boot-1"}); err != nil {
		t.Fatal(err)
	}
	s := Stats{Time: base, Input: "audit", Source: event.SourceStats{Received: 100, Parsed: 99, Malformed: 1}, Assembled: 20, Stored: 17, Filtered: 2, InFlight: 1, CPU: 5e6}
	if err := db.WriteStats(ctx, s); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return db.path
}

// Every kind of event is read back through its view: the golden file has all
// columns of all rows.
func TestViews(t *testing.T) {
	path := smallDB(t)
	var out strings.Builder
	r, err := OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, v := range viewNames {
		fmt.Fprintf(&out, "%s\n", v)
		var names []string
		n := 0
		_, err := r.Query(context.Background(), "SELECT * FROM "+v, QueryOptions{}, func(c []string) error { names = slices.Clone(c); return nil },
			func(values []any) error {
				n++
				fmt.Fprintf(&out, "  row %d\n", n)
				for i := range values {
					if values[i] != nil {
						fmt.Fprintf(&out, "    %s: %s\n", names[i], line(values[i:i+1]))
					}
				}
				return nil
			})
		if err != nil {
			t.Fatalf("view %s: %v", v, err)
		}
		if n == 0 {
			t.Errorf("view %s has no row", v)
		}
	}
	golden := filepath.Join("testdata", "views.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != string(want) {
		t.Errorf("views of the small database differ from %s; -update rewrites it\n%s", golden, firstDifference(got, string(want)))
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range g {
		if i >= len(w) || g[i] != w[i] {
			return fmt.Sprintf("line %d: got %q, want %q", i+1, g[i], append(w, "")[min(i, len(w))])
		}
	}
	return "got is shorter"
}

// Every registry field of a kind is a column of its table, or follows from one, or is
// kept in table extra.
func TestEveryFieldIsStored(t *testing.T) {
	derived := map[string]string{
		"file.name": "last element of the path; extra keeps another", "file.extension": "of the name; extra keeps another",
		"file.result_path": "target_path or path",
		"process.end_time": "proc_end", "process.exit_code": "proc_end", "process.operation": "the table",
	}
	stored := map[event.Field]bool{}
	for k := range tables {
		for _, c := range tables[k] {
			if !event.Describe(c.field).Kinds.Has(event.Kind(k)) {
				t.Errorf("column %s of table %s holds %s, which the kind has not", c.name, event.Kind(k), event.Describe(c.field).Name)
			}
			stored[c.field] = true
		}
		for _, f := range docFields[k] {
			stored[f.Field] = true
		}
	}
	for _, f := range event.Fields() {
		if f.Scope != event.ScopeEvent || f.Kinds == event.AllKinds || stored[f.Field] || derived[f.Name] != "" {
			continue
		}
		if !strings.HasSuffix(f.Name, ".operation") {
			t.Errorf("%s is stored nowhere", f.Name)
		}
	}
}

// A range of ids is searched in every view of events, not scanned: that is what
// the ids are for.
func TestViewsSearchByTime(t *testing.T) {
	path := smallDB(t)
	scan := regexp.MustCompile(`\bSCAN (\w+)`)
	for _, v := range viewNames {
		if v == "processes" || v == "signal_matches" || v == "signal_counts" || v == "losses" {
			continue
		}
		for _, row := range ask(t, path, "EXPLAIN QUERY PLAN SELECT * FROM "+v+" WHERE id BETWEEN 1604996096155000 AND 1604996096160000") {
			if m := scan.FindStringSubmatch(row); m != nil && m[1] != "combined_events" {
				t.Errorf("%s by id: the plan has %q", v, row)
			}
			if strings.Contains(row, "MATERIALIZE") {
				t.Errorf("%s by id: the plan has %q", v, row)
			}
		}
	}
}

// shell runs query in the sqlite3 shell.
func shell(t testing.TB, path, query string) string {
	t.Helper()
	bin, err := exec.LookPath("sqlite3")
	if err != nil {
		t.Skip("needs the sqlite3 shell")
	}
	out, err := exec.Command(bin, path, query).CombinedOutput()
	if err != nil {
		t.Fatalf("sqlite3 %s %q: %v\n%s", path, query, err, out)
	}
	return strings.TrimSpace(string(out))
}

// A plain sqlite3 shell reads every view as this program does.
func TestShellReadsViews(t *testing.T) {
	path := smallDB(t)
	for _, v := range viewNames {
		got := shell(t, path, "SELECT count(*) FROM (SELECT * FROM "+v+")")
		want := ask(t, path, "SELECT count(*) FROM "+v)
		if got != want[0] || got == "0" {
			t.Errorf("sqlite3 counts %s rows in %s, want %s", got, v, want[0])
		}
	}
	got := shell(t, path, "SELECT timestamp, process_path, operation, target_file FROM file_events WHERE target_file IS NOT NULL")
	if want := "2020-11-10 08:14:56.158|/tmp/.x/curl|rename|/etc/cron.d/x"; got != want {
		t.Errorf("file_events in the shell: %q, want %q", got, want)
	}
	if got := shell(t, path, "PRAGMA integrity_check"); got != "ok" {
		t.Errorf("integrity_check in the shell: %q", got)
	}
}

// The sample queries of the documentation run, and give rows.
func TestDocumentedQueries(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "format", "monitor-db.md"))
	if err != nil {
		t.Fatal(err)
	}
	path := smallDB(t)
	samples := regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(samples) < 3 {
		t.Fatalf("docs/format/monitor-db.md has %d sample queries, want 3 or more", len(samples))
	}
	for _, s := range samples {
		if rows := ask(t, path, s[1]); len(rows) == 0 {
			t.Errorf("sample query gives no row:\n%s", s[1])
		}
	}
	for _, v := range viewNames {
		if !strings.Contains(string(text), "`"+v+"`") {
			t.Errorf("docs/format/monitor-db.md does not name %s", v)
		}
	}
	for _, row := range ask(t, path, "SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'view'") {
		view, column, _ := strings.Cut(row, "|")
		if !strings.Contains(string(text), "`"+column+"`") {
			t.Errorf("docs/format/monitor-db.md does not name column %s of %s", column, view)
		}
	}
}
