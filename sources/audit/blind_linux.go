// SPDX-License-Identifier: Apache-2.0

// This file lets a recorder work that has no say in the audit system: one that is fed by
// auditd and leaves the rules alone only reads a stream.

package audit

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// blindText says what is not known without a control socket.
const blindText = "the audit system does not answer without CAP_AUDIT_CONTROL: how many records the kernel lost, and which rules are in force, is not known"

// onlyReads reports whether a recording with the options o asks nothing of the kernel.
func onlyReads(o *KernelOptions) bool { return o.Feed != nil && o.LeaveRules }

// controlFor opens the control socket. Where the kernel does not answer, and o needs no
// answer, it is a blind one.
func controlFor(o *KernelOptions) (*kernelControl, error) {
	c, err := openControl()
	if err == nil && onlyReads(o) {
		if _, err = c.Status(); err != nil {
			err = errors.Join(err, c.Close())
		}
	}
	if err != nil && onlyReads(o) && (errors.Is(err, ErrPrivilege) || errors.Is(err, ErrUnsupported)) {
		return &kernelControl{}, nil
	}
	return c, err
}

// blind reports whether the kernel is not asked. The status is then one that nobody
// has a reason to do something about, there are no rules, and every change fails.
func (k *kernelControl) blind() bool { return k.client == nil }

func blindStatus() auditStatus {
	return auditStatus{settings: map[string]uint32{settingEnabled: 1}}
}

func errBlind() error {
	return fmt.Errorf("change the audit system: CAP_AUDIT_CONTROL is missing: %w", ErrPrivilege)
}

// blindWarnings are those of lostPrivileges that matter where the kernel is not asked.
func blindWarnings() []string {
	return append([]string{blindText}, slices.DeleteFunc(lostPrivileges(), func(s string) bool { return strings.HasPrefix(s, "CAP_AUDIT_") })...)
}
