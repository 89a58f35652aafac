// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// The kernel's table is read with its escapes; what is no line of it is passed over.
func TestParseMount(t *testing.T) {
	for _, tt := range []struct {
		line string
		want mount
		ok   bool
	}{
		{"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw\n", mount{id: 36, point: "/mnt2", kind: "ext3", key: "36 35 98:0 /mnt1 /mnt2"}, true},
		{`36 35 98:0 / /a\040b\134c\011 rw - tmpfs none rw`, mount{id: 36, point: "/a b\\c\t", kind: "tmpfs", key: `36 35 98:0 / /a\040b\134c\011`}, true},
		{`36 35 98:0 / /a\9 rw shared:1 master:2 propagate_from:3 - tmpfs none rw`, mount{id: 36, point: `/a\9`, kind: "tmpfs", key: `36 35 98:0 / /a\9`}, true},
		{"36 35 98:0 /mnt1 /mnt2 rw,noatime ext3 /dev/root rw", mount{}, false},
		{"x 35 98:0 / / rw - ext3 none rw", mount{}, false}, {"36 35 98:0 / /", mount{}, false}, {"", mount{}, false},
	} {
		if got, ok := parseMount(tt.line); ok != tt.ok || ok && got != tt.want {
			t.Errorf("parseMount(%q) = %+v, %v; want %+v, %v", tt.line, got, ok, tt.want, tt.ok)
		}
	}
}

// A parser of hostile names: no panic, and what it says of a path is what was escaped.
func FuzzParseMount(f *testing.F) {
	f.Add("/a b")
	f.Fuzz(func(t *testing.T, point string) {
		var escaped strings.Builder
		for _, c := range []byte(point) { // fs/proc_namespace.c, mangle: " \t\n\\#"
			if strings.IndexByte(" \t\n\\#", c) >= 0 {
				fmt.Fprintf(&escaped, `\%03o`, c)
			} else {
				escaped.WriteByte(c)
			}
		}
		parseMount(point)
		if m, ok := parseMount("1 2 0:1 / " + escaped.String() + " rw - tmpfs none rw"); !ok || m.point != point {
			t.Errorf("point %q was read as %q, %v", point, m.point, ok)
		}
	})
}

