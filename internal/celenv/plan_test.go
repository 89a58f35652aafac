// SPDX-License-Identifier: Apache-2.0

package celenv

import (
	"errors"
	"math"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	exprpb "google.golang.org/genproto/googleapis/api/expr/v1alpha1"
	"google.golang.org/protobuf/proto"

	"seismo/internal/event"
)

func plan(t testing.TB, text string) *Program {
	t.Helper()
	c, issues := Compile(text)
	if c == nil {
		t.Fatalf("Compile(%s): %s", text, issues[0].Message)
	}
	p, err := Plan([]byte(encode(t, c)))
	if err != nil {
		t.Fatalf("Plan(%s): %v", text, err)
	}
	return p
}

// sample returns a view on a file event with values that are easily got wrong.
func sample(t testing.TB) *View {
	t.Helper()
	e := event.NewBatch(1).Add(event.KindFile, event.OpWrite)
	e.SetString(event.FilePath, "/etc/PassWD\xff\x00")
	e.SetInt(event.FileInode, math.MaxInt64)
	e.AddRecordType(1)
	e.AddRecordType(2)
	e.AddOwn(0, []byte("key"), []byte("first"))
	e.AddOwn(0, []byte("key"), []byte("forged"))
	e.AddOwn(1, []byte("key"), []byte("second"))
	sshd := &event.Process{ID: 1, Path: "/usr/sbin/sshd", UserID: event.NoID}
	e.Process = &event.Process{ID: math.MaxUint64, PID: 7, Path: "/bin/sh", CommandLine: strings.Repeat("x", MaxSubject+1), Args: []string{"sh", "-c", "Kelvin \u212a"},
		Start: 1_795_352_400_000_000_001, UserID: event.NoID, Hash: []string{}, Parent: sshd}
	v := NewView()
	v.InList = func(list string, typ event.Type, value string) bool {
		return list == "seen-"+typ.String() && value != ""
	}
	v.Set(e, e.Process)
	return v
}

// What CEL means by fields that are absent, by bytes, and by our functions.
func TestEval(t *testing.T) {
	const yes, no, bad = "true", "false", "error"
	tests := []struct{ name, text, want string }{
		{"field", `process.path == "/bin/sh"`, yes},
		{"case", `process.path == "/BIN/sh"`, no},
		{"absent field", `network.port == 443`, bad},
		{"absent field, negated", `!(network.port == 443)`, bad},
		{"absent field beside what decides", `network.port == 443 || process.pid == 7`, yes},
		{"absent field beside what decides the other way", `network.port == 443 && process.pid == 8`, no},
		{"absent field beside what does not decide", `network.port == 443 || process.pid == 8`, bad},
		{"has", `has(file.path) && !has(network.port) && !has(process.tty)`, yes},
		{"has of a list without elements", `has(process.hash) && process.hash.size() == 0`, yes},
		{"field of the parent", `process.parent_path.endsWith("/sshd")`, yes},
		{"ancestors, nearest first", `process.ancestry_path == ["/bin/sh", "/usr/sbin/sshd"]`, yes},
		{"ancestors without the field", `has(process.ancestry_user_name)`, no},
		{"operation", `file.operation == "write" && !has(process.operation)`, yes},
		{"bytes count as characters", `file.path.size() == 13 && file.path.contains("WD")`, yes},
		{"NUL", `file.path.endsWith("\u0000")`, yes},
		{"bytes that are not UTF-8, folded by CEL", `file.path.lowerAscii() == "/etc/passwd\ufffd\u0000"`, yes},
		{"the same, folded by us", `file.path.iequals("/ETC/passwd\ufffd\u0000")`, no},
		{"greatest numbers", `file.inode == 9223372036854775807 && process.id == 18446744073709551615u`, yes},
		{"number that grows too large", `file.inode + 1 > 0`, bad},
		{"nanoseconds", `process.start_time > timestamp("2026-11-22T13:00:00Z") && process.start_time < timestamp("2026-11-22T13:00:00.000000002Z")`, yes},
		{"hour", `process.start_time.getHours("+02:00") == 15`, yes},
		{"own field, the first of each record", `own("key") == ["first", "second"] && hasOwn("key")`, yes},
		{"own field of another case", `own("Key").size() == 0`, bad},
		{"hasOwn", `hasOwn("Key")`, no},
		{"folded comparison", `file.path.icontains("PASSwd") && process.path.istartsWith("/BIN") && process.path.iendsWith("SH") && process.path.iequals("/bin/SH")`, yes},
		{"Kelvin sign is not folded", `process.args.iendsWith("k") || process.args.imatches("k$")`, no},
		{"our functions on a list", `process.args.iequals("-C") && process.args.glob("kelvin *")`, yes},
		{"argument that is no constant", `process.path.icontains(process.name)`, yes},
		{"glob", `process.path.glob("/*H") && process.path.pathGlob("/*/sh") && !process.path.pathGlob("/*")`, yes},
		{"regular expression", `process.path.imatches("^/B.N/") && !process.path.matches("^/B.N/")`, yes},
		{"network", `process.path.inCIDR("0.0.0.0/0") || "::ffff:10.1.2.3".inCIDR("10.0.0.0/8") && has(file.path)`, yes},
		{"list by the type of the field", `process.path.inList("seen-string") && process.pid.inList("seen-integer") && process.args.inList("seen-list")`, yes},
		{"list by the type of an element's field", `process.args.exists(v, v.inList("seen-list")) && !process.args.exists(v, v.inList("seen-hash"))`, yes},
		{"value over the limit", `process.command_line.contains("x")`, bad},
		{"value over the limit is there", `has(process.command_line)`, yes},
		{"element that is not there", `process.args[3] == "x"`, bad},
	}
	v := sample(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			met, err := plan(t, tt.text).Eval(v)
			got := map[bool]string{true: yes, false: no}[met]
			if err != nil {
				got = bad
			}
			if got != tt.want || met && err != nil {
				t.Errorf("%s = %s (%v), want %s", tt.text, got, err, tt.want)
			}
		})
	}
}

