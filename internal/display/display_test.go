// SPDX-License-Identifier: Apache-2.0

package display_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"testing"
	"unicode/utf8"

	"seismo/internal/display"
)

func TestText(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain text stays", "curl -o /tmp/ä 日本", "curl -o /tmp/ä 日本"},
		{"escape sequences of a terminal", "a\x1b[2Jb\x9bc", `a\x1b[2Jb\x9bc`},
		{"line ends and tabs", "a\r\n\tb\x00\x7f", `a\r\n\tb\x00\x7f`},
		{"C1 control as UTF-8", "a\u009bb", `a\u009bb`},
		{"a control that reorders the line", "a\u202etxt.exe", `a\u202etxt.exe`},
		{"no width", "pay\u200bpal\ufeff", `pay\u200bpal\ufeff`},
		{"tag characters", "a\U000e0041", `a\U000e0041`},
		{"bytes that are not UTF-8", "\xff\xfe/tmp", `\xff\xfe/tmp`},
		{"a replacement character that was there", "a\ufffdb", "a\ufffdb"},
		{"nothing", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := display.Text(tt.in); got != tt.want {
				t.Errorf("Text(%q) = %q; want %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestWriteJSON(t *testing.T) {
	type value struct {
		Name string   `json:"name"`
		List []string `json:"list"`
	}
	in := value{"a\u202eb\u009b<&>", []string{"𝄞", "\x7f"}}
	var b bytes.Buffer
	if err := display.WriteJSON(&b, in); err != nil {
		t.Fatal(err)
	}
	for _, c := range b.Bytes()[:b.Len()-1] {
		if c < 0x20 || c >= 0x7f {
			t.Errorf("WriteJSON wrote the byte %#x: %s", c, b.Bytes())
		}
	}
	var got value
	if err := json.Unmarshal(b.Bytes(), &got); err != nil || got.Name != in.Name || got.List[0] != in.List[0] || got.List[1] != in.List[1] {
		t.Errorf("WriteJSON(%q) = %s reads back as %q, %v", in, b.Bytes(), got, err)
	}
}

// What is shown has no unsafe byte, and JSON gives back exactly what went in.
func FuzzDisplay(f *testing.F) {
	for _, s := range []string{"a", "\x1b[2J", "\xff", "\u202e", "𝄞", `"\`, "\u2028"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, r := range display.Text(s) {
			if r < 0x20 || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
				t.Errorf("Text(%q) = %q lets %U through", s, display.Text(s), r)
			}
		}
		if !utf8.ValidString(display.Text(s)) {
			t.Errorf("Text(%q) = %q is not UTF-8", s, display.Text(s))
		}
		raw := display.AppendJSON(nil, s)
		for _, c := range raw {
			if c < 0x20 || c >= 0x7f {
				t.Errorf("AppendJSON(%q) = %s has the byte %#x", s, raw, c)
			}
		}
		var got string
		if utf8.ValidString(s) {
			if err := json.Unmarshal(raw, &got); err != nil || got != s {
				t.Errorf("AppendJSON(%q) = %s reads back as %q, %v", s, raw, got, err)
			}
			return
		}
		var bytes struct{ Hex string }
		err := json.Unmarshal(raw, &bytes)
		back, err2 := hex.DecodeString(bytes.Hex)
		if err != nil || err2 != nil || string(back) != s {
			t.Errorf("AppendJSON(%q) = %s reads back as %q, %v, %v", s, raw, back, err, err2)
		}
	})
}

func TestAppendJSONKey(t *testing.T) {
	for name, want := range map[string]string{"a b": `"a b":`, "": `"":`, "\x1b\"": `"\u001b\"":`, "ä": `"\u00e4":`, "\xffx": `"\\xffx":`} {
		if got := string(display.AppendJSONKey(nil, name)); got != want {
			t.Errorf("AppendJSONKey(%q) = %s, want %s", name, got, want)
		}
	}
}
