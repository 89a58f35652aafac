// SPDX-License-Identifier: Apache-2.0

// These tests have the recorder hash programs, those too that are gone, changed or
// no files a moment later, and measure what that costs.

package audit_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// set changes settings of p.
func (p *product) set(settings map[string]any) {
	p.t.Helper()
	path := filepath.Join(p.home, "recorder.json")
	all := map[string]any{}
	old, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(old, &all)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	for k, v := range settings {
		all[k] = v
	}
	text, _ := json.Marshal(all)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// hashOf is what process.hash says of a program with that content.
func hashOf(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("SHA256=%x", sha256.Sum256(b))
}

func install(t *testing.T, program, path string) {
	t.Helper()
	b, err := os.ReadFile(program)
	if err == nil {
		err = os.WriteFile(path, b, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, path string, args ...string) {
	t.Helper()
	if out, err := exec.Command(path, args...).CombinedOutput(); err != nil && !strings.HasPrefix(err.Error(), "exit status") {
		t.Fatalf("%s: %v %s", path, err, out)
	}
}

// The hash of what ran is there with every process: those of programs that were
// overwritten, deleted, or only ever in memory, and of the interpreters of scripts;
// not of those over the limit. Neither pipe nor sparse file holds anything up.
func TestLiveHashes(t *testing.T) {
	p := newProduct(t, live(t))
	p.set(map[string]any{"hashMaxBytes": 100 << 20, "hashPerSecond": 200})
	sleep, sh := "/bin/sleep", "/bin/sh"
	r := p.record()
	in := func(name string) string { return filepath.Join(p.root, name) }
	has := "SELECT count(*) FROM process_events WHERE process_command_line = '%s' AND hash = '%s'"

	install(t, "/bin/true", in("changed"))
	run(t, in("changed"), "first")
	p.waitFor(fmt.Sprintf(has, in("changed")+" first", hashOf(t, "/bin/true")))
	install(t, "/bin/false", in("changed")) // the same file, and inode
	run(t, in("changed"), "second")
	p.waitFor(fmt.Sprintf(has, in("changed")+" second", hashOf(t, "/bin/false")))

	install(t, sleep, in("deleted"))
	gone := exec.Command(in("deleted"), "0.7")
	if err := gone.Start(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(in("deleted")); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.MemfdCreate("nowhere", 0)
	if err != nil {
		t.Fatal(err)
	}
	memfd := os.NewFile(uintptr(fd), "memfd")
	defer memfd.Close()
	program, err := os.ReadFile(sleep)
	if err == nil {
		_, err = memfd.Write(program)
	}
	if err != nil {
		t.Fatal(err)
	}
	run(t, "/proc/self/fd/"+strconv.Itoa(fd), "0.6")
	gone.Wait()

	install(t, sleep, in("large"))
	if err := os.Truncate(in("large"), 300<<20); err != nil {
		t.Fatal(err)
	}
	run(t, in("large"), "0.3")
	install(t, "/bin/true", in("pipe"))
	run(t, in("pipe"))
	if err := os.Remove(in("pipe")); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(in("pipe"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(in("script"), []byte("#!"+sh+"\nsleep 0.2\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	run(t, in("script"))
	run(t, "/bin/true", "first")
	p.waitFor(fmt.Sprintf("SELECT count(*) FROM process_events WHERE process_command_line = '/bin/true first' AND hash = '%s'", hashOf(t, "/bin/true")))
	for range 100 {
		run(t, "/bin/true", "again")
	}
	interpreter, err := filepath.EvalSymlinks(sh)
	if err != nil {
		t.Fatal(err)
	}
	p.waitFor(fmt.Sprintf("SELECT count(*) = 100 FROM process_events WHERE process_command_line = '/bin/true again' AND hash = '%s'", hashOf(t, "/bin/true")))
	for what, sql := range map[string]string{
		"deleted at once":         fmt.Sprintf(has, in("deleted")+" 0.7", hashOf(t, sleep)),
		"in memory only":          fmt.Sprintf("SELECT count(*) FROM process_events WHERE process_path LIKE '/memfd:nowhere%%' AND hash = '%s'", hashOf(t, sleep)),
		"a script's interpreter":  fmt.Sprintf("SELECT count(*) FROM process_events WHERE process_command_line LIKE '%%%s' AND process_path = '%s' AND hash = '%s'", in("script"), interpreter, hashOf(t, sh)),
		"over the limit, without": fmt.Sprintf("SELECT count(*) FROM process_events WHERE process_path = '%s' AND hash IS NULL", in("large")),
		"known, not told late":    "SELECT count(*) < 100 FROM proc_attr a JOIN processes p ON p.process_table_id = a.proc WHERE process_command_line = '/bin/true again'",
	} {
		if n := p.count("%s", sql); n < 1 {
			t.Errorf("%s: not so in monitor.db: %s\n%v", what, sql, p.query("SELECT process_path, process_command_line, hash FROM process_events WHERE process_path LIKE '"+p.root+"%' OR process_path LIKE '/memfd%'"))
		}
	}
	if code := r.stop(os.Interrupt); code != 0 {
		t.Errorf("exit code %d\n%s", code, &r.log)
	}
	if !strings.Contains(r.log.String(), `"hangs":0`) {
		t.Errorf("a helper hung:\n%s", &r.log)
	}

	// After a restart what was read is not read again.
	before := fmt.Sprintf("SELECT count(*) > 0 FROM process_events WHERE process_command_line = '/bin/true restarted' AND hash = '%s'", hashOf(t, "/bin/true"))
	r = p.record()
	run(t, "/bin/true", "restarted")
	p.waitFor(before)
	r.stop(os.Interrupt)
	if info, err := os.Stat(filepath.Join(p.home, "image_state.bin")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("image_state.bin: %v %v", info, err)
	}

	// A damaged state is set aside, said, and a loss.
	if err := os.WriteFile(filepath.Join(p.home, "image_state.bin"), []byte("seismoIH nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	r = p.record()
	p.waitFor("SELECT count(*) FROM losses WHERE reason = 'state_unusable' AND detail LIKE '%image state%'")
	r.stop(os.Interrupt)
	if _, err := os.Stat(filepath.Join(p.home, "image_state.bin.damaged")); err != nil {
		t.Error(err)
	}
}

// A helper that is killed or stopped takes nothing with it: the recording goes on, and
// ends as ever.
func TestLiveHashHelperHostile(t *testing.T) {
	p := newProduct(t, live(t))
	r := p.record()
	helper := p.helper(r)
	if err := unix.Kill(helper, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Kill(helper, unix.SIGKILL) })
	tool := filepath.Join(p.root, "tool")
	install(t, "/bin/true", tool)
	run(t, tool, "while it is stopped")
	p.waitFor("SELECT count(*) FROM process_events WHERE process_command_line LIKE '%while it is stopped'")
	p.waitFor("SELECT count(*) FROM losses WHERE reason = 'not_recording' AND detail LIKE 'the helper that hashes programs%'")
	run(t, tool, "after it was ended")
	p.waitFor("SELECT count(*) FROM process_events WHERE process_command_line LIKE '%after it was ended'")
	if code := r.stop(os.Interrupt); code != 0 {
		t.Errorf("exit code %d\n%s", code, &r.log)
	}
	if !strings.Contains(r.log.String(), `"hangs":1`) {
		t.Errorf("the helper that was stopped did not count as one that hangs:\n%s", &r.log)
	}
	for end := time.Now().Add(5 * time.Second); alive(helper); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the helper is still there after the recorder has ended")
		}
	}
}

func alive(pid int) bool { return unix.Kill(pid, 0) == nil }

// helper returns the pid of r's helper.
func (p *product) helper(r *recorder) int {
	p.t.Helper()
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", r.cmd.Process.Pid))
	for _, path := range tasks {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		for _, f := range strings.Fields(string(b)) {
			pid, _ := strconv.Atoi(f)
			line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			if strings.Contains(string(line), "hash-helper") {
				return pid
			}
		}
	}
	p.t.Fatalf("the recorder has no helper: %v", tasks)
	return 0
}

// What hashing costs beside recording, and that it loses nothing: the figures are
// reported, not required.
func TestLiveHashCost(t *testing.T) {
	const total, rate = 8000, 2000
	o := live(t)
	p := newProduct(t, o)
	program := noop(t)
	for round := range 2 {
		for _, hashes := range [][]string{{}, {"sha256"}} {
			p.set(map[string]any{"hashes": hashes})
			r := p.record()
			time.Sleep(2 * time.Second) // the programs that run already are hashed
			pids := []int{r.cmd.Process.Pid}
			if len(hashes) > 0 {
				pids = append(pids, p.helper(r))
			}
			known := p.count("SELECT count(*) FROM process_events WHERE process_path = '%s'", program)
			var before, after []time.Duration
			for _, pid := range pids {
				before = append(before, cpuOf(t, pid))
			}
			cmd := child(t, "storm", program, strconv.Itoa(total), strconv.Itoa(rate))
			out := output(t, cmd)
			out.Scan()
			cmd.Wait()
			p.waitFor(fmt.Sprintf("SELECT count(*) >= %d FROM process_events WHERE process_path = '%s'", known+total, program))
			for _, pid := range pids {
				after = append(after, cpuOf(t, pid))
			}
			text := ""
			for i, pid := range pids {
				text += fmt.Sprintf(" process %d: %.1f ms CPU per 1,000 execs, %s;", i, float64(after[i]-before[i])/1e6/total*1000, memoryOf(pid))
			}
			t.Logf("round %d, hashes %v, storm %s:%s", round, hashes, out.Text(), text)
			r.stop(os.Interrupt)
			n := p.count("SELECT count(*) FROM (SELECT hash FROM process_events WHERE process_path = '%s' ORDER BY id DESC LIMIT %d) WHERE hash = '%s'", program, total, hashOf(t, program))
			if want := total * len(hashes); n != want {
				t.Errorf("%d of %d processes have their hash; want %d", n, total, want)
			}
		}
	}
}

// cpuOf returns the processor time of a process.
func cpuOf(t *testing.T, pid int) time.Duration {
	t.Helper()
	all, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	sum := time.Duration(0)
	for _, path := range all { // of each thread, in nanoseconds
		if b, err := os.ReadFile(path); err == nil {
			var n int64
			fmt.Sscan(string(b), &n)
			sum += time.Duration(n)
		}
	}
	return sum
}

func memoryOf(pid int) string {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	var found []string
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "VmHWM") || strings.HasPrefix(line, "VmRSS") || strings.HasPrefix(line, "RssAnon") {
			found = append(found, strings.Join(strings.Fields(line), " "))
		}
	}
	return strings.Join(found, " ")
}