// A view reads late values, and what an event says of a process that is not known.
func TestViewOfProcess(t *testing.T) {
	e := event.NewBatch(1).Add(event.KindProcess, event.OpUpdate)
	e.SetString(event.ProcessContainerID, "c1")
	e.AppendElement(event.ProcessHash, []byte("MD5=aa"))
	p := &event.Process{ID: 1, Path: "/bin/sh", UserID: event.NoID, Parent: &event.Process{ID: 2}}
	container := plan(t, `process.container_id == "c1" && process.hash == ["MD5=aa"] && process.ancestry_hash == ["MD5=aa"]`)
	late := plan(t, `process.parent_path == "/late" && process.user_id == 5`)
	v := NewView()
	v.Set(e, p)
	if met, err := container.Eval(v); !met {
		t.Errorf("what the update says: %t, %v; want true", met, err)
	}
	v.Late = func(q *event.Process, f event.Field) (Value, bool) {
		return Value{Text: "/late", Number: 5}, q.ID == 2 && f == event.ProcessPath || f == event.ProcessUserID
	}
	v.Set(e, p)
	if met, err := late.Eval(v); !met {
		t.Errorf("late values: %t, %v; want true", met, err)
	}
	if met, err := container.Eval(v); met || err == nil {
		t.Errorf("with Late, what the update says: %t, %v; want an error", met, err)
	}
	v.Set(e, nil)
	if met, err := container.Eval(v); !met {
		t.Errorf("process that is not known: %t, %v; want what the event says", met, err)
	}
	v.Unknown = true
	v.Set(e, nil)
	if met, err := container.Eval(v); met || err == nil {
		t.Errorf("with Unknown: %t, %v; want an error", met, err)
	}
}

// Addresses are compared by their short text.
func TestAddress(t *testing.T) {
	e := event.NewBatch(1).Add(event.KindNetwork, event.OpConnect)
	e.SetAddr(event.NetworkAddress, netip.MustParseAddr("::ffff:10.1.2.3"))
	e.SetAddr(event.NetworkSourceAddress, netip.MustParseAddr("2001:DB8:0::1"))
	v := NewView()
	v.Set(e, nil)
	text := `network.address == "10.1.2.3" && network.address.inCIDR("10.0.0.0/8") && network.source_address == "2001:db8::1" && network.source_address.inCIDR("2001:db8::/32")`
	if met, err := plan(t, text).Eval(v); !met {
		t.Errorf("%s = %t, %v; want true", text, met, err)
	}
}

