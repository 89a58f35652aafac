// SPDX-License-Identifier: Apache-2.0

// This file signs programs and checks signatures. A signature stands behind the
// checksum of a signals.bin; what stands before it is in format.go. Keys as files are
// read by package signkey.

package engine

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
)

// What can be wrong with the signature of a signals.bin. Errors of [Program.Verify]
// wrap one of them.
var (
	// ErrUnsigned says that the file has no signature.
	ErrUnsigned = errors.New(`signals.bin is not signed; "seismo signals sign" signs it`)
	// ErrSignature says that the signature was made with another key, or of another
	// content.
	ErrSignature = errors.New("the signature of signals.bin does not hold; compile and sign the signals again with the right key")
)

// The signature of a file: its magic, the id of the key, and the signature of
// Ed25519.
const (
	signatureMagic = "\x7fSEISIG\n"
	signatureSize  = len(signatureMagic) + len(KeyID{}) + ed25519.SignatureSize
)

// KeyID names a key: the first 8 bytes of the SHA-256 of the public key.
type KeyID [8]byte

// String returns the id in hex digits.
func (k KeyID) String() string { return fmt.Sprintf("%x", k[:]) }

// KeyIDOf returns the id of key.
func KeyIDOf(key ed25519.PublicKey) KeyID {
	sum := sha256.Sum256(key)
	return KeyID(sum[:8])
}

// signature is a signature as it stands in a file.
type signature struct {
	key   KeyID
	value [ed25519.SignatureSize]byte
}

// signedMessage returns what is signed of a program with the given digest. The words
// before it keep a signature from being taken for one of anything else.
func signedMessage(digest [checksumSize]byte) []byte {
	return append(fmt.Appendf(nil, "seismo signals.bin v%d\x00", formatVersion), digest[:]...)
}

// Sign returns p signed with key, in place of the signature that it may have. p does
// not change.
func (p *Program) Sign(key ed25519.PrivateKey) *Program {
	q := *p.unchanged()
	public := key.Public().(ed25519.PublicKey)
	q.signature = &signature{KeyIDOf(public), [ed25519.SignatureSize]byte(ed25519.Sign(key, signedMessage(q.digest)))}
	return &q
}

// SignedBy returns the id of the key that p says it was signed with; false if it is
// not signed. Only [Program.Verify] tells whether that is true.
func (p *Program) SignedBy() (KeyID, bool) {
	if p.signature == nil {
		return KeyID{}, false
	}
	return p.signature.key, true
}

// Verify reports whether p has a signature by key. The error wraps [ErrUnsigned] or
// [ErrSignature].
func (p *Program) Verify(key ed25519.PublicKey) error {
	s := p.signature
	switch {
	case s == nil:
		return ErrUnsigned
	case s.key != KeyIDOf(key):
		return fmt.Errorf("signed with key %s, not with %s: %w", s.key, KeyIDOf(key), ErrSignature)
	case !ed25519.Verify(key, signedMessage(p.digest), s.value[:]):
		return fmt.Errorf("signature by key %s: %w", s.key, ErrSignature)
	}
	return nil
}

// appendTo appends s as it stands in a file.
func (s *signature) appendTo(b []byte) []byte {
	b = append(b, signatureMagic...)
	b = append(b, s.key[:]...)
	return append(b, s.value[:]...)
}

// decodeSignature reads what stands behind the checksum at offset: nothing, or a
// signature.
func decodeSignature(b []byte, offset int) (*signature, error) {
	if len(b) == 0 {
		return nil, nil
	}
	rest, ok := bytes.CutPrefix(b, []byte(signatureMagic))
	if !ok || len(b) != signatureSize {
		return nil, fmt.Errorf("offset %d: neither the end nor a signature: %w", offset, ErrDamaged)
	}
	s := &signature{key: KeyID(rest[:len(KeyID{})])}
	copy(s.value[:], rest[len(KeyID{}):])
	return s, nil
}
