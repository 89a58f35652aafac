// SPDX-License-Identifier: Apache-2.0

package celenv

import (
	"fmt"
	"strings"
	"testing"
)

// What an expression may not be is refused with the place and the next step.
func TestCompileRefuses(t *testing.T) {
	tests := []struct {
		name, text    string
		message, hint string // parts of them
		at            string // what the issue points at
	}{
		{"field that is misspelt", `has(file.path) && process.pth == "x"`, `unknown field "process.pth"`, "seismo fields", "process.pth"},
		{"own field without own", `record.key == "x"`, `unknown field "record.key"`, `own("key")`, "record.key"},
		{"object that is misspelt", `proces.path == "x"`, `unknown name "proces"`, "the objects are process, user", "proces"},
		{"function that is misspelt", `process.path.icontain("x")`, `unknown function "icontain"`, "icontains", "icontain("},
		{"number as text", `process.pid == "7"`, "== does not take (int, string)", "without quotes", "=="},
		{"text function of a number", `process.pid.contains("7")`, "contains of int does not take (string)", "", "contains"},
		{"signed number for an id", `process.id == 7`, "== does not take (uint, int)", "ends in u", "=="},
		{"no bool", `process.pid + 1`, "of type int, expected bool", "compare it", "process.pid + 1"},
		{"object alone", `process == process`, "process stands alone", "process.path", "process"},
		{"object made dynamic", `dyn(process).path == "x"`, "process stands alone", "process.path", "process"},
		{"no field", `1 == 1`, "reads no field", "seismo fields", "1 == 1"},
		{"one equals sign", `process.path = "x"`, `"=" is nothing in CEL`, "equality is written ==", "="},
		{"one ampersand", `process.pid == 1 & process.pid == 2`, `"&" is nothing in CEL`, "&&", "&"},
		{"text without end", `process.path == "x`, "text is not closed", `r"…"`, `"`},
		{"escape that does not exist", `process.path == "C:\q"`, "an escape that CEL does not have", `r"…"`, `"`},
		{"printed quotes", `process.path == “x”`, `"“" is nothing in CEL`, "text stands between", "“"},
		{"end after an operator", `process.path == "x" &&`, "expected a value, but the expression ends", "", ""},
		{"operator twice", `process.path == "x" || || has(file.path)`, `expected a value, found "||"`, "", "||"},
		{"parenthesis that is not closed", `(process.path == "x"`, `expected ")", but the expression ends`, "", ""},
		{"parenthesis too many", `process.path == "x")`, `expected an operator or the end, found ")"`, "", ")"},
		{"list that is not closed", `process.pid in [1, 2`, `expected "]" or ",", but the expression ends`, "", ""},
		{"and as a word", `process.path == "x" and has(file.path)`, `found "and"`, "and is written &&", "and"},
		{"not as a word", `NOT has(file.path)`, `found "has"`, "not !", "has"},
		{"the text language", `process.name is curl`, `found "is"`, "under the key signal", "is"},
		{"word that is reserved", `if process.path == "x"`, `"if" is a reserved word`, "", "if"},
		{"two dots", `process..path == "x"`, "expected a value", "", "."},
		{"exists without a name for the element", `process.args.exists(a == "x")`, "exists is not written so", `process.args.exists(a, a == "x")`, "exists"},
		{"function that nobody knows", `bar (process.path) == "x"`, `unknown function "bar"`, "", "bar"},
		{"look-around", `process.path.matches("(?=x)")`, "look-around", "", `"`},
		{"large regular expression", `process.path.matches("(abcdefghij){900}")`, "size 10", "limit is 2000", ""},
		{"regular expression that is not constant", `process.path.matches(process.name)`, "matches takes a constant", "literal", "process.name"},
		{"glob that is made up", `process.path.glob("a" + "*")`, "glob takes a constant", "literal", ""},
		{"set in a glob", `process.path.glob("[a-z]")`, "no sets", "[*]", `"`},
		{"network", `network.address.inCIDR("10.0.0.0/33")`, "not a network", "10.0.0.0/8", `"`},
		{"name of a list", `process.path.inList("../x")`, "no name of a list", "64", `"`},
		{"name of an own field", `own("") == ["x"]`, "1 to 256 bytes", "", `"`},
		{"element called as an object", `process.args.exists(file, file == "x")`, "can not be called file", "call it v", ""},
		{"empty list", `process.path in []`, "empty list", "", "["},
		{"time", `process.start_time > timestamp("22.11.2026")`, "timestamp", "", ""},
		{"time zone of the host's own", `process.start_time.getHours("Europe/Berlin") == 3`, "time zone", "+02:00", `"`},
		{"text of any length", `"%1000000000d".format([process.pid]) == "x"`, "format is not taken", "", ""},
		{"object made", `google.protobuf.Struct{} == google.protobuf.Struct{} && has(file.path)`, "makes no objects", "", ""},
		{"comprehensions that multiply", `process.args.all(a, process.args.exists(b, a == b))`, "steps on one event, the limit is 2000000", "multiplies", ""},
		{"text that grows", `process.path.replace("", process.command_line).replace("a", process.command_line) == ""`, "steps on one event", "", ""},
		{"list that grows", `process.args.map(a, process.command_line + process.command_line).size() > 1`, "steps on one event", "", ""},
		{"three comprehensions deep", `process.args.exists(a, process.args.exists(b, process.args.exists(c, a == b)))`, "nesting", "", ""},
		{"60 parentheses deep", strings.Repeat("(", 60) + "process.pid == 1" + strings.Repeat(")", 60), "recursion limit", "", ""},
		{"100,000 parentheses", strings.Repeat("(", 60_000), "recursion limit", "", ""},
		{"60,000 NOTs", strings.Repeat("!", 60_000) + "true", "", "", ""},
		{"megabyte", `process.path == "` + strings.Repeat("x", 1<<20) + `"`, "at most 65536 are taken", "inList", ""},
		{"bytes", "process.path == \"\xff\"", "not UTF-8", "", ""},
		{"nothing", "", "", "", ""},
		{"too many parts", "process.pid in [" + strings.Repeat("1,", 20_000) + "1]", "", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, issues := Compile(tt.text)
			if c != nil || len(issues) == 0 {
				t.Fatalf("Compile(%.80q) = %v, %v; want issues", tt.text, c, issues)
			}
			got := issues[0]
			if !strings.Contains(got.Message, tt.message) && !strings.Contains(got.Hint, tt.hint) || !strings.Contains(got.Message+got.Hint, tt.hint) {
				t.Errorf("Compile(%.80q): %s; hint %s; want %q and %q", tt.text, got.Message, got.Hint, tt.message, tt.hint)
			}
			if got.Offset < 0 || got.Offset > len(tt.text) || got.Offset+got.Width > len(tt.text)+1 {
				t.Fatalf("Compile(%.80q): place %d+%d of %d bytes", tt.text, got.Offset, got.Width, len(tt.text))
			}
			if tt.at != "" && !strings.HasPrefix(tt.text[got.Offset:], tt.at) {
				t.Errorf("Compile(%.80q) points at %.20q, want %q", tt.text, tt.text[got.Offset:], tt.at)
			}
		})
	}
}

