// SPDX-License-Identifier: Apache-2.0

// This file makes keys, signs compiled signals, and checks their signatures.

package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"seismo/engine"
	"seismo/internal/config"
	"seismo/internal/display"
	"seismo/internal/signkey"
)

// newSigning returns the verbs of signing, which stand below "signals".
func newSigning() []*cobra.Command {
	var name, key, public, output string
	keygen := &cobra.Command{
		Use:   "keygen -o NAME",
		Short: "Make a pair of keys for signing",
		Long: `Make a pair of Ed25519 keys: NAME.key, the private one, which only you can read,
and NAME.pub, the public one, which hosts get. Files that are there are never
written over.`,
		Example: "  seismo signals keygen -o team",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return keygen(cmd, name) },
	}
	keygen.Flags().StringVarP(&name, "output", "o", "", "name of the two files, without .key and .pub")
	sign := &cobra.Command{
		Use:     "sign FILE --key KEYFILE",
		Short:   "Sign a signals.bin",
		Long:    `Sign a signals.bin, in place of the signature that it may have.`,
		Example: "  seismo signals sign signals.bin --key team.key",
		Args:    exactArgs(1, "a signals.bin"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if output == "" {
				output = args[0]
			}
			return signFile(cmd, args[0], key, output)
		},
	}
	sign.Flags().StringVar(&key, "key", "", "file of the private key")
	sign.Flags().StringVarP(&output, "output", "o", "", "file to write (default: FILE itself)")
	verify := &cobra.Command{
		Use:     "verify FILE [--pub PUBLIC]",
		Short:   "Check the signature of a signals.bin",
		Long:    `Check whether a signals.bin has a signature by a key. The exit code is 2 if it has not.`,
		Example: "  seismo signals verify signals.bin --pub team.pub",
		Args:    exactArgs(1, "a signals.bin"),
		RunE:    func(cmd *cobra.Command, args []string) error { return verifyFile(cmd, args[0], public) },
	}
	verify.Flags().StringVar(&public, "pub", "", "public key: a file, or the key in base64 (default: the setting signalsPublicKey)")
	return []*cobra.Command{keygen, sign, verify}
}

func keygen(cmd *cobra.Command, name string) error {
	if name == "" {
		return fail(exitUsage, `keygen needs -o NAME; "%s --help" shows how`, cmd.CommandPath())
	}
	public, err := signkey.Create(name)
	if errors.Is(err, fs.ErrExist) {
		return fail(exitUsage, "%w; keys are never written over, choose another name", err)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: private key, keep it where signals are compiled\n%s: public key %s\n\n  {\"signalsPublicKey\": \"%s\"}\n\nin recorder.json lets a recorder load only what it signed\n",
		display.Text(name+".key"), display.Text(name+".pub"), engine.KeyIDOf(public), base64.StdEncoding.EncodeToString(public))
	return nil
}

func signFile(cmd *cobra.Command, path, keyFile, output string) error {
	if keyFile == "" {
		return fail(exitUsage, `sign needs --key KEYFILE; "seismo signals keygen" makes one`)
	}
	signed, err := signer(keyFile)
	if err != nil {
		return err
	}
	p, err := engine.LoadFile(path)
	if err != nil {
		return err
	}
	p = signed(p)
	if err := engine.WriteFile(output, p); err != nil {
		return err
	}
	by, _ := p.SignedBy()
	fmt.Fprintf(cmd.OutOrStdout(), "%s: signed with key %s\n", display.Text(output), by)
	return nil
}

func verifyFile(cmd *cobra.Command, path, public string) error {
	var key ed25519.PublicKey
	var err error
	if public != "" {
		key, err = signkey.ReadPublic(public, "")
	} else if key, err = configuredKey(cmd); err == nil && key == nil {
		return fail(exitUsage, "verify needs --pub PUBLIC, or the setting signalsPublicKey in %s", display.Text(pathsOf(cmd).Settings))
	}
	if err != nil {
		return err
	}
	if _, err := loadSigned(path, key); err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: signed with key %s\n", display.Text(path), engine.KeyIDOf(key))
	return nil
}

// signer returns what signs a program with the private key in the file; without a
// file it changes nothing.
func signer(keyFile string) (func(*engine.Program) *engine.Program, error) {
	if keyFile == "" {
		return func(p *engine.Program) *engine.Program { return p }, nil
	}
	key, err := signkey.ReadPrivate(keyFile)
	if err != nil {
		return nil, err
	}
	return func(p *engine.Program) *engine.Program { return p.Sign(key) }, nil
}

// loadSigned reads the signals.bin at path. With a key it must be signed with that.
func loadSigned(path string, key ed25519.PublicKey) (*engine.Program, error) {
	p, err := engine.LoadFile(path)
	if err != nil || key == nil {
		return p, err
	}
	if err := p.Verify(key); err != nil {
		return nil, fmt.Errorf("load %s: %w", path, err)
	}
	return p, nil
}

// configuredKey returns the key that the settings ask for; nil if they ask for none.
func configuredKey(cmd *cobra.Command) (ed25519.PublicKey, error) {
	path := pathsOf(cmd).Settings
	c, err := config.Load(path)
	if errors.Is(err, fs.ErrPermission) {
		// Whoever may not read the settings of the recorder does not decide for it.
		fmt.Fprintf(cmd.ErrOrStderr(), "seismo: %s can not be read: signatures are not checked\n", display.Text(path))
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return keyOf(c, path)
}

// keyOf returns the key that the settings c, read from path, ask for.
func keyOf(c config.Config, path string) (ed25519.PublicKey, error) {
	if c.SignalsPublicKey == "" {
		return nil, nil
	}
	key, err := signkey.ReadPublic(c.SignalsPublicKey, filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("%s: setting signalsPublicKey: %w: %w", path, err, config.ErrConfig)
	}
	return key, nil
}

// loadOnlySigned returns the program at path, as --signals names it, and what it came
// from. It must be a signals.bin that is signed with key; nothing else is taken in its
// place.
func loadOnlySigned(cmd *cobra.Command, path string, key ed25519.PublicKey) (*engine.Program, string, error) {
	const next = "compile and sign them: seismo compile --sign KEYFILE -o signals.bin PATH..."
	if path == "" {
		path = pathsOf(cmd).Signals
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, path, fail(exitBroken, "no %s is there, and signalsPublicKey asks for signed signals\n%s", path, next)
	case err == nil && (info.IsDir() || isDefinition(path)):
		return nil, path, fail(exitBroken, "%s are definitions, and signalsPublicKey asks for signed signals\n%s", path, next)
	}
	p, err := loadSigned(path, key)
	if errors.Is(err, engine.ErrUnsigned) || errors.Is(err, engine.ErrSignature) {
		err = fmt.Errorf("%w (setting signalsPublicKey)", err)
	}
	return p, path, err
}
