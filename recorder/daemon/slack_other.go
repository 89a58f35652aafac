// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package daemon

// setTimerSlack does nothing: only Linux has the setting.
func setTimerSlack() error { return nil }
