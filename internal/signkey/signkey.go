// SPDX-License-Identifier: Apache-2.0

// Package signkey reads and writes the Ed25519 keys that compiled signals are signed
// with: the private key as PKCS #8, the public one as PKIX, both in PEM. What is
// signed is for package engine to say.
package signkey

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ErrKey is wrapped by every error about the content of a key.
var ErrKey = errors.New("not a key that signals are signed with")

// maxKey bounds a key's file, in bytes. A private key has 119.
const maxKey = 16 << 10

// The types of PEM blocks.
const (
	privateBlock = "PRIVATE KEY"
	publicBlock  = "PUBLIC KEY"
)

// Create makes a new pair of keys and writes it to name.key, with mode 0600, and
// name.pub. It returns the public key. A file that is there already is never written
// over; then, and after any other error, neither file is made.
func Create(name string) (public ed25519.PublicKey, err error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	open, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	if err := writeNew(name+".key", 0o600, privateBlock, secret); err != nil {
		return nil, err
	}
	if err := writeNew(name+".pub", 0o644, publicBlock, open); err != nil {
		return nil, errors.Join(err, os.Remove(name+".key"))
	}
	return public, nil
}

// writeNew writes der to a new file, out to the disk.
func writeNew(path string, mode os.FileMode, block string, der []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	err = pem.Encode(f, &pem.Block{Type: block, Bytes: der})
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write key: %w", errors.Join(err, os.Remove(path)))
	}
	return nil
}

// ReadPrivate reads the private key in the file at path.
func ReadPrivate(path string) (ed25519.PrivateKey, error) {
	text, err := read(path)
	if err != nil {
		return nil, err
	}
	der, err := block(text, privateBlock)
	if err != nil {
		return nil, fmt.Errorf("private key %s: %w", path, err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("private key %s: %v: %w", path, err, ErrKey)
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("private key %s: %T, want one of Ed25519: %w", path, parsed, ErrKey)
	}
	return key, nil
}

// ReadPublic returns the public key that text stands for: the key itself in base64
// (its 32 bytes, or PKIX), or else the path of a file in PEM or base64. A path that is
// not absolute is taken from the folder dir.
func ReadPublic(text, dir string) (ed25519.PublicKey, error) {
	if key, err := parsePublic([]byte(text)); err == nil {
		return key, nil
	}
	path := text
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	content, err := read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("public key %.80q is no key in base64, nor is there such a file: %w", text, err)
	}
	if err != nil {
		return nil, err
	}
	key, err := parsePublic(content)
	if err != nil {
		return nil, fmt.Errorf("public key %s: %w", path, err)
	}
	return key, nil
}

// parsePublic reads a public key in PEM or base64.
func parsePublic(text []byte) (ed25519.PublicKey, error) {
	trimmed := strings.TrimSpace(string(text))
	var der []byte
	if strings.HasPrefix(trimmed, "-----") {
		var err error
		if der, err = block(text, publicBlock); err != nil {
			return nil, err
		}
	} else {
		var err error
		if der, err = base64.StdEncoding.Strict().DecodeString(trimmed); err != nil {
			return nil, fmt.Errorf("neither PEM nor base64: %w", ErrKey)
		}
		if len(der) == ed25519.PublicKeySize {
			return ed25519.PublicKey(der), nil
		}
	}
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("%v: %w", err, ErrKey)
	}
	key, ok := parsed.(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("%T, want one of Ed25519: %w", parsed, ErrKey)
	}
	return key, nil
}

// block returns the content of the one PEM block in text, which must be of the type
// want.
func block(text []byte, want string) ([]byte, error) {
	b, rest := pem.Decode(text)
	switch {
	case b == nil:
		return nil, fmt.Errorf("no PEM: %w", ErrKey)
	case b.Type != want:
		return nil, fmt.Errorf("a %.40q, want a %q: %w", b.Type, want, ErrKey)
	case strings.TrimSpace(string(rest)) != "":
		return nil, fmt.Errorf("something follows the key: %w", ErrKey)
	}
	return b.Bytes, nil
}

// read returns the content of the file at path, which must be a regular one.
func read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	if !info.Mode().IsRegular() { // opening a pipe waits for a writer
		return nil, fmt.Errorf("key %s is no regular file: %w", path, ErrKey)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxKey+1))
	if err != nil {
		return nil, fmt.Errorf("read key %s: %w", path, err)
	}
	if len(content) > maxKey {
		return nil, fmt.Errorf("key %s: longer than %d bytes: %w", path, maxKey, ErrKey)
	}
	return content, nil
}
