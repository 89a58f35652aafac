// SPDX-License-Identifier: Apache-2.0

// This file says of an alone signal whether it is asked about an event at all: by the
// logs that the event belongs to.

package engine

import (
	"strings"

	"seismo/internal/event"
	"seismo/internal/taxonomy"
)

// offLogs reports whether a signal is for logs that no view of the event at hand
// belongs to.
func (x *Explainer) offLogs(signal uint32) bool {
	s := &x.m.p.signals[signal]
	if !s.alone {
		return false
	}
	l, e := &x.m.p.logsources[s.group], x.m.judge.event
	if e.Logsource != nil {
		return !e.Logsource.Includes(l.Product, l.Category, l.Service)
	}
	var typed *event.Logsource
	if !taxonomy.Local(e) {
		typed = taxonomy.Of(x.m.platform, e.Kind, e.Op)
	}
	return !typed.Includes(l.Product, l.Category, l.Service) && !taxonomy.Records(x.m.platform).Includes(l.Product, l.Category, l.Service)
}

// offLogsReason says that a signal is for other logs than the event belongs to.
func (x *Explainer) offLogsReason(signal uint32) string {
	l := &x.m.p.logsources[x.m.p.signals[signal].group]
	var words []string
	for _, w := range [...]struct{ key, word string }{{"product", l.Product}, {"category", l.Category}, {"service", l.Service}} {
		if w.word != "" {
			words = append(words, w.key+" "+w.word)
		}
	}
	return "the signal is for " + strings.Join(words, ", ") + ", and the event is in no such log"
}
