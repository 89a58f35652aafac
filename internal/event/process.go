// SPDX-License-Identifier: Apache-2.0

// This file holds the process: one image of one pid, as every other event
// refers to it.

package event

import (
	"iter"
	"slices"
	"strings"
)

// ProcessKey is the number that seismo gives a process. It is derived from the
// host, the boot and the record that first showed the image, so that a replay
// of the same records gives the same ids; it is never used again.
type ProcessKey uint64

// NoID is the value of a user, group or session number that is not set.
const NoID = int64(-1)

// Process is one image of one pid: what runs between one successful execve (or
// a fork) and the next, or the end. It is never changed once it is published,
// so it may be read from any goroutine and kept for as long as one likes. What
// is learned later arrives in events of its own.
type Process struct {
	ID       ProcessKey
	Parent   *Process // nil if not known
	Previous *Process // the image that this one replaced by execve; nil if none
	PID      int32
	PPID     int32  // as the source said it; the parent may be unknown all the same
	Host     string // empty: this one
	Boot     string // boot id; empty in a replay

	Start       int64  // Unix time, nanoseconds
	StartTicks  uint64 // field 22 of /proc/PID/stat; 0 if not known
	SeenRunning bool   // found running when recording began
	Forked      bool   // made by a fork: no exec was seen, the image is its parent's
	Inferred    bool   // made from what another event said of it

	Path, CommandLine, Cwd string
	Args                   []string // nil if not known
	TTY, ContainerID       string
	UserName, GroupName    string
	LoginUserName          string
	UserID, GroupID        int64 // NoID if not known
	LoginUserID, Session   int64 // NoID if nobody logged in
	Hash                   []string
	Windows                *WindowsFacts // nil if the source says nothing of the kind
}

// WindowsFacts is what only sources of Windows say of a process. A value that was
// not said is empty.
type WindowsFacts struct {
	// Of the version resource of the program.
	OriginalFileName, Company, Product, Description, FileVersion string

	IntegrityLevel     string
	LogonID, LogonGUID string // of the logon session
	GUID               string // of the process
}

// Name returns the last element of p.Path.
func (p *Process) Name() string { return baseName(p.Path) }

// baseName cuts at slashes; at backslashes only in a path that is not a Unix one:
// there a backslash is a byte of the name, and cutting at it would let a file call
// itself anything.
func baseName(path string) string {
	unix := strings.HasPrefix(path, "/")
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '/' || path[i] == '\\' && !unix {
			return path[i+1:]
		}
	}
	return path
}

// MaxAncestry is the number of processes that [Process.Ancestry] goes over at most.
const MaxAncestry = 256

// Ancestry returns p itself, then previous images and parents, nearest first:
// for each process its previous images, then its parent.
func (p *Process) Ancestry() iter.Seq[*Process] {
	return func(yield func(*Process) bool) {
		n := 0
		for q := p; q != nil && n < MaxAncestry; n++ {
			if !yield(q) {
				return
			}
			if q.Previous != nil {
				q = q.Previous
			} else {
				q = q.Parent
			}
		}
	}
}

// Text returns the value of a string field of process or parent scope.
func (p *Process) Text(f Field) (string, bool) {
	switch f {
	case ProcessPath, AncestryPath:
		return p.Path, p.Path != ""
	case ProcessName, AncestryName:
		return p.Name(), p.Path != ""
	case ProcessCommandLine, AncestryCommandLine:
		return p.CommandLine, p.Args != nil || p.CommandLine != ""
	case ProcessCwd:
		return p.Cwd, p.Cwd != ""
	case ProcessUserName, AncestryUserName:
		return p.UserName, p.UserName != ""
	case ProcessGroupName, AncestryUserGroup:
		return p.GroupName, p.GroupName != ""
	case ProcessLoginUserName:
		return p.LoginUserName, p.LoginUserName != ""
	case ProcessTTY:
		return p.TTY, p.TTY != ""
	case ProcessContainerID:
		return p.ContainerID, p.ContainerID != ""
	}
	if own := parentOf[f]; own != NoField && p.Parent != nil {
		return p.Parent.Text(own)
	}
	if v := p.Windows.text(f); v != nil {
		return *v, *v != ""
	}
	return "", false
}

