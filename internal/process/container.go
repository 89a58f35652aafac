// SPDX-License-Identifier: Apache-2.0

// This file finds the container of a process by its cgroup.

package process

import "strings"

// containerOf returns the id of the container that the cgroups of a process
// name, or "" if they name none. cgroups is /proc/PID/cgroup: lines of
// HIERARCHY:CONTROLLERS:PATH.
//
// Docker, containerd, CRI-O, Podman and the kubelet name a control group after
// the 64 hexadecimal digits of the container's id, alone or as
// RUNTIME-ID.scope or SLICE:RUNTIME:ID. LXC names it after the container:
// lxc.payload.NAME, older versions lxc/NAME. systemd-nspawn runs it in the group
// payload of machine-NAME.scope or systemd-nspawn@NAME.service. The monitors beside
// a container (conmon, lxc.monitor, nspawn's supervisor) are not in it.
//
// Who has a part of the cgroup tree of his own (a user's systemd) may name groups in
// it as he likes: the id says what the name says.
func containerOf(cgroups string) string {
	for line := range strings.Lines(cgroups) {
		_, rest, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		if !ok {
			continue
		}
		_, path, ok := strings.Cut(rest, ":")
		if !ok {
			continue
		}
		if id := containerInPath(path); id != "" {
			return id
		}
	}
	return ""
}

// containerInPath looks from the end: with containers in containers the inner
// one counts.
func containerInPath(path string) string {
	parent, name := "", ""
	for path != "" {
		i := strings.LastIndexByte(path, '/')
		if name = path[i+1:]; i < 0 {
			path = ""
		} else {
			path = path[:i]
		}
		if strings.Contains(name, "conmon") || strings.HasPrefix(name, "lxc.monitor") {
			return ""
		}
		if id := hexID(name); id != "" {
			return id
		}
		if id, ok := strings.CutPrefix(name, "lxc.payload."); ok && id != "" {
			return id
		}
		parent = path[strings.LastIndexByte(path, '/')+1:]
		if parent == "lxc" && name != "" {
			return name
		}
		if name == "payload" {
			if id := nspawnName(parent); id != "" {
				return id
			}
		}
	}
	return ""
}

// nspawnName returns the name of the machine whose group is called group; empty if
// it is none.
func nspawnName(group string) string {
	name, isScope := strings.CutPrefix(group, "machine-")
	if isScope {
		name, isScope = strings.CutSuffix(name, ".scope")
	}
	if !isScope {
		var isService bool
		if name, isService = strings.CutPrefix(group, "systemd-nspawn@"); !isService {
			return ""
		}
		if name, isService = strings.CutSuffix(name, ".service"); !isService {
			return ""
		}
	}
	return strings.ReplaceAll(name, `\x2d`, "-") // systemd writes a dash of the name so
}

// idDigits is the length of a container's id.
const idDigits = 64

// hexID returns the run of exactly 64 lower-case hexadecimal digits in name that
// stands between '-', ':', '.' or an end.
func hexID(name string) string {
	for len(name) >= idDigits {
		end := strings.IndexAny(name, "-:.")
		word := name
		if end >= 0 {
			word = name[:end]
		}
		if len(word) == idDigits && strings.Trim(word, "0123456789abcdef") == "" {
			return word
		}
		if end < 0 {
			return ""
		}
		name = name[end+1:]
	}
	return ""
}
