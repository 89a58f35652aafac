// SPDX-License-Identifier: Apache-2.0

package monitordb

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"seismo/internal/event"
)

// childRole and childPath are how the tests below tell a second run of the test
// binary what to do.
const (
	childRole = "SEISMO_TEST_ROLE"
	childPath = "SEISMO_TEST_DB"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(childRole); role != "" {
		if err := child(role, os.Getenv(childPath)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// child writes batches of 100 file events named NUMBER/N and prints the number of
// each batch once it is acknowledged. As role "foreign" it waits after the first
// 20 batches, having opened and closed the file as some library might.
func child(role, path string) error {
	if role == "read" {
		return printCount(path)
	}
	db, err := Open(path, Options{})
	if err != nil {
		return err
	}
	ctx := context.Background()
	if err := db.NoteHost(ctx, Host{Time: time.Now().UnixNano(), Name: "child"}); err != nil {
		return err
	}
	n, err := db.conn.number("SELECT stored FROM tally WHERE kind = ?", int64(event.KindFile))
	if err != nil {
		return err
	}
	ids, in := db.IDs(), bufio.NewReader(os.Stdin)
	for i := int(n) / 100; ; i++ {
		b := event.NewBatch(100)
		p := process(i, "/bin/child", "child", strconv.Itoa(i))
		for k := range 100 {
			e := b.Add(event.KindFile, event.OpWrite)
			e.Time, e.Process = time.Now().UnixNano(), p
			e.SetString(event.FilePath, fmt.Sprintf("/tmp/%d/%d", i, k))
		}
		ids.Assign(b)
		if err := db.Write(ctx, []*event.Batch{b}); err != nil {
			return err
		}
		fmt.Println(i)
		if role == "foreign" && i%20 == 19 {
			f, err := os.Open(path)
			if err != nil {
				return err
			}
			if _, err := io.Copy(io.Discard, f); err != nil {
				return err
			}
			f.Close()
			fmt.Println("closed")
			if _, err := in.ReadString('\n'); err != nil {
				return err
			}
		}
	}
}

// printCount is the role "read".
func printCount(path string) error {
	r, err := OpenReader(path)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = r.Query(context.Background(), "SELECT count(*) FROM file_events", QueryOptions{}, func([]string) error { return nil },
		func(v []any) error { fmt.Println(v[0]); return nil })
	return err
}

// recorderProcess is a child that writes.
type recorderProcess struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines *bufio.Scanner
}

func startRecorder(t *testing.T, role, path string) *recorderProcess {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childRole+"="+role, childPath+"="+path)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return &recorderProcess{cmd, in, bufio.NewScanner(out)}
}

// kill ends the child at once and returns the last batch that it acknowledged,
// which was before if it acknowledged none more.
func (p *recorderProcess) kill(t *testing.T, before int) int {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	last := before
	for p.lines.Scan() {
		if n, err := strconv.Atoi(p.lines.Text()); err == nil {
			last = n
		}
	}
	p.cmd.Wait()
	return last
}

// wantBatches checks that all batches up to number last are there, whole, and at
// most one that was not acknowledged any more.
func wantBatches(t *testing.T, path string, last int) {
	t.Helper()
	var batches, events int
	row := ask(t, path, "SELECT count(*), count(DISTINCT file_dir) FROM file_events WHERE process_path = '/bin/child'")
	if _, err := fmt.Sscanf(row[0], "%d|%d", &events, &batches); err != nil {
		t.Fatal(err)
	}
	if batches < last+1 || batches > last+2 || events != 100*batches {
		t.Errorf("%d events in %d batches; %d batches were acknowledged", events, batches, last+1)
	}
}

// SIGKILL at any moment takes nothing that was acknowledged; the database is
// whole, can be read as it was left, and the next start sees when it ended.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	path := filepath.Join(t.TempDir(), "monitor.db")
	last := -1
	for round := range 5 {
		began := time.Now().UnixNano()
		p := startRecorder(t, "write", path)
		for p.lines.Scan() {
			n, err := strconv.Atoi(p.lines.Text())
			if err != nil {
				t.Fatal(err)
			}
			if last = n; n%50 >= 10+7*round {
				break
			}
		}
		time.Sleep(time.Duration(round) * 3 * time.Millisecond)
		last = p.kill(t, last)
		if last < 10 {
			t.Fatalf("round %d: only %d batches were acknowledged", round, last+1)
		}
		if _, wal := sizes(path); wal == 0 {
			t.Errorf("round %d: no write-ahead log is left", round)
		}
		wantBatches(t, path, last) // with the hot log
		wantRows(t, path, "PRAGMA integrity_check", "ok")
		db := openDB(t, path, Options{Now: time.Now})
		if db.SetAside() != "" {
			t.Fatalf("round %d: set aside as %s", round, db.SetAside())
		}
		if seen := db.LastSeen(); seen.Clean || seen.Time < began || seen.Time > time.Now().UnixNano() {
			t.Errorf("round %d: LastSeen() = %+v, want a time since %d that is not clean", round, seen, began)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		wantBatches(t, path, last)
	}
}

// The recorder's process opens and closes the database file, a shell visits, and
// SIGKILL comes: without open file description locks the shell would take itself
// for the last user and delete the log, and with it what is acknowledged later.
func TestForeignClose(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	path := filepath.Join(t.TempDir(), "monitor.db")
	p := startRecorder(t, "foreign", path)
	until := func(want string) {
		t.Helper()
		for p.lines.Scan() {
			if p.lines.Text() == want {
				return
			}
		}
		t.Fatalf("the child ended before it printed %q", want)
	}
	until("closed")
	if got := shell(t, path, "SELECT count(*) FROM file_events"); got != "2000" {
		t.Errorf("the shell counts %s events, want 2000", got)
	}
	if _, wal := sizes(path); wal == 0 {
		t.Error("the shell's visit took the write-ahead log away")
	}
	if _, err := io.WriteString(p.in, "go on\n"); err != nil {
		t.Fatal(err)
	}
	until("39")
	last := p.kill(t, 39)
	wantBatches(t, path, last)
	if got := shell(t, path, "PRAGMA integrity_check"); !strings.HasPrefix(got, "ok") {
		t.Errorf("integrity_check: %s", got)
	}
}
