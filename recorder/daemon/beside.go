// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"
	"fmt"

	"seismo/internal/event"
	"seismo/recorder"
)

// opener opens a source beside the main one. A nil source says that the settings
// do not want it. seen, if not nil, is shown every batch before it is judged.
type opener struct {
	name string
	open func(l *life) (src recorder.Source, seen func(*event.Batch), err error)
}

// openers returns the sources beside the main one.
func openers() []opener {
	return []opener{
		{"hashes", openHashes},
		{"containers", openContainers},
		{"image loads", openImages},
		{"name queries", openDNS},
	}
}

// besides opens the sources beside the main one. What can not be opened is said and
// left out: it is not worth the recording.
func (l *life) besides() (open []recorder.Beside, seen func(*event.Batch)) {
	var see []func(*event.Batch)
	for _, o := range openers() {
		src, s, err := o.open(l)
		if err != nil {
			l.Log.Warn().Err(err).Msg(o.name + " are not recorded")
			continue
		}
		if src != nil {
			open = append(open, recorder.Beside{Source: src, Name: o.name})
		}
		if s != nil {
			see = append(see, s)
		}
	}
	if len(see) == 0 {
		return open, nil
	}
	return open, func(b *event.Batch) {
		for _, s := range see {
			s(b)
		}
	}
}

func closeAll(sources []recorder.Beside) error {
	var errs []error
	for _, s := range sources {
		if err := s.Close(); err != nil {
			errs = append(errs, fmt.Errorf("close the source %s: %w", s.Name, err))
		}
	}
	return errors.Join(errs...)
}
