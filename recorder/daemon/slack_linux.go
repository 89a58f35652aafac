// SPDX-License-Identifier: Apache-2.0

// This file lets the kernel wake us a little late. The Go runtime has a thread that
// looks every 20 µs what the others do as long as one of them does anything; with the
// kernel's usual 50 µs of slack that was half of all wake-ups of a recorder.

package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// timerSlack is how late a sleep of a thread may end (prctl(2), PR_SET_TIMERSLACK). What
// must be exact is waited for by other means (a timer descriptor has no slack).
const timerSlack = 2 * time.Millisecond

// setTimerSlack sets it for all threads; those that begin later, and the processes that
// are started, inherit it. It needs CAP_SYS_NICE (proc(5), /proc/pid/timerslack_ns).
func setTimerSlack() error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fmt.Errorf("set the slack of timers: %w", err)
	}
	var errs []error
	for _, t := range threads {
		// The file is found below the thread's own number only, which no list shows.
		f, err := os.OpenFile(filepath.Join("/proc", t.Name(), "timerslack_ns"), os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteString(strconv.FormatInt(int64(timerSlack), 10))
			err = errors.Join(err, f.Close())
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) { // it has ended
			errs = append(errs, fmt.Errorf("set the slack of timers: %w", err))
		}
	}
	return errors.Join(errs...)
}
