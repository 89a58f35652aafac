// SPDX-License-Identifier: Apache-2.0

package audit_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	sys "syscall"
	"testing"
	"time"

	libaudit "github.com/elastic/go-libaudit/v2"
	"golang.org/x/sys/unix"
	"seismo/internal/event"
)

func init() { childActions["make"], childActions["equiv"] = childMake, childEquiv }

// childMake makes the files that it is given.
func childMake(names []string) error {
	for _, name := range names {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// mountTest mounts below the watched folder of a recording.
type mountTest struct {
	*recording
	root string
	made int
}

// mount mounts what at point, and takes it away at the end of the test.
func (m *mountTest) mount(what, point, kind string, flags uintptr, data string) {
	m.t.Helper()
	err := errors.Join(os.MkdirAll(point, 0o755), unix.Mount(what, point, kind, flags, data))
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENODEV) {
		m.t.Skipf("NOT RUN from here on, %s can not be mounted: %v", kind, err)
	}
	if err != nil {
		m.t.Fatalf("mount %s at %s: %v", kind, point, err)
	}
	m.t.Cleanup(func() {
		if err := unix.Unmount(point, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
			m.t.Errorf("unmount %s: %v", point, err)
		}
	})
}

// told waits for the loss that names point.
func (m *mountTest) told(point string) {
	m.t.Helper()
	named := func(l event.Loss) bool {
		return l.Reason == event.LossNotSeen && l.Kind == event.KindFile && l.Count == 0 && l.From < l.To &&
			strings.Contains(l.Detail, fmt.Sprintf("%q", point))
	}
	m.until("the loss at "+point, func() bool { return slices.ContainsFunc(m.losses, named) })
	l := m.losses[slices.IndexFunc(m.losses, named)]
	m.t.Logf("%s: not seen for %v", filepath.Base(point), time.Duration(l.To-l.From))
	m.losses = nil
}

// seen has another process make a file in dir, and waits for the event.
func (m *mountTest) seen(dir string) {
	m.t.Helper()
	m.made++
	name := filepath.Join(dir, fmt.Sprintf("file%d", m.made))
	m.makes(name)
	m.until("the event of "+name, func() bool { return m.event(name) })
}

func (m *mountTest) event(name string) bool {
	return slices.ContainsFunc(m.events, func(e *event.Event) bool {
		return e.Kind == event.KindFile && e.Op == event.OpCreate && text(e, event.FilePath) == name
	})
}

func (m *mountTest) makes(name string) {
	m.t.Helper()
	if err := m.run(name); err != nil {
		m.t.Fatal(err)
	}
}

func (m *mountTest) run(name string) error {
	var exit interface{ ExitCode() int }
	if err := child(m.t, "make", name).Run(); errors.As(err, &exit) && exit.ExitCode() != 7 {
		return fmt.Errorf("make %s: %w", name, err)
	}
	return nil
}

// What is unmounted at once is not told as a mount that is not watched: the kernel refuses
// to mark what is gone.
func TestLiveMountsThatGo(t *testing.T) {
	o := live(t)
	m := &mountTest{recording: record(t, o), root: o.Roots[0]}
	point := filepath.Join(m.root, "a")
	if err := os.Mkdir(point, 0o755); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); {
		err := unix.Mount("none", point, "tmpfs", 0, "size=64k")
		if err == nil {
			err = unix.Unmount(point, 0)
		}
		if errors.Is(err, unix.EBUSY) { // it is being looked at
			err = unix.Unmount(point, unix.MNT_DETACH)
		}
		if err != nil {
			t.Skip("NOT RUN, tmpfs can not be mounted: ", err)
		}
	}
	m.mount("none", point, "tmpfs", 0, "size=64k")
	m.until("what was mounted last", func() bool {
		return slices.ContainsFunc(m.losses, func(l event.Loss) bool { return strings.Contains(l.Detail, fmt.Sprintf("%q", point)) })
	})
	m.seen(m.root)
	for _, l := range m.losses {
		if strings.Contains(l.Detail, "from then on") {
			t.Errorf("told as not watched: %s", l.Detail)
		}
	}
}

// What is mounted below a watched folder while recording is watched, and what was done
// there before is told as not seen.
func TestLiveMountsBelowWatched(t *testing.T) {
	o := live(t)
	root := o.Roots[0]
	outside := t.TempDir()
	at := func(name string) string { return filepath.Join(root, name) }
	m := &mountTest{recording: record(t, o), root: root}
	m.seen(root)

	m.mount("none", at("a"), "tmpfs", 0, "size=64k")
	m.told(at("a"))
	m.seen(at("a"))

	m.mount("none", at("a/nested"), "tmpfs", 0, "size=64k")
	m.told(at("a/nested"))
	m.seen(at("a/nested"))
	m.seen(at("a"))

	// Unmounted, and mounted again at the same place.
	for range 2 {
		if err := unix.Unmount(at("a/nested"), 0); err != nil {
			t.Fatal(err)
		}
		m.mount("none", at("a/nested"), "tmpfs", 0, "size=64k")
		m.told(at("a/nested"))
		m.seen(at("a/nested"))
	}

	m.mount(outside, at("bound"), "", unix.MS_BIND, "")
	m.told(at("bound"))
	m.seen(at("bound"))

	m.mount(outside, at("read only"), "", unix.MS_BIND, "")
	m.mount("", at("read only"), "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")
	m.told(at("read only"))
	m.seen(at("bound"))

	// Over the watched folder itself, and away again.
	m.mount("none", root, "tmpfs", 0, "size=64k")
	m.told(root)
	m.seen(root)
	if err := unix.Unmount(root, 0); err != nil {
		t.Fatal(err)
	}
	m.seen(root)
	m.seen(at("a/nested"))

	lower, upper, work := at("lower"), at("a/upper"), at("a/work")
	for _, dir := range []string{lower, upper, work} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	m.mount("none", at("merged"), "overlay", 0, "lowerdir="+lower+",upperdir="+upper+",workdir="+work)
	m.told(at("merged"))
	m.seen(at("merged"))
	for _, l := range m.losses {
		t.Errorf("a loss that nothing explains: %+v", l)
	}
	m.end()
}

