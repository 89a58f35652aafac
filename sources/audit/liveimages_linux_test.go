// SPDX-License-Identifier: Apache-2.0

// This test records image loads (monitorImageLoad) with the whole product. The source
// alone is tried in sources/imageload.

package audit_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Of each program all loads are in monitor.db, under the image that did them, also
// where a pid ran two programs within a tick of the clock that audit stamps with.
func TestLiveImages(t *testing.T) {
	p := newProduct(t, live(t))
	settings, err := json.Marshal(map[string]any{"fileRoots": []string{p.root}, "watchSignalPaths": false, "monitorImageLoad": true})
	if err != nil {
		t.Fatal(err)
	}
	p.write("recorder.json", string(settings))
	r := p.record()
	const starts = 200
	var pids []int
	for range starts {
		cmd := exec.Command("/usr/bin/env", "/usr/bin/true")
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		pids = append(pids, cmd.Process.Pid)
	}
	if code := r.stop(os.Interrupt); code != 0 {
		t.Fatalf("exit code %d\n%s", code, &r.log)
	}
	loads := map[int]string{}
	for _, row := range p.query("SELECT pid, process_path, path FROM image_events ORDER BY id") {
		pid, err := strconv.Atoi(fmt.Sprint(row["pid"]))
		if err != nil {
			t.Fatalf("row %v: %v", row, err)
		}
		loads[pid] += fmt.Sprintf("%s by %s\n", filepath.Base(fmt.Sprint(row["path"])), row["process_path"])
	}
	first := loads[pids[0]]
	if n := strings.Count(first, " by /usr/bin/env\n"); n != 3 || strings.Count(first, "\n") != 6 || !strings.HasPrefix(first, "env by /usr/bin/env\n") {
		t.Errorf("the first pid loaded\n%swant env, its loader and libc, then true and the same", first)
	}
	for i, pid := range pids {
		if loads[pid] != first {
			t.Errorf("start %d, pid %d, loaded\n%swant\n%s", i, pid, loads[pid], first)
			break
		}
	}
	if n := p.count("SELECT count(*) FROM losses WHERE reason <> 'not_recording'"); n != 0 {
		t.Errorf("%d losses: %v", n, p.query("SELECT * FROM losses"))
	}
}
