// SPDX-License-Identifier: Apache-2.0

package audit

import "testing"

func TestTypeNames(t *testing.T) {
	tests := []struct {
		name string
		n    uint16
	}{
		{"LOGIN", 1006}, {"USER_CMD", 1123}, {"DAEMON_ERR", 1209}, {"SYSCALL", 1300}, {"EOE", 1320},
		{"DM_EVENT", 1339}, {"AVC", 1400}, {"LANDLOCK_DOMAIN", 1424}, {"APPARMOR", 1500}, {"ANOM_ABEND", 1701},
		{"INTEGRITY_RULE", 1805}, {"KERNEL", 2000}, {"USER_ROLE_CHANGE", 2300}, {"VIRT_MIGRATE_OUT", 2507},
		{"UNKNOWN[1420]", 1420}, {"UNKNOWN[0]", 0}, {"UNKNOWN[65535]", 65535},
	}
	for _, tt := range tests {
		if got := TypeName(tt.n); got != tt.name {
			t.Errorf("TypeName(%d) = %q, want %q", tt.n, got, tt.name)
		}
		if got, ok := TypeNumber([]byte(tt.name)); got != tt.n || !ok {
			t.Errorf("TypeNumber(%q) = %d, %v; want %d", tt.name, got, ok, tt.n)
		}
	}
	for _, s := range []string{"", "SYSCALLS", "syscall", "UNKNOWN[", "UNKNOWN[]", "UNKNOWN[x]", "65536", "-1", "13 00"} {
		if n, ok := TypeNumber([]byte(s)); ok {
			t.Errorf("TypeNumber(%q) = %d, want none", s, n)
		}
	}
	if n, ok := TypeNumber([]byte("1300")); n != TypeSyscall || !ok {
		t.Errorf("TypeNumber(1300) = %d, %v", n, ok)
	}
}

// No two types have one name, and every name leads back to its number.
func TestTypeNamesAreOneToOne(t *testing.T) {
	for n := range uint16(3000) {
		if got, ok := TypeNumber([]byte(TypeName(n))); got != n || !ok {
			t.Errorf("type %d is named %q, which is type %d, %v", n, TypeName(n), got, ok)
		}
	}
}
