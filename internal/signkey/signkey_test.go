// SPDX-License-Identifier: Apache-2.0

package signkey_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"seismo/internal/signkey"
)

// What is created is read again, by every way that a public key can be given.
func TestCreateAndRead(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "team")
	public, err := signkey.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	private, err := signkey.ReadPrivate(name + ".key")
	if err != nil {
		t.Fatal(err)
	}
	if !public.Equal(private.Public()) {
		t.Error("the keys are no pair")
	}
	if info, err := os.Stat(name + ".key"); err != nil || runtime.GOOS != "windows" && info.Mode() != 0o600 {
		t.Errorf("mode of the private key is %v, %v; want 0600", info.Mode(), err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "b64"), []byte(base64.StdEncoding.EncodeToString(public)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{
		"absolute path": name + ".pub", "path in the folder": "team.pub", "base64 in a file": "b64",
		"base64": base64.StdEncoding.EncodeToString(public), "base64 of PKIX": base64.StdEncoding.EncodeToString(der),
	} {
		if got, err := signkey.ReadPublic(text, dir); err != nil || !got.Equal(public) {
			t.Errorf("ReadPublic(%s) = %x, %v; want %x", what, got, err, public)
		}
	}
}

// No file is written over, and half a pair is not left behind.
func TestCreateDoesNotOverwrite(t *testing.T) {
	for _, there := range []string{".key", ".pub"} {
		name := filepath.Join(t.TempDir(), "team")
		if err := os.WriteFile(name+there, []byte("kept"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := signkey.Create(name); !errors.Is(err, fs.ErrExist) {
			t.Errorf("Create beside %s: %v; want one of fs.ErrExist", there, err)
		}
		if got, err := os.ReadFile(name + there); err != nil || string(got) != "kept" {
			t.Errorf("%s is %q, %v afterwards", there, got, err)
		}
		other := map[string]string{".key": ".pub", ".pub": ".key"}[there]
		if _, err := os.Stat(name + other); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s was left behind: %v", other, err)
		}
	}
}

// What is no key of Ed25519 is refused.
func TestReadRefuses(t *testing.T) {
	dir := t.TempDir()
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(other)
	if err != nil {
		t.Fatal(err)
	}
	open, err := x509.MarshalPKIXPublicKey(&other.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signkey.Create(filepath.Join(dir, "good")); err != nil {
		t.Fatal(err)
	}
	goodSecret, err := os.ReadFile(filepath.Join(dir, "good.key"))
	if err != nil {
		t.Fatal(err)
	}
	goodOpen, err := os.ReadFile(filepath.Join(dir, "good.pub"))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"empty":           nil,
		"noise":           []byte("noise\x00\xff"),
		"other algorithm": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}),
		"other public":    pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: open}),
		"other block":     pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: open}),
		"broken private":  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret[:20]}),
		"broken public":   pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: open[:20]}),
		"two private":     append(bytes.Clone(goodSecret), goodSecret...),
		"two public":      append(bytes.Clone(goodOpen), goodOpen...),
		"short base64":    []byte(base64.StdEncoding.EncodeToString(make([]byte, ed25519.PublicKeySize-1))),
		"too long":        append(make([]byte, 20_000), goodOpen...),
	} {
		path := filepath.Join(dir, "key")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := signkey.ReadPrivate(path); !errors.Is(err, signkey.ErrKey) {
			t.Errorf("ReadPrivate(%s): %v; want one of ErrKey", name, err)
		}
		if _, err := signkey.ReadPublic(path, dir); !errors.Is(err, signkey.ErrKey) {
			t.Errorf("ReadPublic(%s): %v; want one of ErrKey", name, err)
		}
	}
	if _, err := signkey.ReadPrivate(filepath.Join(dir, "good.pub")); !errors.Is(err, signkey.ErrKey) {
		t.Errorf("ReadPrivate of a public key: %v; want one of ErrKey", err)
	}
	if _, err := signkey.ReadPublic(filepath.Join(dir, "good.key"), dir); !errors.Is(err, signkey.ErrKey) {
		t.Errorf("ReadPublic of a private key: %v; want one of ErrKey", err)
	}
	if _, err := signkey.ReadPublic(dir, dir); !errors.Is(err, signkey.ErrKey) {
		t.Errorf("ReadPublic of a folder: %v; want one of ErrKey", err)
	}
	if _, err := signkey.ReadPublic("nothing", dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ReadPublic of nothing: %v; want one of fs.ErrNotExist", err)
	}
}
