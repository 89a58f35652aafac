// SPDX-License-Identifier: Apache-2.0

package jsonl_test

import (
	"context"
	"fmt"
	"strings"

	"seismo/internal/event"
	"seismo/sources/jsonl"
)

func ExampleNewStream() {
	const in = `{"Image":"/bin/sh","CommandLine":"sh -c id","logsource":{"product":"linux","category":"process_creation"}}
{"Event":{"System":{"EventID":3,"Channel":"Microsoft-Windows-Sysmon/Operational","Computer":"pc"},"EventData":{"DestinationIp":"192.0.2.1"}}}
`
	src := jsonl.NewStream(strings.NewReader(in), jsonl.StreamOptions{Name: "events.jsonl"})
	defer src.Close()
	b := event.NewBatch(100)
	for src.Read(context.Background(), b) == nil {
		for _, e := range b.Events() {
			fmt.Println(b.Platform, e.Kind, e.Op, e.Logsource.Categories)
			for f := range e.Own() {
				fmt.Printf("  %s: %s\n", f.Name, f.Value)
			}
		}
		b.Reset()
	}
	// Output:
	// linux process create [process_creation]
	//   Image: /bin/sh
	//   CommandLine: sh -c id
	// windows network connect [network_connection]
	//   EventID: 3
	//   Channel: Microsoft-Windows-Sysmon/Operational
	//   Computer: pc
	//   DestinationIp: 192.0.2.1
}
