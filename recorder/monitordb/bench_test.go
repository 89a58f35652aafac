// SPDX-License-Identifier: Apache-2.0

package monitordb

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"seismo/internal/event"
)

// mix makes events as a Linux host that builds and serves has them: of 100, 18
// execs and as many ends, 46 file events, 14 network events, 2 logons, 2 system
// calls. Names follow Zipf's law; a third of the command lines and fresh in 100
// paths never come again.
type mix struct {
	fresh            int
	rng              *rand.Rand
	exes, dirs, cmds *rand.Zipf
	now              int64
	n                int
	running          []*event.Process
	shells           []*event.Process
}

func newMix(fresh int) *mix {
	rng := rand.New(rand.NewPCG(1, 2))
	m := &mix{fresh: fresh, rng: rng, now: base, exes: rand.NewZipf(rng, 1.2, 4, 400), dirs: rand.NewZipf(rng, 1.1, 8, 3000), cmds: rand.NewZipf(rng, 1.1, 8, 4000)}
	for i := range 40 {
		p := m.process("/bin/bash", nil)
		p.Args, p.CommandLine = []string{"bash"}, fmt.Sprintf("bash %d", i)
		m.shells = append(m.shells, p)
	}
	return m
}

func (m *mix) process(path string, parent *event.Process) *event.Process {
	m.n++
	p := &event.Process{ID: event.ProcessKey(m.rng.Uint64()), Parent: parent, PID: int32(300 + m.n%32000), Start: m.now, Path: path,
		Boot: "5c1a2b3c-0000-4000-8000-1234567890ab", Cwd: m.dir(), TTY: "pts0", Session: 3,
		UserID: int64(m.n % 3 * 500), UserName: [...]string{"root", "build", "www"}[m.n%3], GroupID: int64(m.n % 3 * 500),
		GroupName: [...]string{"root", "build", "www"}[m.n%3], LoginUserID: 1000, LoginUserName: "ann"}
	if parent != nil {
		p.PPID = parent.PID
	}
	return p
}

func (m *mix) dir() string {
	d := m.dirs.Uint64()
	return fmt.Sprintf("/%s/%s/d%d/", [...]string{"usr", "var", "home", "opt"}[d%4], [...]string{"lib", "src", "cache"}[d%3], d)
}

func (m *mix) path() string {
	if m.rng.IntN(100) < m.fresh {
		return fmt.Sprintf("/tmp/cc%08x.o", m.rng.Uint32())
	}
	d := m.dir()
	return fmt.Sprintf("%sfile%d.%s", d, m.cmds.Uint64()%40, [...]string{"c", "h", "so", "conf"}[m.rng.IntN(4)])
}

// fill adds n events to b.
func (m *mix) fill(b *event.Batch, n int) {
	for b.Len() < n {
		m.now += 200_000 + m.rng.Int64N(600_000)
		t := m.now / 1e6 * 1e6 // audit stamps have milliseconds
		switch r := m.rng.IntN(100); {
		case r < 18:
			parent := m.shells[m.rng.IntN(len(m.shells))]
			p := m.process(fmt.Sprintf("/usr/bin/tool%d", m.exes.Uint64()), parent)
			p.Args = []string{p.Name(), "-c", fmt.Sprintf("input%d", m.cmds.Uint64())}
			if m.rng.IntN(3) == 0 {
				p.Args = append(p.Args, "-o", m.path(), fmt.Sprintf("--id=%d", m.rng.Uint32()))
			}
			p.CommandLine, p.Start = strings.Join(p.Args, " "), t
			m.running = append(m.running, p)
			m.set(b.Add(event.KindProcess, event.OpCreate), p, t)
		case r < 36 && len(m.running) > 20:
			i := m.rng.IntN(len(m.running))
			p := m.running[i]
			m.running[i] = m.running[len(m.running)-1]
			m.running = m.running[:len(m.running)-1]
			e := b.Add(event.KindProcess, event.OpEnd)
			m.set(e, p, t)
			e.SetInt(event.ProcessExitCode, 0)
			e.SetInt(event.ProcessEndTime, t)
		case r < 82:
			e := b.Add(event.KindFile, []event.Op{event.OpWrite, event.OpCreate, event.OpDelete, event.OpPermission}[m.rng.IntN(4)])
			m.set(e, m.any(), t)
			e.SetString(event.FilePath, m.path())
			e.SetInt(event.FileMode, 0o100644)
			e.SetInt(event.FileOwner, 0)
			e.SetInt(event.FileInode, 100_000+m.rng.Int64N(1_000_000))
		case r < 96:
			e := b.Add(event.KindNetwork, event.OpConnect)
			m.set(e, m.any(), t)
			a := netip.AddrFrom4([4]byte{10, 0, byte(m.rng.IntN(4)), byte(m.exes.Uint64())})
			e.SetString(event.NetworkDirection, "outbound")
			e.SetString(event.NetworkProtocol, "tcp")
			e.SetAddr(event.NetworkAddress, a)
			e.SetInt(event.NetworkPort, 443)
			e.SetAddr(event.NetworkDestinationAddress, a)
			e.SetInt(event.NetworkDestinationPort, 443)
			e.SetInt(event.NetworkResult, 0)
		case r < 98:
			e := b.Add(event.KindSecurity, event.OpAuthenticate)
			m.set(e, m.any(), t)
			e.SetString(event.SecurityEventID, "USER_AUTH")
			e.SetString(event.SecurityResult, "success")
			e.SetString(event.SecurityTargetUser, "build")
			e.SetString(event.SecurityDetails, "PAM:authentication")
		default:
			e := b.Add(event.KindSyscall, event.OpCall)
			m.set(e, m.any(), t)
			e.SetString(event.SyscallName, "setuid")
			e.SetInt(event.SyscallResult, 0)
		}
	}
}