// text returns where w keeps a field, nil if w is nil or f is none of its fields.
func (w *WindowsFacts) text(f Field) *string {
	if w == nil {
		return nil
	}
	switch f {
	case ProcessOriginalFileName:
		return &w.OriginalFileName
	case ProcessCompany:
		return &w.Company
	case ProcessProduct:
		return &w.Product
	case ProcessDescription:
		return &w.Description
	case ProcessFileVersion:
		return &w.FileVersion
	case ProcessIntegrityLevel:
		return &w.IntegrityLevel
	case ProcessLogonID:
		return &w.LogonID
	case ProcessLogonGUID:
		return &w.LogonGUID
	case ProcessGUID:
		return &w.GUID
	}
	return nil
}

// windowsFields are the fields that [WindowsFacts] holds.
var windowsFields = [...]Field{ProcessOriginalFileName, ProcessCompany, ProcessProduct, ProcessDescription,
	ProcessFileVersion, ProcessIntegrityLevel, ProcessLogonID, ProcessLogonGUID, ProcessGUID}

// MakeWindowsFacts returns the facts that text has, which is asked for the value of
// each field; nil if it has none.
func MakeWindowsFacts(text func(Field) string) *WindowsFacts {
	var w *WindowsFacts
	for _, f := range windowsFields {
		v := text(f)
		if v == "" {
			continue
		}
		if w == nil { // of Linux, none is made in vain for each process
			w = new(WindowsFacts)
		}
		*w.text(f) = v
	}
	return w
}

// WindowsFields are the fields that [WindowsFacts] holds, in the order of the registry.
func WindowsFields() []Field { return slices.Clone(windowsFields[:]) }

// parentOf maps a parent field to the process field that it is of the parent.
var parentOf = [numFields]Field{
	ParentPath: ProcessPath, ParentName: ProcessName, ParentCommandLine: ProcessCommandLine,
	ParentHash: ProcessHash, ParentUserName: ProcessUserName, ParentUserGroup: ProcessGroupName,
	ParentPID: ProcessPID, ParentID: ProcessID,
}

// ancestorOf is parentOf for the fields of ancestors.
var ancestorOf = [numFields]Field{
	AncestryPath: ProcessPath, AncestryName: ProcessName, AncestryCommandLine: ProcessCommandLine,
	AncestryHash: ProcessHash, AncestryUserName: ProcessUserName, AncestryUserGroup: ProcessGroupName,
}

// ProcessField returns the field of process scope that f is: f itself, or what f
// is of a parent or ancestor. It is NoField if f is of the event.
func ProcessField(f Field) Field {
	switch Describe(f).Scope {
	case ScopeProcess:
		return f
	case ScopeParent:
		return parentOf[f]
	case ScopeAncestor:
		return ancestorOf[f]
	}
	return NoField
}

// Int returns the value of an integer, identifier or time field of process or
// parent scope. An identifier is the bits of its unsigned number.
func (p *Process) Int(f Field) (int64, bool) {
	switch f {
	case ProcessPID:
		return int64(p.PID), true
	case ProcessID:
		return int64(p.ID), true
	case ProcessUserID:
		return p.UserID, p.UserID != NoID
	case ProcessGroupID:
		return p.GroupID, p.GroupID != NoID
	case ProcessLoginUserID:
		return p.LoginUserID, p.LoginUserID != NoID
	case ProcessSession:
		return p.Session, p.Session != NoID
	case ProcessStartTime:
		return p.Start, p.Start != 0
	case ProcessSeenRunning:
		if p.SeenRunning {
			return 1, true
		}
		return 0, true
	case ParentPID:
		if p.Parent == nil {
			return int64(p.PPID), p.PPID != 0
		}
	}
	if own := parentOf[f]; own != NoField && p.Parent != nil {
		return p.Parent.Int(own)
	}
	return 0, false
}

// List returns the elements of a list or hash field of process or parent scope.
func (p *Process) List(f Field) []string {
	switch f {
	case ProcessArgs:
		return p.Args
	case ProcessHash, AncestryHash:
		return p.Hash
	case ParentHash:
		if p.Parent != nil {
			return p.Parent.Hash
		}
	}
	return nil
}

// Has reports whether p has a value for f, a field of process, parent or
// ancestor scope.
func (p *Process) Has(f Field) bool {
	in := Describe(f)
	if in.Scope == ScopeAncestor {
		for q := range p.Ancestry() {
			if in.Type == Hash && len(q.List(f)) > 0 {
				return true
			} else if _, ok := q.Text(f); ok {
				return true
			}
		}
		return false
	}
	switch in.Type {
	case String:
		_, ok := p.Text(f)
		return ok
	case List, Hash:
		return p.List(f) != nil
	case Integer, Identifier, Time:
		_, ok := p.Int(f)
		return ok
	}
	return false
}
