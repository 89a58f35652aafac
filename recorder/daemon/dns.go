// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"seismo/internal/event"
	"seismo/recorder"
	"seismo/sources/dns"
)

// openDNS takes the name queries of this host and their answers (monitorDNS). It is shown
// what the main source saw: connects tell which process asked where its socket is gone.
func openDNS(l *life) (recorder.Source, func(*event.Batch), error) {
	if !l.Config.MonitorDNS {
		return nil, nil, nil
	}
	src, err := dns.Open(dns.Options{})
	if err != nil {
		return nil, nil, err // not src: a nil *Source in the interface is not nil
	}
	return src, src.Seen, nil
}