func (m *mix) any() *event.Process {
	if n := len(m.running); n > 0 {
		return m.running[m.rng.IntN(n)]
	}
	return m.shells[0]
}

func (m *mix) set(e *event.Event, p *event.Process, t int64) {
	m.n++
	e.Time, e.Serial, e.Process, e.PID, e.PPID = t, uint64(500_000+m.n), p, p.PID, p.PPID
	e.SetInt(event.UserID, p.UserID)
	e.SetString(event.UserName, p.UserName)
	e.SetInt(event.UserEffectiveID, p.UserID)
	e.SetString(event.UserEffectiveName, p.UserName)
	e.SetInt(event.UserLoginID, 1000)
	e.SetString(event.UserLoginName, "ann")
}

// BenchmarkWrite stores the constructed mix in batches. Reported are events per
// // second and the processor's time for each, both of Write alone; the bytes of the
// file for each event; those of its process, command line and end for each exec;
// and all other bytes, paths and their index included, for each other event.
func BenchmarkWrite(b *testing.B) {
	for _, v := range []struct{ size, fresh int }{{1, 20}, {100, 20}, {1000, 20}, {10000, 20}, {1000, 5}} {
		size := v.size
		b.Run(fmt.Sprintf("fresh=%d/batch=%d", v.fresh, size), func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "monitor.db")
			db := openDB(b, path, Options{})
			m, ids := newMix(v.fresh), db.IDs()
			batch := event.NewBatch(size)
			batch.Platform = "linux"
			events := 0
			var wall, cpu time.Duration
			b.ReportAllocs()
			for b.Loop() {
				batch.Reset()
				batch.Platform = "linux"
				m.fill(batch, size)
				ids.Assign(batch)
				began, used := time.Now(), cpuTime()
				if err := db.Write(context.Background(), []*event.Batch{batch}); err != nil {
					b.Fatal(err)
				}
				wall += time.Since(began)
				cpu += cpuTime() - used
				events += batch.Len()
			}
			b.StopTimer()
			b.ReportMetric(float64(events)/wall.Seconds(), "events/s")
			b.ReportMetric(float64(cpu.Nanoseconds())/float64(events), "cpu-ns/event")
			reportBytes(b, db, events)
		})
	}
}

func reportBytes(b *testing.B, db *DB, events int) {
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
	file, _ := db.Sizes()
	b.ReportMetric(float64(file)/float64(events), "B/event")
	row := ask(b, db.path, `WITH t AS MATERIALIZED (SELECT name, pgsize FROM dbstat('main', 1)), x AS (SELECT total(pgsize) AS s FROM t
			WHERE name IN ('proc', 'proc_end', 'command') OR name GLOB 'proc_*' OR name GLOB 'sqlite_autoindex_proc_*')
		SELECT x.s / (SELECT count(*) FROM proc), ((SELECT total(pgsize) FROM t) - x.s) / (SELECT total(stored) FROM tally WHERE kind <> 1) FROM x`)
	var exec, other float64
	if _, err := fmt.Sscanf(row[0], "%g|%g", &exec, &other); err != nil {
		b.Fatalf("%q: %v", row[0], err)
	}
	b.ReportMetric(exec, "B/exec")
	b.ReportMetric(other, "B/other")
}
