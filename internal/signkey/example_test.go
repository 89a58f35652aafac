// SPDX-License-Identifier: Apache-2.0

package signkey_test

import (
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"

	"seismo/internal/signkey"
)

// One machine has the private key and signs, the others have the public one.
func Example() {
	dir, err := os.MkdirTemp("", "seismo")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	if _, err := signkey.Create(filepath.Join(dir, "team")); err != nil {
		fmt.Println(err)
		return
	}
	private, err := signkey.ReadPrivate(filepath.Join(dir, "team.key"))
	if err != nil {
		fmt.Println(err)
		return
	}
	public, err := signkey.ReadPublic("team.pub", dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(ed25519.Verify(public, []byte("text"), ed25519.Sign(private, []byte("text"))))
	// Output: true
}
