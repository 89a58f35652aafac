// SPDX-License-Identifier: Apache-2.0

// This file reads the list of processors that are on.

package imageload

import (
	"fmt"
	"strconv"
	"strings"
)

// maxCPUs bounds the processors that are listened to (CONFIG_NR_CPUS of x86 is 8,192 at most).
const maxCPUs = 8192

// parseCPUs reads a list of processors as /sys/devices/system/cpu/online has it:
// numbers and ranges, "0-3,6".
func parseCPUs(list string) ([]int, error) {
	var cpus []int
	for part := range strings.SplitSeq(strings.TrimSpace(list), ",") {
		from, to, ranged := strings.Cut(part, "-")
		first, err := strconv.ParseUint(from, 10, 16)
		last := first
		if err == nil && ranged {
			last, err = strconv.ParseUint(to, 10, 16)
		}
		if err != nil || last < first || last >= maxCPUs {
			return nil, fmt.Errorf("list of processors %.40q: %.40q is no range of numbers below %d", list, part, maxCPUs)
		}
		for n := first; n <= last; n++ {
			if len(cpus) == maxCPUs {
				return nil, fmt.Errorf("list of processors %.40q: more than %d", list, maxCPUs)
			}
			cpus = append(cpus, int(n))
		}
	}
	return cpus, nil
}
