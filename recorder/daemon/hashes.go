// SPDX-License-Identifier: Apache-2.0

// This file has the programs of processes hashed: it starts the helper, keeps what
// it found over a restart, and is the source of hashes that come late.

package daemon

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/rs/zerolog"

	"seismo/internal/event"
	"seismo/internal/imagehash"
	"seismo/internal/process"
	"seismo/recorder"
)

// HashHelper is the verb that the helper is started with.
const HashHelper = "hash-helper"

// hashes is a client of the helper, with the file that its cache is kept in.
type hashes struct {
	*imagehash.Client
	path string
	log  zerolog.Logger
	stop chan struct{}
	gone chan struct{} // closed when nothing is saved any more
}

// saveEvery is how often the cache is saved, if it has changed.
const saveEvery = 5 * time.Minute

// startHashes starts the helper, before anything is recorded and the recorder gives
// up what it would need for that. That it can not is said, and programs are then not
// hashed.
func (l *life) startHashes() {
	want, err := imagehash.ParseAlgorithms(l.Config.Hashes)
	if want == 0 && err == nil {
		return
	}
	o := imagehash.Options{Want: want, MaxBytes: int64(l.Config.HashMaxBytes), PerSecond: l.Config.HashPerSecond, Cache: imagehash.NewCache(want)}
	if err == nil {
		var warning error
		if warning, err = helperOptions(&o); warning != nil {
			l.Log.Warn().Err(warning).Msg("the hashes of known programs come late")
		}
	}
	if err != nil {
		l.Log.Warn().Err(err).Msg("programs are not hashed")
		return
	}
	if err := CanHash(); err != nil { // the client tells it as a loss
		l.Log.Warn().Err(err).Msg("programs are not hashed")
	}
	damage := loadHashes(o.Cache, l.Paths.Images)
	client, err := imagehash.New(o)
	if err != nil {
		l.Log.Warn().Err(err).Msg("programs are not hashed")
		return
	}
	if damage != nil {
		client.Lose("hashes of files that were read before: %v", damage)
		l.Log.Warn().Err(damage).Str("file", l.Paths.Images+asideSuffix).Msg("hashes of files that were read before are lost: their file could not be used and is set aside")
	}
	l.hashes = &hashes{Client: client, path: l.Paths.Images, log: l.Log, stop: make(chan struct{}), gone: make(chan struct{})}
	go l.hashes.keep()
}

// stopHashes ends the helper where the recording did not get as far as to do so.
func (l *life) stopHashes() {
	if l.hashes != nil {
		_ = l.hashes.Close() // a second time, as a rule
	}
}

// knownHashes is what the process table asks; nil where programs are not hashed.
func (l *life) knownHashes() process.Hashes {
	if l.hashes == nil {
		return nil
	}
	return l.hashes
}

const asideSuffix = ".damaged"

// loadHashes fills c from the file at path. One that can not be used is set aside.
func loadHashes(c *imagehash.Cache, path string) error {
	content, err := readOwn(path, int64(imagehash.MaxState))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = c.Unmarshal(content)
	}
	if err == nil {
		return nil
	}
	if renamed := os.Rename(path, path+asideSuffix); renamed != nil {
		err = errors.Join(err, renamed)
	}
	return err
}

// readOwn reads the regular file at path, of at most limit bytes.
func readOwn(path string, limit int64) ([]byte, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > limit { // opening a pipe waits for a writer
		return nil, fmt.Errorf("%s: no regular file of at most %d bytes", path, limit)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

// keep saves the cache now and then.
func (h *hashes) keep() {
	defer close(h.gone)
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	for {
		select {
		case <-h.stop:
			return
		case <-tick.C:
			h.save()
		}
	}
}

func (h *hashes) save() {
	b := h.Save()
	if b == nil {
		return
	}
	if err := replaceFile(h.path, b); err != nil {
		h.log.Error().Err(err).Msg("the hashes of files could not be saved: after a restart they are read again")
	}
}

// Close ends the helper and saves the cache. It may be called again.
func (h *hashes) Close() error {
	err := h.Client.Close()
	select {
	case <-h.stop:
		return err
	default:
	}
	close(h.stop)
	<-h.gone
	h.save()
	s := h.Figures()
	if s.Known|s.Late|s.Shed|s.Looks == 0 {
		return err // nothing was recorded
	}
	h.log.Info().Uint64("known", s.Known).Uint64("late", s.Late).Uint64("shed", s.Shed).Uint64("read", s.Reads).
		Uint64("bytes", s.ReadBytes).Uint64("looked", s.Looks).Uint64("gone", s.Missed[imagehash.Gone]).
		Uint64("refused", s.Missed[imagehash.Refused]).Uint64("changed", s.Missed[imagehash.Changed]).
		Uint64("failed", s.Missed[imagehash.Failed]).Uint64("too_large", s.Missed[imagehash.TooLarge]).
		Uint64("helpers", s.Starts).Uint64("hangs", s.Hangs).Msg("programs hashed")
	return err
}

// openHashes makes the late hashes a source.
func openHashes(l *life) (recorder.Source, func(*event.Batch), error) {
	if l.hashes == nil {
		return nil, nil, nil
	}
	return l.hashes, l.hashes.Seen, nil
}

// ServeHashes is what the helper does, in a process of its own.
func ServeHashes() error {
	_, _ = releaseText() // little of the program is needed from here on
	return imagehash.Serve()
}
