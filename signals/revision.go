// SPDX-License-Identifier: Apache-2.0

package signals

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// revision returns the first 16 hex digits of the SHA-256 of d's canonical form.
//
// The canonical form is the fields of d in the order of [Definition], from ID to
// Suppress, but the language only if it is not the text language and Suppress only if
// there are any: each text as its length in bytes (64 bits, big endian) and its bytes,
// the severity as the text of its name, each list as the number of its texts (64
// bits, big endian) and the texts. Of Sigma the placeholders with their values follow,
// if there are any. Where filters are joined to a rule, filtered makes a revision of
// this one and theirs.
func revision(d *Definition) string { return revisionWith(d, "") }

// revisionWith is revision for a definition in which placeholders stand for expanded.
func revisionWith(d *Definition, expanded string) string {
	h := canonical{}
	h.text(d.ID)
	h.text(d.Name)
	h.text(d.Description)
	h.text(d.Severity.String())
	h.text(d.Status)
	h.list(d.Techniques)
	h.list(d.Platforms)
	h.text(d.Author)
	h.list(d.References)
	h.list(d.FalsePositives)
	h.text(d.Response)
	h.list(d.Labels)
	if d.Language != LanguageSignal && d.Language != "" {
		h.text(d.Language)
	}
	h.text(d.Text)
	if len(d.Suppress) > 0 {
		h.list(d.Suppress)
	}
	if expanded != "" {
		h.text(expanded)
	}
	sum := sha256.Sum256(h)
	return hex.EncodeToString(sum[:8])
}

// canonical builds a form in which different contents are different bytes.
type canonical []byte

func (c *canonical) number(n int) { *c = binary.BigEndian.AppendUint64(*c, uint64(n)) }

func (c *canonical) text(s string) {
	c.number(len(s))
	*c = append(*c, s...)
}

func (c *canonical) list(all []string) {
	c.number(len(all))
	for _, s := range all {
		c.text(s)
	}
}
