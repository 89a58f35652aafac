// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"

	"seismo/recorder/daemon"
)

// newHashHelper is what the recorder starts itself as, to have programs hashed beside
// it. People have no use for it.
func newHashHelper() *cobra.Command {
	return &cobra.Command{
		Use:    daemon.HashHelper,
		Hidden: true,
		Args:   noArgs,
		RunE:   func(*cobra.Command, []string) error { return daemon.ServeHashes() },
	}
}
