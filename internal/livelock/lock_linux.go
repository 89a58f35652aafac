// SPDX-License-Identifier: Apache-2.0

package livelock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Path returns where the lock is: a file that everything on this machine holds that
// tries the live kernel (flock(1) is for trials by hand).
func Path() string { return filepath.Join(os.TempDir(), "seismo-live-test.lock") }

// Wait returns the lock once it is the caller's, who closes it. It stands in the
// kernel's queue: who only looks at the lock again and again never has a turn where
// others stand in it. After the end of ctx it returns its cause.
func Wait(ctx context.Context) (*os.File, error) {
	lock, err := os.OpenFile(Path(), os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return nil, fmt.Errorf("open the lock of live tests: %w", err)
	}
	locked := make(chan error, 1)
	go func() {
		err := unix.Flock(int(lock.Fd()), unix.LOCK_EX)
		for errors.Is(err, unix.EINTR) {
			err = unix.Flock(int(lock.Fd()), unix.LOCK_EX)
		}
		locked <- err
	}()
	select {
	case err = <-locked:
		if err == nil {
			return lock, nil
		}
		lock.Close()
	case <-ctx.Done():
		err = context.Cause(ctx)
		go func() { // it has its turn all the same, and lets go of it
			<-locked
			lock.Close()
		}()
	}
	return nil, fmt.Errorf("wait for %s: %w", Path(), err)
}
