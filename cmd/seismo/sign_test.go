// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"seismo/engine"
	"seismo/signals"
)

// What a recorder loads, at its start and whenever its files change: with a key only
// a signals.bin that was signed with it.
func TestRecorderLoadsOnlySigned(t *testing.T) {
	home := t.TempDir()
	bin := filepath.Join(home, "signals.bin")
	defs, err := signals.ParseFile("x.yml", []byte("id: 9d9a6a3e-8a66-4c8e-a3d1-0a2f3c4d0031\nname: One\nsignal: process.name is a\n"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := build(defs)
	if err != nil {
		t.Fatal(err)
	}
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	other := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, ed25519.SeedSize))
	write := func(p *engine.Program) func() error { return func() error { return engine.WriteFile(bin, p) } }
	source := signalSource{key: key.Public().(ed25519.PublicKey)}
	for _, step := range []struct {
		name string
		make func() error
		want error // nil: it is loaded
		code int
	}{
		{"nothing is there", func() error { return nil }, nil, exitBroken},
		{"signed", write(p.Sign(key)), nil, 0},
		{"not signed", write(p), engine.ErrUnsigned, exitBroken},
		{"signed by another", write(p.Sign(other)), engine.ErrSignature, exitBroken},
		{"signed again", write(p.Sign(other).Sign(key)), nil, 0},
		{"a byte changed", func() error {
			b, err := os.ReadFile(bin)
			if err != nil {
				return err
			}
			b[len(b)-1] ^= 1
			return os.WriteFile(bin, b, 0o600)
		}, engine.ErrSignature, exitBroken},
		{"gone", func() error { return os.Remove(bin) }, nil, exitBroken},
	} {
		if err := step.make(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		root := newRoot()
		if err := root.ParseFlags([]string{"--home", home}); err != nil {
			t.Fatal(err)
		}
		loaded, err := source.load(root)
		switch {
		case step.code == 0 && (err != nil || loaded.Program.Signals() != 1):
			t.Errorf("%s: %v; want it loaded", step.name, err)
		case step.code != 0 && (err == nil || exitCode(err) != step.code || step.want != nil && !errors.Is(err, step.want)):
			t.Errorf("%s: %v; want %v, exit code %d", step.name, err, step.want, step.code)
		}
	}
}
