// SPDX-License-Identifier: Apache-2.0

package signals_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"seismo/rules"
	"seismo/signals"
)

// content compares definitions without where they stood and what was made of them.
var content = cmp.Options{
	cmpopts.IgnoreFields(signals.Definition{}, "Pos", "Expr", "SuppressExprs", "Original"),
	cmpopts.IgnoreUnexported(signals.Definition{}),
}

// asJSON returns what src says, numbers as they are written.
func asJSON(src []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(src))
	d.UseNumber()
	err = d.Decode(&v)
	return v, err
}

// bundle returns defs as a bundle.
func bundle(t interface{ Fatalf(string, ...any) }, defs []signals.Definition) []byte {
	var b bytes.Buffer
	if err := signals.WriteBundle(&b, defs); err != nil {
		t.Fatalf("WriteBundle: %v", err)
	}
	return b.Bytes()
}

// drawJSON draws any value of JSON.
func drawJSON(t *rapid.T, depth int) any {
	kinds := 4
	if depth > 0 {
		kinds = 6
	}
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0:
		return nil
	case 1:
		return rapid.Bool().Draw(t, "truth")
	case 2:
		return json.Number(rapid.SampledFrom([]string{"0", "-1", "1.50", "1e400", "12345678901234567890", "-0.0E-3"}).Draw(t, "number"))
	case 3:
		return rapid.String().Draw(t, "text")
	case 4:
		list := []any{}
		for range rapid.IntRange(0, 3).Draw(t, "values") {
			list = append(list, drawJSON(t, depth-1))
		}
		return list
	}
	return drawUnknown(t, depth-1)
}

// drawUnknown draws an object of keys that mean nothing in a document of signals.
func drawUnknown(t *rapid.T, depth int) map[string]any {
	o := map[string]any{}
	for range rapid.IntRange(0, 3).Draw(t, "keys") {
		o["x"+rapid.String().Draw(t, "key")] = drawJSON(t, depth)
	}
	return o
}

func drawSignal(t *rapid.T, i int) map[string]any {
	data := drawUnknown(t, 2)
	data["name"] = fmt.Sprintf("signal %d", i)
	data["contents"] = rapid.SampledFrom([]string{
		"process.path is '/a'", "  group(file.path ends with '\\\\a' AND file.operation is create)\n",
		"process.ancestry_path contains NOT 'ä'", "// a comment\nprocess.name is (a, b)",
	}).Draw(t, "contents")
	optional := func(key string, v any) {
		if rapid.Bool().Draw(t, key) {
			data[key] = v
		}
	}
	optional("description", drawJSON(t, 0))
	if _, text := data["description"].(string); !text {
		delete(data, "description")
	}
	optional("id", rapid.SampledFrom([]any{json.Number("700"), "intrinsic", nil, fmt.Sprintf("5E3C0000-0000-4000-8000-%012d", i)}).Draw(t, "id"))
	optional("syntax_version", json.Number("7"))
	optional("platforms", []any{"windows", "mac"})
	optional("labels", []any{"one", json.Number("2"), map[string]any{"name": "three", "y": nil}})
	optional("severity", "info")
	optional("mitreAttack", map[string]any{"techniques": []any{map[string]any{"id": "T1059", "name": "x"}}, "z": json.Number("1.0")})
	optional("suppressionRules", []any{map[string]any{"name": "s", "contents": "process.name is a"}})
	optional("seismo", map[string]any{"status": "stable", "other": []any{}})
	return data
}

// A bundle that is read and written has the same content, unknown keys and all. The
// other shapes keep all they say, and read again give the same definitions.
func TestBundleRoundTripProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		asBundle := rapid.Bool().Draw(t, "bundle")
		list := []any{}
		for i := range rapid.IntRange(1, 4).Draw(t, "signals") {
			data := drawSignal(t, i)
			if asBundle {
				wrapper := drawUnknown(t, 2)
				wrapper["type"], wrapper["data"] = "tanium-signal", data
				data = wrapper
			}
			list = append(list, data)
		}
		top := any(list)
		if asBundle || rapid.Bool().Draw(t, "in an object") {
			o := drawUnknown(t, 2)
			o["signals"] = list
			if rapid.Bool().Draw(t, "labels") {
				o["labels"] = []any{map[string]any{"name": "one", "x": "y"}, drawJSON(t, 1), map[string]any{"name": "one"}}
			}
			top = o
		}
		src, err := json.Marshal(top)
		if err != nil {
			t.Fatal(err)
		}
		defs, err := signals.ParseFile("x.json", src)
		if err != nil {
			t.Fatalf("ParseFile(%s): %v", src, err)
		}
		out := bundle(t, defs)
		got, err := asJSON(out)
		if err != nil {
			t.Fatalf("WriteBundle wrote %s: %v", out, err)
		}
		if want, _ := asJSON(src); asBundle {
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%s is written back with another content (-read +written):\n%s", src, diff)
			}
		}
		for i, s := range list {
			kept := got.(map[string]any)["signals"].([]any)[i].(map[string]any)
			for key, v := range s.(map[string]any) {
				inner, _ := kept["data"].(map[string]any)[key]
				if !cmp.Equal(kept[key], v) && !cmp.Equal(inner, v) {
					t.Fatalf("key %q of %s is not kept: %s", key, src, out)
				}
			}
		}
		again, err := signals.ParseFile("x.json", out)
		if err != nil {
			t.Fatalf("ParseFile(%s), which was written: %v", out, err)
		}
		if diff := cmp.Diff(defs, again, content); diff != "" {
			t.Fatalf("%s, written and read, differs (-want +got):\n%s", src, diff)
		}
	})
}

