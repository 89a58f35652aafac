// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"os"
	"strings"
	"time"
)

// host is what identifies this computer and its boot.
type host struct{ machineID, name, kernel, zone, boot string }

func thisHost() host {
	read := func(path string) string {
		b, err := os.ReadFile(path)
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(b))
	}
	name, _ := os.Hostname()
	zone, _ := time.Now().Zone()
	return host{machineID: read("/etc/machine-id"), name: name, kernel: read("/proc/sys/kernel/osrelease"),
		zone: zone, boot: read("/proc/sys/kernel/random/boot_id")}
}
