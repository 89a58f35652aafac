// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"testing"
)

// testKey returns a key that is the same for the same number.
func testKey(n byte) (ed25519.PrivateKey, ed25519.PublicKey) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
	return key, key.Public().(ed25519.PublicKey)
}

func builtSmall(t *testing.T) *Program {
	t.Helper()
	p, err := Build(smallSet())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A signed program is written, read and verified; the rest of the file is as without
// the signature.
func TestSign(t *testing.T) {
	p := builtSmall(t)
	key, public := testKey(1)
	signed := p.Sign(key)
	if _, ok := p.SignedBy(); ok || !errors.Is(p.Verify(public), ErrUnsigned) {
		t.Error("Sign has changed the program that it was given")
	}
	plain, b := encoded(t, p), encoded(t, signed)
	if !bytes.HasPrefix(b, plain) || len(b) != len(plain)+signatureSize {
		t.Errorf("signed file of %d bytes does not begin with the unsigned one of %d", len(b), len(plain))
	}
	got := reload(t, signed)
	if by, ok := got.SignedBy(); !ok || by != KeyIDOf(public) {
		t.Errorf("SignedBy() = %s, %v; want %s", by, ok, KeyIDOf(public))
	}
	if err := got.Verify(public); err != nil {
		t.Errorf("Verify: %v", err)
	}
	if !bytes.Equal(encoded(t, p.Sign(key)), b) {
		t.Error("signed twice, the bytes differ")
	}
	if with := got.With(Options{}); with.Verify(public) != nil {
		t.Errorf("with overrides: %v", with.Verify(public))
	}
}

// Another key does not hold, and signing again takes the place of the signature.
func TestVerifyOtherKey(t *testing.T) {
	key, public := testKey(1)
	other, otherPublic := testKey(2)
	p := builtSmall(t).Sign(key)
	if err := p.Verify(otherPublic); !errors.Is(err, ErrSignature) {
		t.Errorf("Verify with another key: %v; want one of ErrSignature", err)
	}
	again := reload(t, p.Sign(other))
	if err := again.Verify(otherPublic); err != nil {
		t.Errorf("signed again: %v", err)
	}
	if err := again.Verify(public); !errors.Is(err, ErrSignature) {
		t.Errorf("signed again, the first key: %v; want one of ErrSignature", err)
	}
}

// The signature of another program does not hold.
func TestVerifyOtherProgram(t *testing.T) {
	key, public := testKey(1)
	set := smallSet()
	set.Definitions[0].Name = "another"
	other, err := Build(set)
	if err != nil {
		t.Fatal(err)
	}
	p, foreign := encoded(t, builtSmall(t)), encoded(t, other.Sign(key))
	b := append(bytes.Clone(p), foreign[len(foreign)-signatureSize:]...)
	got, err := load(b)
	if err != nil {
		t.Fatal(err)
	}
	if err := got.Verify(public); !errors.Is(err, ErrSignature) {
		t.Errorf("Verify: %v; want one of ErrSignature", err)
	}
}

// Whichever byte of a signed file is changed, and wherever it is cut: it is refused.
func TestVerifyTampered(t *testing.T) {
	key, public := testKey(1)
	b := encoded(t, builtSmall(t).Sign(key))
	refused := func(b []byte) bool {
		p, err := load(b)
		return err != nil || p.Verify(public) != nil
	}
	for i := range b {
		for _, bit := range []byte{1, 0x80} {
			b[i] ^= bit
			if !refused(b) {
				t.Errorf("byte %d of %d changed: taken", i, len(b))
			}
			b[i] ^= bit
		}
	}
	for n := range b {
		if !refused(b[:n]) {
			t.Errorf("%d of %d bytes: taken", n, len(b))
		}
	}
	for _, more := range []string{"\x00", signatureMagic, string(b[len(b)-signatureSize:])} {
		if !refused(append(bytes.Clone(b), more...)) {
			t.Errorf("%d bytes more: taken", len(more))
		}
	}
	if refused(b) {
		t.Error("unchanged: refused")
	}
	at := len(b) - signatureSize
	b[at] ^= 1
	if _, err := load(b); !errors.Is(err, ErrDamaged) { // also for whoever asks for no key
		t.Errorf("another magic: %v; want one of ErrDamaged", err)
	}
	b[at] ^= 1
	unsigned, err := load(b[:len(b)-signatureSize])
	if err != nil {
		t.Fatalf("without its signature: %v", err)
	}
	if err := unsigned.Verify(public); !errors.Is(err, ErrUnsigned) {
		t.Errorf("without its signature: %v; want one of ErrUnsigned", err)
	}
}
