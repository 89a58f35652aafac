// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seismo/internal/config"
)

func TestPathsAt(t *testing.T) {
	home := filepath.Join("some", "home")
	in := func(name string) string { return filepath.Join(home, name) }
	want := config.Paths{Settings: in("recorder.json"), Signals: in("signals.bin"), Database: in("monitor.db"),
		Undo: in("audit_undo.json"), Lock: in("seismo.lock"), Overrides: in("overrides.yml"), Lists: in("lists"), State: in("process_state.bin"), Images: in("image_state.bin")}
	if diff := cmp.Diff(want, config.PathsAt(home)); diff != "" {
		t.Errorf("PathsAt(%q) (-want +got):\n%s", home, diff)
	}
	if diff := cmp.Diff([]string{home}, config.PathsAt(home).Folders()); diff != "" {
		t.Errorf("Folders of one home (-want +got):\n%s", diff)
	}
	if runtime.GOOS != "linux" {
		return
	}
	want = config.Paths{Settings: "/etc/seismo/recorder.json", Signals: "/var/lib/seismo/signals.bin",
		Database: "/var/lib/seismo/monitor.db", Undo: "/var/lib/seismo/audit_undo.json", Lock: "/run/seismo/seismo.lock",
		Overrides: "/etc/seismo/overrides.yml", Lists: "/etc/seismo/lists", State: "/var/lib/seismo/process_state.bin",
		Images: "/var/lib/seismo/image_state.bin"}
	if diff := cmp.Diff(want, config.PathsAt("")); diff != "" {
		t.Errorf("PathsAt of no home (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"/var/lib/seismo", "/run/seismo"}, config.PathsAt("").Folders()); diff != "" {
		t.Errorf("Folders of no home (-want +got):\n%s", diff)
	}
}
