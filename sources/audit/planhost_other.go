// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package audit

// PlanHost fails with [ErrUnsupported].
func PlanHost(HostOptions) (Plan, []string, error) { return Plan{}, nil, unsupported() }
