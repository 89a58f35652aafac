// SPDX-License-Identifier: Apache-2.0

package monitordb

import (
	"context"
	"testing"

	"seismo/internal/event"
)

// The position is that of the newest batch which has one, and is there after the
// database was closed; a write that fails leaves it as it was.
func TestPosition(t *testing.T) {
	db := newDB(t)
	if p, err := db.Position(); err != nil || p != (event.Position{}) {
		t.Errorf("Position() of a new database = %+v, %v; want none", p, err)
	}
	want := event.Position{Boot: "b-1", Serial: 1 << 31, Open: 3, Time: 77}
	older := event.Position{Boot: "b-1", Serial: 5, Time: 7}
	batches := []*event.Batch{{Position: older}, {Position: want}, {}}
	if err := db.Write(t.Context(), batches); err != nil {
		t.Fatal(err)
	}
	if p, err := db.Position(); err != nil || p != want {
		t.Errorf("Position() = %+v, %v; want %+v", p, err, want)
	}
	bad := event.NewBatch(1)
	bad.Position = older
	bad.Add(event.KindFile, event.OpWrite) // it has no id
	if err := db.Write(t.Context(), []*event.Batch{bad}); err == nil {
		t.Error("an event without an id was written")
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(db.Path(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if err := again.Write(context.Background(), []*event.Batch{{}}); err != nil {
		t.Fatal(err)
	}
	if p, err := again.Position(); err != nil || p != want {
		t.Errorf("Position() after it was opened again = %+v, %v; want %+v", p, err, want)
	}
}