// That the recorder marks a mount is no event; that somebody else does is one. What
// holds no files is not marked.
func TestLiveMountMarksOfOthers(t *testing.T) {
	o := live(t)
	o.Decode.Demand.Own = []string{"op"}
	root := o.Roots[0]
	m := &mountTest{recording: record(t, o), root: root}
	point := filepath.Join(root, "a")
	m.mount("devtmpfs", filepath.Join(root, "dev"), "devtmpfs", 0, "")
	m.mount("none", point, "tmpfs", 0, "size=64k")
	m.told(point)
	marked := time.Now()
	m.makes("/dev/null")
	m.seen(root)
	for _, e := range m.events {
		if name := text(e, event.FilePath); strings.HasPrefix(name, "/dev/") {
			t.Errorf("the mark of a folder is on all of /dev: %s was seen", name)
		}
	}
	cmd := child(t, "equiv", point)
	cmd.Run()
	if code := cmd.ProcessState.ExitCode(); code != 7 {
		t.Fatalf("child: exit %d", code)
	}
	var by []int32
	m.until("the mark of another", func() bool {
		by = nil
		for _, e := range m.events {
			for own := range e.Own() {
				if string(own.Value) == "make_equiv" {
					by = append(by, e.PID)
				}
			}
		}
		return len(by) > 0 && time.Since(marked) > 3*time.Second // a record that comes alone is waited for
	})
	if len(by) != 1 || int(by[0]) != cmd.Process.Pid {
		t.Errorf("marks by %d, want one by %d", by, cmd.Process.Pid)
	}
}

// childEquiv has the kernel mark what is mounted at args[0], as auditctl -q does.
func childEquiv(args []string) error {
	client, err := libaudit.NewAuditClient(nil)
	if err != nil {
		return err
	}
	defer client.Close()
	data := binary.NativeEndian.AppendUint32(nil, uint32(len(args[0])))
	data = append(binary.NativeEndian.AppendUint32(data, uint32(len(args[0]))), args[0]+args[0]...)
	_, err = client.Netlink.Send(sys.NetlinkMessage{Header: sys.NlMsghdr{Type: unix.AUDIT_MAKE_EQUIV, Flags: sys.NLM_F_REQUEST | sys.NLM_F_ACK}, Data: data})
	return err
}

// A thousand mounts at once are marked in few looks.
func TestLiveMountStorm(t *testing.T) {
	o := live(t)
	root := o.Roots[0]
	m := &mountTest{recording: record(t, o), root: root}
	m.mount("none", root, "tmpfs", 0, "size=1m")
	m.told(root)
	const many = 1000
	done := make(chan error, 1)
	go func() {
		for i := range many {
			point := filepath.Join(root, fmt.Sprintf("m%d", i))
			if err := errors.Join(os.Mkdir(point, 0o755), unix.Mount(root, point, "", unix.MS_BIND, "")); err != nil {
				done <- err
				return
			}
		}
		point := filepath.Join(root, "last")
		done <- errors.Join(os.Mkdir(point, 0o755), unix.Mount("none", point, "tmpfs", 0, "size=64k"))
	}()
	last := filepath.Join(root, "last")
	m.until("the mounts", func() bool {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			return true
		default:
			return false
		}
	})
	named := func(l event.Loss) bool { return strings.Contains(l.Detail, strconv.Quote(root)) }
	m.until("the last look", func() bool { return m.kernel.MarkedMounts() >= many+2 })
	m.losses = slices.DeleteFunc(m.losses, named)
	m.seen(last)
	m.seen(filepath.Join(root, "m999"))
	if n := len(m.losses); n == 0 || n > 30 {
		t.Errorf("%d losses, want one a look: %+v", n, m.losses)
	}
	t.Log(len(m.losses), "losses")
}

// What is mounted in a mount namespace of a process's own is not seen by us.
func TestLiveMountElsewhere(t *testing.T) {
	o := live(t)
	m := &mountTest{recording: record(t, o), root: o.Roots[0]}
	name := filepath.Join(m.root, "elsewhere")
	if err := os.Mkdir(name, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("unshare", "-m", "sh", "-c", `mount -t tmpfs none "$0" && : >"$0/x" && echo done`, name)
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "done\n" {
		t.Skip("no mount namespace can be made here:", err, string(out))
	}
	m.seen(m.root)
	m.seen(name)
	if m.event(filepath.Join(name, "x")) {
		t.Error("a file of a mount that is in another namespace only was seen")
	}
}
