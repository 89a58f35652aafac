// SPDX-License-Identifier: Apache-2.0

package signals_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seismo/signals"
)

// lintOf returns what lint says of a signal, each as its code and what it is about.
func lintOf(t *testing.T, text, keys string) (codes []string, all signals.Diagnostics) {
	t.Helper()
	src := "id: 00000000-0000-4000-8000-000000000001\nname: x\n" + keys + "signal: |\n  " + text + "\n"
	defs, err := signals.ParseFile("x.yml", []byte(src))
	if err != nil {
		t.Fatalf("ParseFile(%s): %s", text, explained(err))
	}
	all = signals.Lint(defs)
	for _, d := range all {
		codes = append(codes, d.Code)
		if d.Level != signals.Warning || d.Line == "" || d.Pos.Line == 0 || d.Pos.Column == 0 {
			t.Errorf("%s: finding without its place: %+v", text, d)
		}
	}
	slices.Sort(codes)
	return codes, all
}

// Each finding, and beside it what only looks like it.
func TestLintFindings(t *testing.T) {
	const file = "file.path is '/a/b'"
	tests := []struct {
		name, text string
		want       string // the codes, between blanks
	}{
		// Never true.
		{"two values of one field", "process.name is aaa AND process.name is bbb", "always-false never-fires"},
		{"two values in a list", "process.name is (aaa, bbb)", ""},
		{"lists that share a value", "process.name is (aaa, bbb) AND process.name is (bbb, ccc)", ""},
		{"lists that share one but for case", "process.name is (aaa, bbb) AND process.name is cased 'BBB'", "implied-literal"},
		{"two cased values", "process.name is cased aaa AND process.name is cased AAA", "always-false never-fires"},
		{"a value and its opposite", "process.name is aaa AND process.name is NOT aaa", "always-false never-fires"},
		{"a value and the opposite of another", "process.name is aaa AND process.name is NOT bbb", ""},
		{"values all of which are refused", "process.name is (aaa, bbb) AND process.name begins with NOT (aa, bb)", "always-false never-fires"},
		{"values one of which is not", "process.name is (aaa, bbb, ccc) AND process.name begins with NOT (aa, bb)", ""},
		{"a beginning that is not the value's", "process.path begins with '/aa/' AND process.path is '/bb/c'", "always-false never-fires"},
		{"a beginning that is the value's", "process.path begins with '/bb/' AND process.path is ('/bb/c', '/aa/c')", ""},
		{"two beginnings", "process.path begins with '/aa/' AND process.path begins with '/bb/'", "always-false never-fires"},
		{"two beginnings of lists that may agree", "process.path begins with ('/aa/', '/cc/') AND process.path begins with ('/bb/', '/cc/d')", ""},
		{"two ends", "process.path ends with '/sh' AND process.path ends with '.py'", "always-false never-fires"},
		{"a beginning and an end", "process.path begins with '/aa/' AND process.path ends with '/sh'", ""},
		{"two parts", "process.command_line contains 'aaaa' AND process.command_line contains 'bbbb'", ""},
		{"no number between", "process.pid < 5 AND process.pid > 7", "always-false never-fires"},
		{"a number between", "process.pid > 5 AND process.pid < 7", "no-literal"},
		{"no number between, said by NOT", "process.pid > 5 AND process.pid > NOT 3", "always-false never-fires"},
		{"a number outside", "process.pid > 5 AND process.pid is 4", "always-false never-fires"},
		{"there and not there", "process.tty exists AND process.tty exists NOT", "always-false never-fires"},
		{"a value and not there", "process.tty is pts0 AND process.tty exists NOT", "always-false never-fires"},
		{"not a value and not there", "process.tty is NOT pts0 AND process.tty exists NOT", "implied-literal no-positive"},
		{"an address outside of the network", "group(network.address is 10.0.0.1 AND network.address in cidr 11.0.0.0/8)", "always-false never-fires"},
		{"an address in the network", "group(network.address is (10.0.0.1, 11.0.0.1) AND network.address in cidr 11.0.0.0/8)", ""},
		{"two networks", "group(network.address in cidr 10.0.0.0/8 AND network.address in cidr 11.0.0.0/8)", "always-false never-fires"},
		{"several values: arguments", "process.args is aaa AND process.args is bbb", ""},
		{"several values: ancestors", "process.ancestry_name is aaa AND process.ancestry_name is bbb", ""},
		{"several values: own fields", "group(record.'a' is aaa AND record.'a' is bbb)", ""},
		{"several values, and the opposite", "process.args is aaa AND process.args contains NOT aa", "always-false never-fires"},
		{"a path as a name", "process.name is '/usr/bin/nc'", "always-false never-fires"},
		{"a path as one of the names", "process.name is ('/usr/bin/nc', nc)", ""},
		{"a part of a command line as a path", "process.command_line contains '/usr/bin/nc'", ""},
		{"one of two ways is never true", "process.name is aaa OR (process.path is b AND process.path is c)", "always-false"},
		{"operations in a group", "group(file.operation is write AND file.operation is delete)", "always-false never-fires"},
		{"a field that the operation does not have", "group(file.operation is (write, delete) AND file.target_path is '/a')", "always-false never-fires"},
		{"a field that one of the operations has", "group(file.operation is (write, rename) AND file.target_path is '/a')", ""},
		{"exit of what begins", "group(process.operation is create AND process.exit_code is 1)", "always-false never-fires"},
		{"a name that no operation has", "file.operation contains connect", "always-false never-fires"},

		// Never true, with memory.
		{"events of a process can have two paths", file + " AND file.path is '/b'", "ungrouped"},
		{"one event has one path", "group(" + file + " AND file.path is '/b')", "always-false never-fires"},
		{"the only event that can meet it", file + " AND file.path is NOT '/a/b'", "always-false never-fires ungrouped"},
		{"an earlier event can have met it", file + " AND file.path is NOT '/a/b' AND file.operation is write", "ungrouped"},
		{"an earlier event can have met it, outside",
			"(" + file + " AND file.path is NOT '/a/b' OR network.path is '/c') AND file.operation is write", "and-or-mix ungrouped ungrouped"},

		// Always true.
		{"a value or its opposite", "process.name is aaa OR process.name is NOT aaa", "always-fires always-true"},
		{"a part or not the whole", "process.name begins with aa OR process.name is NOT aaa", "always-fires always-true"},
		{"a whole or not the part", "process.name is aaa OR process.name begins with NOT aa", "no-literal"},
		{"not one or not the other", "process.name is NOT aaa OR process.name is NOT bbb", "always-fires always-true"},
		{"not one or not the other, of several", "process.args is NOT aaa OR process.args is NOT bbb", "no-positive"},
		{"there or not there", "process.tty exists OR process.tty exists NOT", "always-fires always-true"},
		{"numbers that leave none out", "process.pid < NOT 5 OR process.pid > NOT 7", "always-fires always-true"},
		{"one part of several", "process.name is aaa AND (process.tty exists OR process.tty exists NOT)", "always-true"},
		{"on every file event", "group(file.path is a OR file.path is NOT a)", "always-fires always-true"},
		{"on file events without the value it does not fire", "file.path is a OR file.path is NOT a", "always-true"},
		{"every operation", "file.operation is NOT (create, write, delete) OR file.operation exists", "always-fires always-true always-true"},

		// Values and terms that say nothing.
		{"a beginning of a beginning", "process.path begins with ('/tmp/', '/tmp/x/')", "implied-literal"},
		{"beginnings beside each other", "process.path begins with ('/tmp/', '/tmpx/')", ""},
		{"a part of a part", "process.command_line contains ('curl', 'url')", "implied-literal no-literal"},
		{"an end of an end", "process.path ends with ('/bash', 'bash')", "implied-literal"},
		{"in a list of an AND", "process.name is (aaa, bbb) AND process.path begins with ('/tmp/', '/tmp/x/')", "implied-literal"},
		{"a network in a network", "network.address in cidr (10.0.0.0/8, 10.1.0.0/16)", "implied-literal"},
		{"networks beside each other", "network.address in cidr (10.0.0.0/16, 10.1.0.0/16)", ""},
		{"case counts: the other way round", "process.path begins with cased '/tmp/A' OR process.path begins with '/tmp/aa'", ""},
		{"case counts not", "process.path begins with cased '/tmp/Aa' OR process.path begins with '/tmp/a'", "implied-literal"},
		{"NOT with a list", "process.name is aaa AND process.path begins with NOT ('/tmp/', '/tmp/x/')", "implied-literal"},
		{"a whole beside its beginning", "process.path is '/tmp/x' OR process.path begins with '/tmp/'", "implied-literal"},
		{"a whole beside another beginning", "process.path is '/tmp/x' OR process.path begins with '/var/'", ""},
		{"an end that holds the part", "process.path ends with '/bash' AND process.path contains 'bash'", "implied-literal"},
		{"an end and another part", "process.path ends with '/bash' AND process.path contains '/usr'", ""},
		{"a value that is there", "process.tty exists AND process.tty is pts0", "implied-literal"},
		{"no value but there", "process.tty exists AND process.tty is NOT pts0", "no-literal"},
		{"bounds", "process.pid > 5 AND process.pid > 7", "implied-literal no-literal"},
		{"repeated", "process.name is aaa OR process.NAME is AAA", "repeated-term"},
		{"a group repeated", "group(" + file + " AND file.mode is 5) AND process.name is aaa AND group(file.mode is 5 AND " + file + ")", "repeated-term"},
		{"twice in a list", "process.name is (aaa, bbb, AAA)", "repeated-value"},
		{"twice but for case", "process.name is cased (aaa, AAA)", ""},

		// Groups.
		{"two terms on one object", file + " AND file.operation is write", "ungrouped"},
		{"in a group", "group(" + file + " AND file.operation is write)", ""},
		{"two objects are two events", file + " AND network.port is 443", ""},
		{"the user of which event", file + " AND user.id is 0", "ungrouped"},
		{"the record of which event", file + " AND record.'key' is aaaa", "ungrouped"},
		{"process and event", file + " AND process.name is aaa", ""},
		{"one or the other", file + " OR file.operation is write", ""},

		// What fires never, always, on too much.
		{"only NOT on the event", "process.name is aaa AND file.path is NOT b", "never-fires"},
		{"only NOT on one event", "process.name is aaa AND group(file.path is NOT b)", ""},
		{"NOT on an event of another kind", file + " AND network.port is NOT 5", "never-fires"},
		{"NOT that a third term can be met with", file + " AND network.port is NOT 5 AND network.path is c", "ungrouped"},
		{"memory", file + " AND network.port is 5", ""},
		{"no positive term", "process.name is NOT aaa", "no-positive"},
		{"a positive term", "process.name is NOT aaa AND process.cwd is bbb", ""},
		{"mixed", "process.name is aaa OR process.name is bbb AND process.cwd is ccc", "and-or-mix"},
		{"parentheses", "process.name is aaa OR (process.name is bbb AND process.cwd is ccc)", ""},
		{"a short part", "process.command_line contains abc", "no-literal"},
		{"a part that is long enough", "process.command_line contains abcd", ""},
		{"a short part beside more", "process.command_line contains abc AND process.name is aaa", ""},
		{"a short part or more", "process.command_line contains abc OR process.name is aaa", "no-literal"},
		{"numbers in order", "network.port > 1023", "no-literal"},
		{"a number", "network.port is 4444", ""},
		{"a part of an address", "network.address begins with '10.1.'", "no-literal"},
		{"a pattern without text", "process.command_line regex '^[a-z]+ -x$'", "no-literal"},
		{"a pattern with text", "process.command_line regex '[a-z]+ --exec$'", ""},
		{"a glob without text", "process.command_line glob '*abc*'", "no-literal"},
		{"a glob with an end", "process.path glob '*/a*b'", ""},
		{"what is remembered can be anything", file + " AND network.port > 1023", "no-literal"},
		{"in one event it can not", "group(" + file + " AND file.mode > 5)", ""},
		{"a star", "process.path is '/tmp/*'", "star"},
		{"a choice of a shell in a glob", "process.path path glob '/tmp/{a,b}'", "star"},
		{"braces in a glob", "process.path glob '/{a}/b,c'", ""},
		{"a choice of a shell in a text", "process.path is '/tmp/{a,b}'", ""},
		{"a star in a command line", "process.command_line contains 'rm *'", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			codes, all := lintOf(t, tt.text, "")
			if got := strings.Join(codes, " "); got != tt.want {
				t.Errorf("Lint(%s) has codes %q, want %q%s", tt.text, got, tt.want, explained(all))
			}
		})
	}
}

