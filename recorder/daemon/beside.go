// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"

	"seismo/internal/event"
	"seismo/recorder"
)

// opener opens a source beside the main one. A nil source says that the settings
// do not want it. seen, if not nil, is shown every batch before it is judged.
type opener struct {
	name  string
	kinds event.KindSet // that only it brings
	open  func(l *life) (src recorder.Source, seen func(*event.Batch), err error)
}

// openers returns the sources beside the main one.
func openers() []opener {
	return []opener{
		{"hashes", 0, openHashes},
		{"containers", 0, openContainers},
		{"image loads", event.SetOf(event.KindImage), openImages},
		{"name queries", event.SetOf(event.KindDNS), openDNS},
	}
}

// besides opens the sources beside the main one. What can not be opened is said and
// left out: it is not worth the recording. kinds are those that they bring.
func (l *life) besides() (open []recorder.Beside, kinds event.KindSet, seen func(*event.Batch)) {
	var see []func(*event.Batch)
	for _, o := range openers() {
		src, s, err := o.open(l)
		if err != nil {
			l.Log.Warn().Err(err).Msg(o.name + " are not recorded")
			continue
		}
		if src != nil {
			open = append(open, recorder.Beside{Source: src, Name: o.name})
			kinds |= o.kinds
		}
		if s != nil {
			see = append(see, s)
		}
	}
	if len(see) == 0 {
		return open, kinds, nil
	}
	return open, kinds, func(b *event.Batch) {
		for _, s := range see {
			s(b)
		}
	}
}

func closeAll(sources []recorder.Beside) error {
	var errs []error
	for _, s := range sources {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}
