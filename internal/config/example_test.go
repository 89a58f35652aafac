// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"fmt"

	"seismo/internal/config"
)

// A misspelt setting is an error that names its line, never silently the default.
func Example() {
	c, err := config.Parse("recorder.json", []byte(`{"newEventLimit": 500}`))
	fmt.Println(c.NewEventLimit, c.BatchWriteDelay, err)
	_, err = config.Parse("recorder.json", []byte("{\n \"newEventLimits\": 500\n}"))
	fmt.Println(err)
	// Output:
	// 500 1s <nil>
	// recorder.json:2: unknown setting "newEventLimits"; docs/configuration.md lists them: bad settings
}
