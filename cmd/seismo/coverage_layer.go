// SPDX-License-Identifier: Apache-2.0

// This file writes what signals cover as a layer for the ATT&CK Navigator, in version
// 4.5 of its layer format (mitre-attack/attack-navigator, layers/LAYERFORMATv4_5.md).

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"seismo/internal/display"
)

type (
	navigatorLayer struct {
		Name        string               `json:"name"`
		Versions    navigatorVersions    `json:"versions"`
		Domain      string               `json:"domain"`
		Description string               `json:"description"`
		Sorting     int                  `json:"sorting"`
		Layout      navigatorLayout      `json:"layout"`
		Hide        bool                 `json:"hideDisabled"`
		Techniques  []navigatorTechnique `json:"techniques"`
		Gradient    navigatorGradient    `json:"gradient"`
		Legend      []navigatorLegend    `json:"legendItems"`
		Metadata    []navigatorMetadata  `json:"metadata"`
	}
	// navigatorVersions leaves out the version of ATT&CK: ids are all that is known here,
	// and the Navigator then takes its own.
	navigatorVersions struct {
		Navigator string `json:"navigator"`
		Layer     string `json:"layer"`
	}
	navigatorLayout struct {
		Layout    string `json:"layout"`
		ShowID    bool   `json:"showID"`
		ShowName  bool   `json:"showName"`
		Expansion string `json:"expandedSubtechniques"`
	}
	navigatorTechnique struct {
		ID       string              `json:"techniqueID"`
		Score    int                 `json:"score"`
		Comment  string              `json:"comment"`
		Enabled  bool                `json:"enabled"`
		Metadata []navigatorMetadata `json:"metadata"`
		Show     bool                `json:"showSubtechniques"`
	}
	navigatorMetadata struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	navigatorGradient struct {
		Colors []string `json:"colors"`
		Min    int      `json:"minValue"`
		Max    int      `json:"maxValue"`
	}
	navigatorLegend struct {
		Label string `json:"label"`
		Color string `json:"color"`
	}
)

// The colours of one signal and of as many as any technique has: from light to dark,
// so that they differ without their hue.
const (
	colorFew  = "#cfe8f3"
	colorMany = "#0b5394"
)

// maxComment is the number of names in a technique's comment.
const maxComment = 20

// layer returns c as a layer called name.
func (c *coverage) layer(name string) navigatorLayer {
	l := navigatorLayer{Name: name, Versions: navigatorVersions{"4.9.0", "4.5"}, Domain: "enterprise-attack",
		Description: fmt.Sprintf("%d signals, %d of them without a technique; the score of a technique is the number of its signals, those of its sub-techniques among them", c.signals, c.without),
		Sorting:     3, Layout: navigatorLayout{"side", true, true, "annotated"}, Techniques: []navigatorTechnique{},
		Metadata: []navigatorMetadata{{"made by", "seismo " + version}}}
	most := 2 // the greatest value must be above the least
	for i := range c.techniques {
		t := &c.techniques[i]
		most = max(most, len(t.signals))
		var names []string
		for n, d := range t.signals {
			if n == maxComment {
				names = append(names, fmt.Sprintf("and %d more", len(t.signals)-maxComment))
				break
			}
			names = append(names, d.Name)
		}
		metadata := []navigatorMetadata{{"severity", t.severityText()}, {"status", t.statusText()}}
		sub := len(t.signals) > t.direct && parent(t.id) == ""
		if sub {
			metadata = append(metadata, navigatorMetadata{"only by sub-techniques", fmt.Sprint(len(t.signals) - t.direct)})
		}
		l.Techniques = append(l.Techniques, navigatorTechnique{ID: t.id, Score: len(t.signals), Comment: strings.Join(names, "\n"), Enabled: true, Metadata: metadata, Show: sub})
	}
	l.Gradient = navigatorGradient{[]string{colorFew, colorMany}, 1, most}
	l.Legend = []navigatorLegend{{"1 signal", colorFew}, {fmt.Sprintf("%d signals", most), colorMany}}
	return l
}

// writeLayer writes c, made of what paths name, to the file at path.
func writeLayer(path string, c *coverage, paths []string) error {
	name := "seismo: the shipped signals"
	if len(paths) > 0 {
		var bases []string
		for _, p := range paths {
			bases = append(bases, filepath.Base(p))
		}
		name = "seismo: " + strings.Join(bases, ", ")
	}
	var b bytes.Buffer
	if err := display.WriteJSON(&b, c.layer(name)); err != nil {
		return err
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		return fmt.Errorf("write layer: %w", err)
	}
	return nil
}
