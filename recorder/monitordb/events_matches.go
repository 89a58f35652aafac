// SPDX-License-Identifier: Apache-2.0

// This file reads the stored matches of an event: the reverse of match.go.

package monitordb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"seismo/internal/event"
)

// StoredMatch is a signal that fired on an event, with the proof that was kept of
// it: at most 64 items.
type StoredMatch struct {
	Signal, Name, Severity, Revision string // of the definition that fired
	Proof                            []event.ProofItem
}

// storedItem is an item of a proof as appendProof writes it.
type storedItem struct {
	Term, Event, Field   string
	Text, Value, Literal jsonText
	Own                  jsonText
	Absent               bool
}

// Matches returns the matches that are stored of an event, in the order in which
// the signals fired. Matches over a limit have no row, so that an event without
// any may have been tagged all the same. An item's time is that of its event's id.
// The error wraps [ErrNotDatabase] if a row is not as seismo writes it.
func (r *Reader) Matches(ctx context.Context, id event.ID) ([]StoredMatch, error) {
	rows, err := r.conn.QueryContext(ctx, `SELECT d.uuid, d.name, d.severity, d.revision, m.proof
		FROM signal_match m JOIN signal_definition d ON d.id = m.definition WHERE m.event = ? ORDER BY m.id`, int64(id))
	if err != nil {
		return nil, fmt.Errorf("matches of %s: %w", r.path, notDatabase(err))
	}
	defer rows.Close()
	var out []StoredMatch
	for rows.Next() {
		values, err := scan(rows, 5)
		if err == nil {
			var m StoredMatch
			if m, err = matchOf(values); err == nil {
				out = append(out, m)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("matches of %s: event %d: %w", r.path, id, err)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("matches of %s: %w", r.path, notDatabase(err))
	}
	return out, nil
}

func matchOf(values []any) (m StoredMatch, err error) {
	for i, to := range []*string{&m.Signal, &m.Name, &m.Severity, &m.Revision} {
		*to, _ = textOf(values[i])
	}
	proof, _ := textOf(values[4])
	var items []storedItem
	if err := json.Unmarshal([]byte(proof), &items); err != nil {
		return m, fmt.Errorf("proof: %w: %w", err, ErrNotDatabase)
	}
	if len(items) > maxProofItems {
		return m, fmt.Errorf("proof of %d items: %w", len(items), ErrNotDatabase)
	}
	for _, it := range items {
		term, err1 := strconv.ParseUint(it.Term, 16, 64)
		id, err2 := strconv.ParseInt(it.Event, 10, 64)
		if err := errors.Join(err1, err2); err != nil {
			return m, fmt.Errorf("proof: %w: %w", err, ErrNotDatabase)
		}
		in, _ := event.Lookup(it.Field)
		m.Proof = append(m.Proof, event.ProofItem{Term: term, Text: string(it.Text), Event: event.ID(id), Time: id * 1000,
			Field: in.Field, Own: string(it.Own), Value: string(it.Value), Absent: it.Absent, Literal: string(it.Literal)})
	}
	return m, nil
}
