// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"seismo/internal/event"
	"seismo/recorder"
	"seismo/sources/imageload"
)

// openImages listens to what is mapped for execution (monitorImageLoad).
func openImages(l *life) (recorder.Source, func(*event.Batch), error) {
	if !l.Config.MonitorImageLoad {
		return nil, nil, nil
	}
	src, err := imageload.Open(imageload.Options{BatchEvents: l.Config.NewEventLimit})
	if err != nil {
		return nil, nil, err // not src: a nil *Source in the interface is not nil
	}
	return src, nil, nil
}