// A signal is for platforms that have its events.
func TestLintPlatforms(t *testing.T) {
	tests := []struct {
		platforms, text, want string
	}{
		{"[linux]", "registry.key_path contains run1", "platform"},
		{"[windows]", "registry.key_path contains run1", ""},
		{"[linux, windows, macos]", "registry.key_path contains run1", "platform platform"},
		{"[macos]", "image.path is '/a' OR dns.query is b", "platform"},
		{"[macos]", "image.path is '/a' OR file.path is b", ""},
		{"[macos]", "file.path is '/a' AND dns.query is b", "platform"},
		{"[linux]", "image.path is '/a' OR dns.query is b", ""},
		{"[windows]", "syscall.name is ptrace", "platform"},
		{"[linux]", "syscall.name is ptrace AND driver.name is b", ""},
	}
	for _, tt := range tests {
		codes, all := lintOf(t, tt.text, "platforms: "+tt.platforms+"\n")
		if got := strings.Join(codes, " "); got != tt.want {
			t.Errorf("%s on %s: codes %q, want %q%s", tt.text, tt.platforms, got, tt.want, explained(all))
		}
	}
}

// Signals that are the same are named with the place of the other, whatever the
// order of their parts; what differs in what it fires on is not.
func TestLintDuplicates(t *testing.T) {
	const base = "process.name is (aaa, bbb) AND (process.cwd is '/c' OR process.args is ddd)"
	tests := []struct {
		name, first, second string // the keys behind the name
		want                []string
	}{
		{"parts and values in another order", "signal: " + base,
			"signal: (process.args is DDD OR process.cwd is '/c') AND process.name is (bbb, aaa)", []string{`expression is that of signal "A" at line 1`}},
		{"a list or terms", "signal: " + base,
			"signal: (process.name is aaa OR process.name is bbb) AND (process.cwd is '/c' OR process.args is ddd)", []string{`expression is that of signal "A" at line 1`}},
		{"NOT pushed down", "signal: process.name is aaa AND process.cwd is NOT bbb",
			"signal: NOT (process.name is NOT aaa OR process.cwd is bbb)", []string{`expression is that of signal "A" at line 1`}},
		{"another value", "signal: " + base, "signal: process.name is (aaa, bbc) AND (process.cwd is '/c' OR process.args is ddd)", nil},
		{"case counts", "signal: process.name is aaa", "signal: process.name is cased aaa", nil},
		{"AND or OR", "signal: process.name is aaa AND process.cwd is bbb", "signal: process.name is aaa OR process.cwd is bbb", nil},
		{"a group", "signal: group(file.path is aaa)", "signal: file.path is aaa", nil},
		{"other platforms", "platforms: [linux]\n  signal: process.name is aaa", "platforms: [macos]\n  signal: process.name is aaa", nil},
		{"a platform in common", "platforms: [linux]\n  signal: process.name is aaa", "platforms: [macos, linux]\n  signal: process.name is aaa",
			[]string{`expression is that of signal "A" at line 1`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			src := fmt.Sprintf("- id: 00000000-0000-4000-8000-000000000001\n  name: A\n  %s\n- id: 00000000-0000-4000-8000-000000000002\n  name: B\n  %s\n", tt.first, tt.second)
			defs, err := signals.ParseFile("x.yml", []byte(src))
			if err != nil {
				t.Fatal(explained(err))
			}
			var got []string
			for _, d := range signals.Lint(defs) {
				got = append(got, d.Message)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLintNames(t *testing.T) {
	one, err := signals.ParseFile("one.yml", []byte("id: 00000000-0000-4000-8000-000000000001\nname: A shell\nsignal: process.name is aaa\n"))
	if err != nil {
		t.Fatal(err)
	}
	two, err := signals.ParseFile("two.yml", []byte("id: 00000000-0000-4000-8000-000000000002\nname: a Shell\nsignal: process.name is bbb\n"))
	if err != nil {
		t.Fatal(err)
	}
	found := signals.Lint(append(two, one...))
	if len(found) != 1 || found[0].Code != "same-name" || found[0].Pos.File != "two.yml" || !strings.Contains(found[0].Message, "one.yml:1") {
		t.Errorf("Lint = %v, want one same-name in two.yml that names one.yml:1", found)
	}
}

// 20,000 signals that are all alike, with lists of values of many lengths, are linted
// without comparing each with each.
func TestLintManySignals(t *testing.T) {
	var values []string
	for i := range 20 {
		values = append(values, fmt.Sprintf("'/usr/lib/some/where/%d/%s'", i, strings.Repeat("x", i)))
	}
	text := "process.command_line contains (" + strings.Join(values, ", ") + ") AND process.path begins with NOT (" + strings.Join(values, ", ") + ")"
	e, err := signals.ParseExpr("x", text)
	if err != nil {
		t.Fatal(err)
	}
	defs := make([]signals.Definition, 20_000)
	for i := range defs {
		defs[i] = signals.Definition{ID: fmt.Sprint(i), Name: fmt.Sprint("signal ", i), Expr: e, Text: text, Pos: signals.Position{File: "x", Line: i}}
	}
	if testing.Short() {
		defs = defs[:1000]
	}
	found := signals.Lint(defs)
	if want := len(defs) - 1; len(found) != want {
		t.Errorf("%d findings, want %d duplicates", len(found), want)
	}
}

// What is found in CEL; what its negations bring along is not.
func TestLintCEL(t *testing.T) {
	tests := []struct{ text, want string }{
		{"process.name == 'aaa' && process.name == 'bbb'", "always-false never-fires"},
		{"process.name == 'aaa' && process.name == 'AAA'", "always-false never-fires"},
		{"process.name in ['aaa', 'bbb'] && process.name == 'bbb'", "implied-literal"},
		{"process.pid > 5 && process.pid < 3", "always-false never-fires"},
		{"process.name != 'aaa' && process.name != 'bbb' && process.cwd == '/'", ""},
		{"has(process.tty) && process.tty == 'pts0'", ""},
		{"has(process.tty) || !has(process.tty)", "always-fires always-true"},
		{"has(file.operation) || network.port == 5", "always-fires always-true"},
		{"file.operation != 'write' && file.path == '/a'", ""},
		{"file.operation == 'rename' ? file.target_path == '/a' : file.path == '/a'", ""},
		{"!has(file.operation) && network.port == 5", ""},
		{"process.path.startsWith('/tmp/') || process.path.startsWith('/tmp/x/')", "implied-literal"},
		{"process.name == 'aaa' && process.cwd == 'b' || process.name == 'ccc'", ""},
		{"size(process.command_line) > 100", "no-literal"},
		{"size(process.command_line) > 100 && process.name == 'aaa'", ""},
		{"file.operation == 'write' && file.target_path == '/a'", "always-false never-fires"},
		{"file.operation == 'rename' && file.target_path == '/a'", ""},
		{"file.operation == 'delete' && file.path == process.path", ""},
	}
	for _, tt := range tests {
		defs, err := signals.ParseFile("x.yml", []byte("id: 00000000-0000-4000-8000-000000000001\nname: x\ncel: |\n  "+tt.text+"\n"))
		if err != nil {
			t.Errorf("ParseFile(%s): %s", tt.text, explained(err))
			continue
		}
		found := signals.Lint(defs)
		var codes []string
		for _, d := range found {
			codes = append(codes, d.Code)
		}
		slices.Sort(codes)
		if got := strings.Join(codes, " "); got != tt.want {
			t.Errorf("Lint(%s) has codes %q, want %q%s", tt.text, got, tt.want, explained(found))
		}
	}
}

// What suppresses a signal is looked at as well.
func TestLintSuppress(t *testing.T) {
	tests := []struct{ suppress, want string }{
		{"process.user_name is backup", ""},
		{"file.path is '/a' AND file.operation is write", ""}, // judged as one group
		{"process.cwd is a AND process.cwd is b", "always-false always-false"},
		{"process.cwd is a OR process.cwd is NOT a", "always-true never-fires"},
		{"process.cwd begins with ('/tmp/', '/tmp/x/')", "implied-literal"},
	}
	for _, tt := range tests {
		src := "id: 00000000-0000-4000-8000-000000000001\nname: x\nsignal: process.name is aaaa\nsuppress:\n  - " + tt.suppress + "\n"
		defs, err := signals.ParseFile("x.yml", []byte(src))
		if err != nil {
			t.Fatalf("ParseFile(%s): %s", tt.suppress, explained(err))
		}
		found := signals.Lint(defs)
		var codes []string
		for _, d := range found {
			codes = append(codes, d.Code)
			if d.Pos.Line != 5 {
				t.Errorf("suppress %s: finding at line %d, want 5", tt.suppress, d.Pos.Line)
			}
		}
		slices.Sort(codes)
		if got := strings.Join(codes, " "); got != tt.want {
			t.Errorf("suppress %s: codes %q, want %q%s", tt.suppress, got, tt.want, explained(found))
		}
	}
}

// docs/lint.md names every code that there is, and no other; its examples draw it.
func TestLintDocumentation(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "lint.md"))
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	files, err := filepath.Glob("lint*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("Glob = %v, %v", files, err)
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`l\.warn\("([a-z-]+)"`).FindAllStringSubmatch(string(src), -1) {
			want = append(want, m[1])
		}
	}
	row := regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|.*\\| (?:`([^`]+)`)?(?: with `([^`]+)`)? *\\|$")
	for _, m := range row.FindAllStringSubmatch(string(page), -1) {
		got = append(got, m[1])
		if m[2] == "" {
			continue
		}
		keys := m[3]
		if keys != "" {
			keys += "\n"
		}
		if codes, all := lintOf(t, m[2], keys); !slices.Contains(codes, m[1]) {
			t.Errorf("example %s draws %q, want %s%s", m[2], codes, m[1], explained(all))
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(slices.Compact(want), got); diff != "" {
		t.Errorf("codes in docs/lint.md (-code +page):\n%s", diff)
	}
}
