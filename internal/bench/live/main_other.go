// SPDX-License-Identifier: Apache-2.0

//go:build !linux

// Command live measures this recorder against others on a live Linux kernel.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "live: the kernel's audit system exists on Linux only")
	os.Exit(1)
}
