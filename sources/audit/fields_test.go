// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"strings"
	"testing"
)

// scanAll writes the pairs of body as key→value, each on a line.
func scanAll(body string) string {
	var out []string
	s := ScanFields([]byte(body))
	for {
		key, value, ok := s.Next()
		if !ok {
			return strings.Join(out, "\n")
		}
		out = append(out, string(key)+"→"+string(value))
	}
}

func TestScanFields(t *testing.T) {
	tests := []struct {
		name string
		body string
		want []string
	}{
		{"plain and quoted", `arch=c000003e exe="/bin/a" key=(null)`, []string{"arch→c000003e", `exe→"/bin/a"`, "key→(null)"}},
		{"nothing", "", nil},
		{"only words", "avc:  denied  { read }", nil},
		{"empty values", "mac= pfs=curve end=", []string{"mac→", "pfs→curve", "end→"}},
		{"pieces of an argument", `a1_len=5 a1[0]=3031 a1[1]="x"`, []string{"a1_len→5", "a1[0]→3031", `a1[1]→"x"`}},
		{"blank and equals sign in quotes", `a0="H=1 " a1=""`, []string{`a0→"H=1 "`, `a1→""`}},
		{"twice, in order", `pid=1 pid=2`, []string{"pid→1", "pid→2"}},
		{
			"SELinux denial",
			`avc:  denied  { read write } for  pid=13010 comm="pickup" dev=hda7`,
			[]string{"pid→13010", `comm→"pickup"`, "dev→hda7"},
		},
		{
			"AppArmor text with blanks and a comma",
			`apparmor="STATUS" info="same as current profile, skipping" pid=1`,
			[]string{`apparmor→"STATUS"`, `info→"same as current profile, skipping"`, "pid→1"},
		},
		{
			"user-space record",
			`user pid=1 uid=0 msg='op=PAM:accounting acct="u" exe="/usr/bin/sudo" (hostname=?, addr=?)'`,
			[]string{"pid→1", "uid→0", `msg→'op=PAM:accounting acct="u" exe="/usr/bin/sudo" (hostname=?, addr=?)'`},
		},
		{
			"its text, old form",
			`op=PAM:accounting acct="u" : exe="/usr/bin/sudo" (hostname=?, addr=?, terminal=pts/5 res=success)`,
			[]string{"op→PAM:accounting", `acct→"u"`, `exe→"/usr/bin/sudo"`, "hostname→?", "addr→?", "terminal→pts/5", "res→success"},
		},
		{"its text, name not quoted", `PAM: setcred acct=root : exe="/x"`, []string{"acct→root", `exe→"/x"`}},
		{"value of several words", `op=change password id=505 res=success`, []string{"op→change password", "id→505", "res→success"}},
		{"value of several words before quotes", `op=adding user to group acct="x"`, []string{"op→adding user to group", `acct→"x"`}},
		{"value of several words at the end", `op=adding user to group `, []string{"op→adding user to group"}},
		{"list with commas", `grantors=pam_a,pam_b acct="x"`, []string{"grantors→pam_a,pam_b", `acct→"x"`}},
		{"daemon start", `auditd start, ver=2.4.1 format=raw`, []string{"ver→2.4.1", "format→raw"}},
		{"apostrophe in a user's text", `pid=1 msg='acct="o'brien" res=1'`, []string{"pid→1", `msg→'acct="o'brien" res=1'`}},
		{"enriched part", `ARCH=x86_64 SADDR={ fam=inet laddr=1.2.3.4 } UID="root"`, []string{"ARCH→x86_64", "SADDR→{ fam=inet laddr=1.2.3.4 }", `UID→"root"`}},
		{"enriched part whose mark was stripped", `key="k"ARCH=x86_64 AUID="b"`, []string{`key→"k"`, "ARCH→x86_64", `AUID→"b"`}},
		{"cut in quotes", `a0="sh" a1="/bin/ba`, []string{`a0→"sh"`, `a1→"/bin/ba`}},
		{"cut in a user's text", `pid=1 msg='op=x (hostname=a`, []string{"pid→1", "msg→'op=x (hostname=a"}},
		{"word that begins with an equals sign", `a=1 =x b=2`, []string{"a→1", "b→2"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, want := scanAll(tt.body), strings.Join(tt.want, "\n"); got != want {
				t.Errorf("ScanFields(%s):\n%s\nwant:\n%s", tt.body, got, want)
			}
		})
	}
}

func TestUnquote(t *testing.T) {
	for in, want := range map[string]string{`"a"`: "a", `'a'`: "a", `""`: "", `"`: "", `"a`: "a", "a": "a", "": "", `"a'`: "a'"} {
		if got := Unquote([]byte(in)); string(got) != want {
			t.Errorf("Unquote(%s) = %q, want %q", in, got, want)
		}
	}
}
