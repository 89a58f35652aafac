// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package daemon

import (
	"os"
	"runtime"
	"time"
)

// host is what identifies this computer and its boot.
type host struct{ machineID, name, kernel, zone, boot string }

func thisHost() host {
	name, _ := os.Hostname()
	zone, _ := time.Now().Zone()
	return host{machineID: name, name: name, kernel: runtime.GOOS, zone: zone}
}
