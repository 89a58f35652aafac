// SPDX-License-Identifier: Apache-2.0

// This file holds what the live tests start: the test itself, told by its
// environment what to do.

package imageload

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const helperVariable = "SEISMO_IMAGELOAD_HELPER"

func TestMain(m *testing.M) {
	var err error
	switch what, arg, _ := strings.Cut(os.Getenv(helperVariable), " "); what {
	case "":
		os.Exit(m.Run())
	case "map":
		err = mapAll(arg)
	case "powerless":
		err = powerless()
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// helper returns the command of this program as a helper.
func helper(what string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), helperVariable+"="+what)
	return cmd, nil
}

// mapAll maps all that can be mapped to be executed, in this order. Files are made in dir.
func mapAll(dir string) error {
	const size = 4096
	make := func(name string) (*os.File, error) {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		return f, f.Truncate(size)
	}
	mapIt := func(f *os.File, prot, flags int) ([]byte, error) {
		fd := -1
		if f != nil {
			fd = int(f.Fd())
		}
		return unix.Mmap(fd, 0, size, prot, flags)
	}
	const rx = unix.PROT_READ | unix.PROT_EXEC
	plain, err := make("plain.so")
	if err != nil {
		return err
	}
	for range 2 { // twice: told once
		if _, err := mapIt(plain, rx, unix.MAP_PRIVATE); err != nil {
			return fmt.Errorf("map a file: %w", err)
		}
	}
	data, err := make("data only")
	if err != nil {
		return err
	}
	if _, err := mapIt(data, unix.PROT_READ, unix.MAP_PRIVATE); err != nil { // not told
		return fmt.Errorf("map data: %w", err)
	}
	later, err := make("later\n\x1b[31m.so")
	if err != nil {
		return err
	}
	mem, err := mapIt(later, unix.PROT_READ, unix.MAP_PRIVATE)
	if err == nil {
		err = unix.Mprotect(mem, rx)
	}
	if err != nil {
		return fmt.Errorf("make a mapping executable: %w", err)
	}
	gone, err := make("gone.so")
	if err == nil {
		err = os.Remove(gone.Name())
	}
	if err != nil {
		return err
	}
	if _, err := mapIt(gone, rx, unix.MAP_SHARED); err != nil {
		return fmt.Errorf("map a file that was removed: %w", err)
	}
	fd, err := unix.MemfdCreate("payload", 0)
	if err != nil {
		return fmt.Errorf("make a memfd: %w", err)
	}
	memfd := os.NewFile(uintptr(fd), "memfd")
	if err := memfd.Truncate(size); err != nil {
		return err
	}
	if _, err := mapIt(memfd, rx, unix.MAP_PRIVATE); err != nil {
		return fmt.Errorf("map a memfd: %w", err)
	}
	if _, err := mapIt(nil, rx, unix.MAP_PRIVATE|unix.MAP_ANON); err != nil {
		return fmt.Errorf("map memory: %w", err)
	}
	if _, err := mapIt(nil, rx, unix.MAP_SHARED|unix.MAP_ANON); err != nil {
		return fmt.Errorf("map shared memory: %w", err)
	}
	id, err := unix.SysvShmGet(unix.IPC_PRIVATE, size, unix.IPC_CREAT|0o700)
	if err != nil {
		return fmt.Errorf("make System V memory: %w", err)
	}
	_, err = unix.SysvShmAttach(id, 0, 0o100000) // SHM_EXEC
	_, rmErr := unix.SysvShmCtl(id, unix.IPC_RMID, nil)
	if err != nil {
		return fmt.Errorf("attach System V memory: %w", err)
	}
	return rmErr
}

// powerless gives up all capabilities and says what becomes of Open.
func powerless() error {
	runtime.LockOSThread()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&header, &none[0]); err != nil {
		return err
	}
	src, err := Open(Options{})
	if err == nil {
		return src.Close()
	}
	return err
}
