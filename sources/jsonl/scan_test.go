// SPDX-License-Identifier: Apache-2.0

package jsonl

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParse(t *testing.T) {
	deep := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	tests := []struct {
		name, in, err string
	}{
		{"empty object", ` {} `, ""},
		{"all kinds of value", `{"s":"x","n":-1.5e+3,"t":true,"f":false,"z":null,"o":{},"a":[1,[]]}`, ""},
		{"escapes", `{"a":"\"\\\/\b\f\n\r\té😀"}`, ""},
		{"as deep as may be", deep(32), ""},
		{"nested too deep", deep(33), "nested more than 32 deep"},
		{"as many fields as may be", `{"a":[` + strings.Repeat("1,", 1998) + `1]}`, ""},
		{"too many fields", `{"a":[` + strings.Repeat("1,", 2000) + `1]}`, "more than 2000 fields"},
		{"no object", `[1]`, "column 1: '[': an object begins with '{'"},
		{"more than one", `{} {}`, "more follows the object"},
		{"comma at the end", `{"a":1,}`, "a key in quotes is missing"},
		{"no colon", `{"a" 1}`, "':' is missing"},
		{"no comma", `{"a":1 "b":2}`, "',' or the closing is missing"},
		{"wrong closing", `{"a":[1}`, "',' or the closing is missing"},
		{"control character", "{\"a\":\"x\ty\"}", "a control character"},
		{"unknown escape", `{"a":"\x"}`, "no escape is written so"},
		{"short escape", `{"a":"\u12"}`, "four hex digits"},
		{"number with a zero before it", `{"a":01}`, "',' or the closing is missing"},
		{"number without digits", `{"a":1.}`, "a digit is missing"},
		{"word", `{"a":nul}`, "no value begins so"},
		{"cut off in a string", `{"a":"b`, "cut off: the end of a string is missing"},
		{"cut off in an escape", `{"a":"b\`, "cut off: the end of a string is missing"},
		{"cut off after a value", `{"a":1`, "cut off: its closing is missing"},
		{"nothing", ``, "cut off"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var s scanner
			err := s.parse([]byte(tt.in))
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err) || !errors.Is(err, ErrMalformed)) {
				t.Errorf("parse(%.60q) = %v, want an error with %q", tt.in, err, tt.err)
			}
		})
	}
}

// flat returns the members of the object in as package encoding/json reads them: the
// first of each key, each value as the text that seismo has of it.
func flat(in []byte) ([]string, error) {
	d := json.NewDecoder(bytes.NewReader(in))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("no object: %v", err)
	}
	var out []string
	seen := map[string]bool{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		var v any
		if err := d.Decode(&v); err != nil {
			return nil, err
		}
		if k := key.(string); !seen[k] {
			seen[k] = true
			out = append(out, flatValue(k, v)...)
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("more follows: %v", err)
	}
	return out, nil
}

func flatValue(key string, v any) (out []string) {
	switch v := v.(type) {
	case nil:
	case []any:
		for _, e := range v {
			out = append(out, flatValue(key, e)...)
		}
	case map[string]any:
		return []string{"nested"}
	default:
		out = append(out, fmt.Sprintf("%s=%v", key, v))
	}
	return out
}

// Of flat objects seismo and package encoding/json read the same values, and refuse
// the same texts.
func FuzzFlat(f *testing.F) {
	for _, seed := range []string{`{"a":"b","a":"c"}`, `{"a":[1,"x",null,[true]],"b":1e5}`, `{"ሴ\ud800x":"\udc00😀"}`,
		"{\"a\":\"\xff\"}", `{"a":"0123456\"89"}`, `{"EventID":1,"Hostname":"h"}`, "{\"a\":1}\n", `{"":""}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		g := newDecoder(nil).g
		g.fields.reset()
		err := g.parse(in)
		want, wantErr := flat(in)
		if wantErr != nil || err != nil {
			limit := err != nil && (strings.Contains(err.Error(), "more than") && !strings.Contains(err.Error(), "follows"))
			if (err == nil) != (wantErr == nil) && !limit {
				t.Fatalf("parse(%q) = %v, encoding/json says %v", in, err, wantErr)
			}
			return
		}
		var got []string
		g.flatten(0, nil)
		for _, field := range g.list {
			// encoding/json has U+FFFD for each byte that is not UTF-8.
			got = append(got, valid(field.name)+"="+valid(field.value))
		}
		for _, w := range want {
			if w == "nested" {
				return
			}
		}
		if !utf8.Valid(in) && len(got) != len(want) {
			return // keys that differ in such bytes only
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%q: fields\n%q\nencoding/json says\n%q", in, got, want)
		}
	})
}

func valid(v []byte) string {
	var b strings.Builder
	for len(v) > 0 {
		r, n := utf8.DecodeRune(v)
		b.WriteRune(r)
		v = v[n:]
	}
	return b.String()
}
