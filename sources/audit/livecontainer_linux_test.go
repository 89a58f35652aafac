// SPDX-License-Identifier: Apache-2.0

package audit_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The first process of a container gets its id late; what it starts then has it from
// its beginning; nothing else has it.
func TestLiveContainer(t *testing.T) {
	o := live(t)
	id := fmt.Sprintf("%064x", os.Getpid())
	group := ""
	for _, root := range []string{"/sys/fs/cgroup/systemd", "/sys/fs/cgroup/pids", "/sys/fs/cgroup"} {
		if _, err := os.Stat(filepath.Join(root, "cgroup.procs")); err != nil {
			continue
		}
		if dir := filepath.Join(root, "docker-"+id+".scope"); os.Mkdir(dir, 0o755) == nil {
			group = dir
			break
		}
	}
	if group == "" {
		t.Skip("NOT RUN, no control group can be made here")
	}
	t.Cleanup(func() {
		for end := time.Now().Add(5 * time.Second); os.Remove(group) != nil && time.Now().Before(end); { // its last process is ending
			time.Sleep(10 * time.Millisecond)
		}
	})
	p := newProduct(t, o)
	r := p.record()
	runtime := exec.Command("/bin/sh", "-c", fmt.Sprintf("echo $$ > %s/cgroup.procs; exec /bin/sh -c 'read x; /bin/true inside; /bin/sh -c \"/bin/true deeper; :\"'", group))
	in, err := runtime.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := runtime.Start(); err != nil {
		t.Fatal(err)
	}
	p.waitFor(fmt.Sprintf("SELECT count(*) FROM process_events WHERE process_command_line LIKE '/bin/sh -c read x%%' AND container_id = '%s'", id))
	in.Write([]byte("\n"))
	in.Close()
	if err := runtime.Wait(); err != nil {
		t.Fatal(err)
	}
	run(t, "/bin/true", "outside")
	p.waitFor("SELECT count(*) FROM process_events WHERE process_command_line = '/bin/true outside'")
	if code := r.stop(os.Interrupt); code != 0 {
		t.Errorf("exit code %d\n%s", code, &r.log)
	}
	for _, tt := range []struct{ line, want string }{{"/bin/true inside", id}, {"/bin/true deeper", id}, {"/bin/true outside", ""}} {
		rows := p.query("SELECT container_id AS c, (SELECT count(*) FROM proc_attr a WHERE a.proc = process_table_id AND a.container IS NOT NULL) AS late FROM process_events WHERE process_command_line = '" + tt.line + "'")
		if len(rows) != 1 || strings.TrimSpace(fmt.Sprint(rows[0]["c"])) != strings.TrimSpace(fmt.Sprint(orNil(tt.want))) || fmt.Sprint(rows[0]["late"]) != "0" {
			t.Errorf("%s: %v; want the container %q, not late", tt.line, rows, tt.want)
		}
	}
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}