// A definition of ours that is written as a bundle is read as the same definition.
func TestBundleOfShippedSignals(t *testing.T) {
	defs, err := signals.LoadFS(rules.FS)
	if err != nil {
		t.Fatal(err)
	}
	defs = slices.DeleteFunc(defs, func(d signals.Definition) bool { return d.Language != signals.LanguageSignal })
	if len(defs) < 5 {
		t.Fatalf("%d signals in the text language are shipped", len(defs))
	}
	defs[0].Suppress = append(defs[0].Suppress, "process.name is 'a' AND process.user_name is b")
	defs[0].Severity = signals.Informational
	defs[0].Platforms = []string{"macos"}
	out := bundle(t, defs)
	got, err := signals.ParseFile("x.json", out)
	if err != nil {
		t.Fatalf("ParseFile(%s): %v", out, err)
	}
	want := slices.Clone(defs)
	want[0].Revision = got[0].Revision // of what was changed above
	if diff := cmp.Diff(want, got, content); diff != "" {
		t.Errorf("written and read, they differ (-want +got):\n%s", diff)
	}
	if again := bundle(t, got); !bytes.Equal(out, again) {
		t.Errorf("written, read and written again:\n%s\nthe first time:\n%s", again, out)
	}
}

// Only the text language can be written.
func TestWriteBundleRefuses(t *testing.T) {
	for _, d := range []signals.Definition{
		{Name: "rule", Language: signals.LanguageSigma, Text: "title: x"},
		{Name: "unchecked", Language: signals.LanguageSignal, Text: "process.path is a"},
	} {
		var b strings.Builder
		if err := signals.WriteBundle(&b, []signals.Definition{d}); err == nil || b.Len() > 0 {
			t.Errorf("WriteBundle of %s: %v, %d bytes; want an error and none", d.Name, err, b.Len())
		}
		if _, err := signals.Compile(&d); err == nil {
			t.Errorf("Compile of %s gives no error", d.Name)
		}
	}
}

// Signals of several files keep the labels and the other keys of all of them.
func TestBundleOfSeveralFiles(t *testing.T) {
	first, err := signals.ParseFile("a.json", []byte(`{"x": 1, "signals": [{"name": "a", "contents": "process.path is a", "labels": ["l"]}], "labels": [{"name": "l", "description": "first"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	second, err := signals.ParseFile("b.json", []byte(`{"y": 2, "x": 3, "signals": [{"name": "b", "contents": "process.path is b"}], "labels": [{"name": "l", "description": "second"}, {"name": "m"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := asJSON(bundle(t, append(first, second...)))
	if err != nil {
		t.Fatal(err)
	}
	o := got.(map[string]any)
	want := []any{map[string]any{"name": "l", "description": "first"}, map[string]any{"name": "m"}}
	if diff := cmp.Diff(want, o["labels"]); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	if o["x"] != json.Number("1") || o["y"] != json.Number("2") || len(o["signals"].([]any)) != 2 {
		t.Errorf("bundle is %v", o)
	}
}

// Whatever the bytes: what is taken is JSON for encoding/json too, and is written and
// read as the same definitions; what is refused names its place.
func FuzzOriginal(f *testing.F) {
	for _, s := range []string{
		`{"signals":[{"type":"tanium-signal","data":{"name":"a","contents":"process.path is '\\\\a'","labels":["x"]}}],"labels":[]}`,
		`[{"name":"a","contents":"group(file.path is a)","syntax_version":2}]`,
		`{"name":"a","contents":"{\"name\":\"\\u00e4\",\"contents\":\"process.path is a\"}"}`,
		`{"signals":[{"name":"a","compiled":{"text":"process.path is a"},"mitreAttacks":{"v7":{"techniques":["T1059"]}}}]}`,
		`{"a":[1,2.5e-3,true,null,"\ud83d\ude00"]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		defs, err := signals.ParseFile("x.json", src)
		if diags, ok := err.(signals.Diagnostics); err != nil && (!ok || diags[0].Pos.File != "x.json") {
			t.Errorf("ParseFile(%q): %v; want diagnostics", src, err)
		}
		if len(defs) == 0 {
			return
		}
		if !json.Valid(bytes.TrimPrefix(src, []byte("\ufeff"))) {
			t.Errorf("ParseFile(%q) takes what is no JSON", src)
		}
		out := bundle(t, defs)
		again, err := signals.ParseFile("x.json", out)
		if err != nil {
			t.Fatalf("ParseFile(%s), written of %q: %v", out, src, err)
		}
		if diff := cmp.Diff(defs, again, content); diff != "" {
			t.Errorf("%q, written and read, differs (-want +got):\n%s", src, diff)
		}
	})
}