// What the parser would never make is refused, not planned.
func TestPlanRefuses(t *testing.T) {
	f := ast.NewExprFactory()
	ident := func(name string) ast.Expr { return f.NewIdent(1, name) }
	path := f.NewSelect(1, ident("process"), "path")
	loop := func(init, cond, step, result ast.Expr) ast.Expr {
		return f.NewComprehension(1, f.NewSelect(1, ident("process"), "args"), "v", "@result", init, cond, step, result)
	}
	yes := f.NewLiteral(1, types.True)
	deep := path
	for range 3000 {
		deep = f.NewCall(1, operators.Add, deep, path)
	}
	tests := []struct {
		name string
		expr ast.Expr
	}{
		{"text that doubles with each element", f.NewCall(1, operators.Equals, loop(path, yes, f.NewCall(1, operators.Add, ident("@result"), ident("@result")), ident("@result")), path)},
		{"list of what was made so far", f.NewCall(1, operators.Greater, f.NewMemberCall(1, "size", loop(f.NewList(1, nil, nil), yes,
			f.NewCall(1, operators.Add, ident("@result"), f.NewList(1, []ast.Expr{ident("@result")}, nil)), ident("@result"))), f.NewLiteral(1, types.Int(1)))},
		{"hidden name", f.NewCall(1, operators.Equals, ident(viewName), path)},
		{"no bool", path},
		{"unknown function", f.NewCall(1, "exec", path)},
		{"very deep", f.NewCall(1, operators.Equals, deep, path)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := ast.ExprToProto(tt.expr)
			if err != nil {
				t.Fatal(err)
			}
			b, err := proto.Marshal(&exprpb.CheckedExpr{Expr: m})
			if err != nil {
				t.Fatal(err)
			}
			if p, err := Plan(b); p != nil || !errors.Is(err, ErrExpression) {
				t.Errorf("Plan = %v, %v; want ErrExpression", p, err)
			}
		})
	}
	for _, b := range []string{"", "\xff", "\x1a\x00", strings.Repeat("\x0a", 2<<20)} {
		if p, err := Plan([]byte(b)); p != nil || !errors.Is(err, ErrExpression) {
			t.Errorf("Plan(%.10q) = %v, %v; want ErrExpression", b, p, err)
		}
	}
}

// Whatever the bytes are, Plan refuses them or makes a program of bounded cost that
// can be evaluated.
func FuzzPlan(f *testing.F) {
	for _, text := range []string{`process.path + "x" == "y"`, `process.args.exists(v, v.size() > 3 && v.imatches("a+"))`, `own("key").filter(v, v != "a").map(v, v + "b").size() == 2 ? has(file.path) : process.pid.inList("x")`,
		`process.start_time > timestamp("2026-11-22T13:00:00Z") || process.id == 5u && file.path.split("/")[1].glob("*a")`} {
		c, issues := Compile(text)
		if c == nil {
			f.Fatal(issues)
		}
		f.Add([]byte(encode(f, c)))
	}
	v := sample(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Plan(b)
		if err != nil {
			if !errors.Is(err, ErrExpression) {
				t.Errorf("Plan(%x): %v does not wrap ErrExpression", b, err)
			}
			return
		}
		if p.Cost > MaxCost {
			t.Errorf("Plan(%x): cost %d", b, p.Cost)
		}
		if met, err := p.Eval(v); err != nil && met {
			t.Errorf("Eval of %x = true, %v", b, err)
		}
	})
}

// Whatever the text is, Compile refuses it with places in it, or what it makes can be
// planned.
func FuzzCompile(f *testing.F) {
	f.Add(`process.path == "x" && process.args.exists(v, v in ["a", "b"])`)
	f.Add("process.pth = 'é'\n // x")
	f.Add(`own("key")[0].matches("a{2,5}") ? has(file.path) : network.address.inCIDR("::/0")`)
	f.Fuzz(func(t *testing.T, text string) {
		c, issues := Compile(text)
		for _, i := range issues {
			if i.Offset < 0 || i.Width < 0 || i.Offset+i.Width > len(text)+1 || i.Message == "" {
				t.Errorf("Compile(%q): issue %+v of a text of %d bytes", text, i, len(text))
			}
		}
		if (c == nil) != (len(issues) > 0) {
			t.Fatalf("Compile(%q) = %v, %v", text, c, issues)
		}
		if c != nil {
			if _, err := Plan([]byte(encode(t, c))); err != nil {
				t.Errorf("Plan(%q): %v", text, err)
			}
		}
	})
}

func BenchmarkEval(b *testing.B) {
	v := sample(b)
	e, p := v.event, v.process
	for _, bench := range []struct{ name, text string }{
		{"kind=cheap", `process.path + "x" == file.path`},
		{"kind=split", `process.path.split("/")[1] == "bin"`},
		{"kind=exists", `process.args.exists(v, v.size() > 3 && v.startsWith("Kel"))`},
		{"kind=absent", `process.tty.size() > 3`},
	} {
		b.Run(bench.name, func(b *testing.B) {
			program := plan(b, bench.text)
			b.ReportAllocs()
			for b.Loop() {
				v.Set(e, p)
				program.Eval(v)
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	const text = `process.path.endsWith("/sh") && (process.args.exists(v, v.size() > 3 && v.startsWith("-e")) || process.command_line.icontains("curl")) && !has(process.tty)`
	b.Run("step=compile", func(b *testing.B) {
		for b.Loop() {
			Compile(text)
		}
	})
	b.Run("step=plan", func(b *testing.B) {
		c, _ := Compile(text)
		encoded := []byte(encode(b, c))
		b.ReportMetric(float64(len(encoded)), "bytes")
		for b.Loop() {
			if _, err := Plan(encoded); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("step=environment", func(b *testing.B) {
		for b.Loop() {
			if _, err := newEnv(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
