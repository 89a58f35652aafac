// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func ruleTexts(rules []Rule) []string {
	var texts []string
	for _, r := range rules {
		texts = append(texts, r.String())
	}
	return texts
}

func TestPlanRules(t *testing.T) {
	tests := []struct {
		name string
		o    RuleOptions
		want string
	}{
		{"amd64 with roots and our own folder", RuleOptions{Arch: "amd64", Roots: []string{"/usr", "/root"}, Exclude: []string{"/root/var"}}, `
-A never,exit -F dir=/root/var -F perm=wa -k seismo
-a always,exit -F arch=b64 -S execve,execveat -k seismo
-a always,exit -F arch=b64 -S connect,accept,accept4,bind,listen -k seismo
-a always,exit -F arch=b64 -F a0=2 -S socket -k seismo
-a always,exit -F arch=b64 -F a0=10 -S socket -k seismo
-a always,exit -F arch=b32 -S execve,execveat -k seismo
-a always,exit -F arch=b32 -S connect,accept4,bind,listen -k seismo
-a always,exit -F arch=b32 -F a0=2 -S socket -k seismo
-a always,exit -F arch=b32 -F a0=10 -S socket -k seismo
-a always,exit -F arch=b32 -F a0<=5 -S socketcall -k seismo
-a always,exit -F arch=b32 -F a0=18 -S socketcall -k seismo
-a always,exit -F dir=/root -F perm=wa -k seismo
-a always,exit -F dir=/usr -F perm=wa -k seismo`},
		{"arm64 has no multiplexed calls", RuleOptions{Arch: "arm64"}, `
-a always,exit -F arch=b64 -S execve,execveat -k seismo
-a always,exit -F arch=b64 -S connect,accept,accept4,bind,listen -k seismo
-a always,exit -F arch=b64 -F a0=2 -S socket -k seismo
-a always,exit -F arch=b64 -F a0=10 -S socket -k seismo
-a always,exit -F arch=b32 -S execve,execveat -k seismo
-a always,exit -F arch=b32 -S connect,accept,accept4,bind,listen -k seismo
-a always,exit -F arch=b32 -F a0=2 -S socket -k seismo
-a always,exit -F arch=b32 -F a0=10 -S socket -k seismo`},
		{"a 32-bit machine has one interface; a root inside another is dropped; a folder outside of all roots needs no rule",
			RuleOptions{Arch: "arm", Roots: []string{"/usr/local", "/usr", "/usr2"}, Exclude: []string{"/var/lib/seismo", "/usr"}}, `
-a always,exit -F arch=b32 -S execve,execveat -k seismo
-a always,exit -F arch=b32 -S connect,accept,accept4,bind,listen -k seismo
-a always,exit -F arch=b32 -F a0=2 -S socket -k seismo
-a always,exit -F arch=b32 -F a0=10 -S socket -k seismo
-a always,exit -F dir=/usr -F perm=wa -k seismo
-a always,exit -F dir=/usr2 -F perm=wa -k seismo`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rules, err := PlanRules(tt.o)
			got := "\n" + strings.Join(ruleTexts(rules), "\n")
			if err != nil || got != tt.want {
				t.Errorf("PlanRules(%+v) = %s, %v; want %s", tt.o, got, err, tt.want)
			}
		})
	}
}

func TestPlanRulesRefuses(t *testing.T) {
	tests := []struct {
		name, want string
		o          RuleOptions
	}{
		{"an unknown machine", "wasm", RuleOptions{Arch: "wasm"}},
		{"a relative root", "not absolute", RuleOptions{Arch: "amd64", Roots: []string{"etc"}}},
		{"a root that is not clean", "not clean", RuleOptions{Arch: "amd64", Roots: []string{"/etc/"}}},
		{"/proc", "/proc", RuleOptions{Arch: "amd64", Roots: []string{"/proc/sys"}}},
		{"/sys", "/sys", RuleOptions{Arch: "amd64", Roots: []string{"/sys"}}},
		{"a path that is too long", "4095", RuleOptions{Arch: "amd64", Roots: []string{"/" + strings.Repeat("a", 5000)}}},
		{"a zero byte", "zero byte", RuleOptions{Arch: "amd64", Roots: []string{"/a\x00b"}}},
		{"a relative exclusion", "not absolute", RuleOptions{Arch: "amd64", Exclude: []string{"var"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rules, err := PlanRules(tt.o)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("PlanRules(%.60v) = %d rules, %v; want an error with %q", tt.o, len(rules), err, tt.want)
			}
		})
	}
}

// Every root is watched by itself or by a root above it, no root blinds
// another, and what is left out never holds a whole root.
func TestPlanRulesCoversRoots(t *testing.T) {
	dirs := rapid.SampledFrom([]string{"/a", "/a/b", "/a/b/c", "/ab", "/b", "/b/a", "/"})
	rapid.Check(t, func(t *rapid.T) {
		roots := rapid.SliceOf(dirs).Draw(t, "roots")
		exclude := rapid.SliceOf(dirs).Draw(t, "exclude")
		rules, err := PlanRules(RuleOptions{Arch: "amd64", Roots: roots, Exclude: exclude})
		if err != nil {
			t.Fatal(err)
		}
		var watched, left []string
		for i, r := range rules {
			for _, f := range r.Filters {
				switch {
				case f.Field == "dir" && r.Action == "always":
					watched = append(watched, f.Value)
				case f.Field == "dir":
					left = append(left, f.Value)
					if i >= len(left) || !r.First {
						t.Errorf("rule %d (%s) is not in front", i, r)
					}
				}
			}
		}
		for _, root := range roots {
			above := 0
			for _, w := range watched {
				if inside(root, w) {
					above++
				}
			}
			if above != 1 {
				t.Errorf("root %s is watched %d times by %q", root, above, watched)
			}
		}
		for _, l := range left {
			if slices.ContainsFunc(watched, func(w string) bool { return inside(w, l) }) {
				t.Errorf("%s is left out and holds a root of %q", l, watched)
			}
		}
	})
}

func TestDefaultRootsCanBePlanned(t *testing.T) {
	rules, err := PlanRules(RuleOptions{Arch: "amd64", Roots: DefaultRoots()})
	if want := len(DefaultRoots()) + 10; err != nil || len(rules) != want {
		t.Errorf("PlanRules(DefaultRoots()) = %d rules, %v; want %d", len(rules), err, want)
	}
}
