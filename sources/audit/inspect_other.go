// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package audit

// ReadInForce fails with [ErrUnsupported].
func ReadInForce() (InForce, error) { return InForce{}, unsupported() }

// Missing returns nothing: there are no rules here.
func (f InForce) Missing(Plan) ([]Rule, error) { return nil, unsupported() }

// Surplus returns nothing: there are no rules here.
func (f InForce) Surplus(Plan) ([]ForceRule, error) { return nil, unsupported() }

// Inspect says that this system has no Linux audit.
func Inspect(InspectOptions) Inspection {
	return Inspection{Denied: unsupported(), Findings: []Finding{{What: unsupported().Error(), Next: "record on Linux; here recorded logs can be replayed (seismo replay)"}}}
}