// Texts of the greatest length that a parser may choke on are refused, or taken: in
// bounded time and without a panic.
func TestCompileHostile(t *testing.T) {
	fill := func(before, s, after string) string {
		return before + strings.Repeat(s, (MaxText-len(before)-len(after))/len(s)) + after
	}
	for _, text := range []string{
		fill("process", ".a", ""), fill("", "(", ""), fill("", "[", ""), fill("", "{", ""), fill("", "-", ""), fill("", "x(", ""),
		fill("", "a?b:", ""), fill("", "process.pid==1||", "true"), fill("a", "[0]", ""), fill("", "[1].map(x,", ""), fill("process.path == '", `\n`, "'"),
		fill("", `"""`, ""), fill("", "9", ""), fill("1", "+1", ""), fill("process.pid in [", "1,", "1]"), fill("{", "1:1,", "}"), fill("", "(a||[b,{c:", ""),
		fill("", "a{b:", ""), fill("", `"a\`, ""), fill("", "//x\n", ""), fill("", "$", ""), fill("1", "<1", ""), fill("process.path.matches('", "(((a{30}){30}", "')"),
	} {
		if c, issues := Compile(text); (c == nil) != (len(issues) > 0) || len(issues) > maxErrors {
			t.Errorf("Compile(%.30q…) = %v, %d issues", text, c, len(issues))
		}
	}
}

// A place is counted in bytes of the text, over lines and characters of any length.
func TestPlace(t *testing.T) {
	const text = "process.path == \"é€😀\" &&\r\n  // said of the file\n  process.args.exists(v, v == 'é') && file.pth == 'x'"
	c, issues := Compile(text)
	if c != nil || len(issues) != 1 {
		t.Fatalf("Compile = %v, %v; want one issue", c, issues)
	}
	if got := text[issues[0].Offset:][:issues[0].Width]; got != "file.pth" || issues[0].Unknown != "pth" || issues[0].Prefix != "file." {
		t.Errorf("issue is about %q (%q, %q), want file.pth", got, issues[0].Prefix, issues[0].Unknown)
	}
}

// The text of a part is CEL that means the same, on one line.
func TestText(t *testing.T) {
	for _, text := range []string{
		`process.args.exists(v, v.size() > 3 && v != "a  b\n")`,
		`!(file.path + "\u0000" in ["x", "y"])`,
		`has(process.path) ? process.pid > 3 : own("Key")[0] == "\"'"`,
		strings.Repeat(`process.command_line.contains("two  blanks and more") && `, 20) + `process.pid == 1`,
	} {
		c, issues := Compile(text)
		if c == nil {
			t.Fatalf("Compile(%s): %v", text, issues)
		}
		printed := c.Text(c.Root())
		again, issues := Compile(printed)
		if again == nil {
			t.Fatalf("%s printed as %s: %v", text, printed, issues)
		}
		if a, b := encode(t, c), encode(t, again); a != b {
			t.Errorf("%s printed as %s is another expression", text, printed)
		}
		if strings.Contains(printed, "\n") || again.Text(again.Root()) != printed {
			t.Errorf("%s printed as %q, and again as %q", text, printed, again.Text(again.Root()))
		}
	}
}

func encode(t testing.TB, c *Checked) string {
	t.Helper()
	b, err := c.Encode(c.Root(), false)
	if err != nil {
		t.Fatalf("Encode: %v", err)
	}
	return string(b)
}

// The same expression has the same bytes wherever it stands in a text.
func TestEncodeIsTheSame(t *testing.T) {
	a, _ := Compile(`process.path + "x" == file.path`)
	b, _ := Compile(`process.pid == 7 && ( process.path +  "x" == file.path )`)
	if a == nil || b == nil {
		t.Fatal("the expressions were refused")
	}
	part := b.Root().AsCall().Args()[1]
	got, err := b.Encode(part, false)
	if want := encode(t, a); err != nil || string(got) != want {
		t.Errorf("Encode = %x, %v; want %x", got, err, want)
	}
	if again, err := b.Encode(part, false); err != nil || string(again) != string(got) {
		t.Errorf("Encode changed the expression: %x, %v", again, err)
	}
	if negated, err := b.Encode(part, true); err != nil || string(negated) == string(got) {
		t.Errorf("Encode of the negation = %x, %v", negated, err)
	}
}

func ExampleCompile() {
	_, issues := Compile(`process.path.endsWith("/sh") && network.prot > 1023`)
	fmt.Println(issues[0].Message)
	// Output: unknown field "network.prot"
}