// Each mount below a watched folder is marked once, whatever comes and goes.
func TestMountTable(t *testing.T) {
	var table mountTable
	dirs := []string{"/w", "/v/x"}
	line := func(id int, point, kind string) string {
		return fmt.Sprintf("%d 1 0:%d / %s rw - %s none rw\n", id, id, point, kind)
	}
	const tmp = "tmpfs"
	hidden := map[string]bool{}
	for _, step := range []struct {
		name  string
		table string
		shift uint64 // of the unique ids
		want  string // "late" mounts with a star
	}{
		{"what is there at first", line(1, "/", "ext4") + line(2, "/w/a", tmp) + line(3, "/other", tmp), 0, "/ /w/a"},
		{"nothing new", line(1, "/", "ext4") + line(2, "/w/a", tmp) + line(3, "/other", tmp), 0, ""},
		{"below, beside, and of no files", line(1, "/", "ext4") + line(2, "/w/a", tmp) + line(4, "/w/b", tmp) + line(5, "/ww", tmp) + line(6, "/w/proc", "proc"), 0, "/w/b*"},
		{"over a folder above", line(1, "/", "ext4") + line(2, "/w/a", tmp) + line(4, "/w/b", tmp) + line(7, "/v", tmp), 0, "/v*"},
		{"the same line, another mount", line(1, "/", "ext4") + line(2, "/w/a", tmp) + line(4, "/w/b", tmp) + line(7, "/v", tmp), 100, "/* /w/a* /w/b* /v*"},
		{"gone", line(1, "/", "ext4"), 100, ""},
		{"there again", line(1, "/", "ext4") + line(2, "/w/a", tmp), 100, "/w/a*"},
		{"under another", line(1, "/", "ext4") + line(2, "/w/a", tmp) + line(8, "/w/hidden", tmp), 100, ""},
		{"and seen again", line(1, "/", "ext4") + line(2, "/w/a", tmp) + line(8, "/w/hidden", tmp), 100, "/w/hidden*"},
		{"one that is marked comes under another", line(1, "/", "ext4") + line(2, "/w/a", tmp) + line(8, "/w/hidden", tmp) + line(9, "/w/hidden", tmp), 100, ""},
		{"and is seen again", line(1, "/", "ext4") + line(2, "/w/a", tmp) + line(8, "/w/hidden", tmp), 100, ""},
	} {
		hidden["/w/hidden"] = strings.HasSuffix(step.name, "under another")
		f := table.look([]byte(step.table), dirs, func(m mount) (uint64, bool) { return m.id + 1000 + step.shift, !hidden[m.point] })
		var got []string
		for _, m := range f.fresh {
			got = append(got, m.point+map[bool]string{true: "*"}[m.late])
		}
		if s := strings.Join(got, " "); s != step.want || f.left {
			t.Errorf("%s: %q, want %q", step.name, s, step.want)
		}
	}
	// A folder that is newly watched: the kernel has marked what is there.
	f := table.look([]byte(line(1, "/", "ext4")+line(2, "/w/a", tmp)+line(9, "/new/m", tmp)), append(dirs, "/new"), func(m mount) (uint64, bool) { return m.id + 1100, true })
	if len(f.fresh) != 1 || f.fresh[0].late {
		t.Errorf("below a newly watched folder: %+v, want one that is not late", f.fresh)
	}
	// More than can be marked at once are marked in the next looks.
	var many strings.Builder
	for i := range maxTags + 10 {
		many.WriteString(line(100+i, fmt.Sprintf("/w/%d", i), tmp))
	}
	seen := 0
	for range 2 {
		f := table.look([]byte(many.String()), dirs, func(m mount) (uint64, bool) { return m.id, true })
		seen += len(f.fresh)
		if (seen < maxTags+10) != f.left {
			t.Errorf("%d marked, more are left: %v", seen, f.left)
		}
	}
	if seen != maxTags+10 {
		t.Errorf("%d of %d marked", seen, maxTags+10)
	}
	// Where mounts have no unique id those that are marked are marked again, and do not
	// keep the others from it.
	table, marked := mountTable{}, make(map[string]bool)
	for range 3 {
		f = table.look([]byte(many.String()), dirs, func(mount) (uint64, bool) { return 0, true })
		for _, m := range f.fresh {
			marked[m.point] = true
		}
		if len(f.fresh) != maxTags {
			t.Errorf("%d are marked at once, want %d", len(f.fresh), maxTags)
		}
	}
	if len(marked) != maxTags+10 || f.left {
		t.Errorf("%d of %d marked where mounts have no unique id; more are left: %v", len(marked), maxTags+10, f.left)
	}
}

// The folders of rules are found in the kernel's form of them.
func TestWatchedDirs(t *testing.T) {
	rules, err := buildRules([]Rule{
		{Action: "always", Filters: watchFilters("/etc")}, {Action: "never", Filters: watchFilters("/etc/own")},
		{Action: "always", Filters: watchFilters("/a b")}, {Action: "always", Filters: []RuleFilter{{"arch", "=", "b64"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := watchedDirs(rules), []string{"/etc", "/a b"}; !slices.Equal(got, want) {
		t.Errorf("watchedDirs = %q, want %q", got, want)
	}
	for i := range rules[0].Wire {
		wireDir(rules[0].Wire[:i]) // cut anywhere: no panic
	}
}

// It ends when it is told to, whether something is mounted or not, and twice is once.
func TestMountNoticeCloses(t *testing.T) {
	n, err := openMountNotice(func() {})
	if err != nil {
		t.Skip(err)
	}
	time.AfterFunc(time.Millisecond, n.close)
	<-n.done
	n.close()
	(*mountNotice)(nil).close()
}
