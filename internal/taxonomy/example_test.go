// SPDX-License-Identifier: Apache-2.0

package taxonomy_test

import (
	"fmt"

	"seismo/internal/event"
	"seismo/internal/taxonomy"
)

// A record of Sysmon is in a log, and of a kind; its values fill fields of the registry.
func Example() {
	logs := taxonomy.Channel("Microsoft-Windows-Sysmon/Operational", "", 7, "")
	kind, op := taxonomy.Kind(logs, 7, "")
	field, _ := taxonomy.Registry(kind, op, "sysmon", "ImageLoaded")
	fmt.Println(logs.Categories, kind, op, event.Describe(field).Name)
	// Output: [image_load] image load image.path
}
