package sqlite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// ErrDamaged: the journal is damaged before its end. What it had accepted cannot be read.
var ErrDamaged = errors.New("sqlite: journal damaged")

const (
	// journalSwitch is the size in bytes of a journal's file from which the other file is used, as
	// soon as SQLite has all records of that one.
	journalSwitch = 16 << 20
	// sector is the unit of the journal's writes. A frame begins with a new sector, so no write
	// touches a sector that was made durable before.
	sector = 512

	frameMagic  = 0x4c4e524a // "JRNL"
	frameHeader = 40
)

// journalNames are the names of the two files, which are used in turn. They are overwritten and not
// truncated: where a file does not grow, a sync writes no metadata.
var journalNames = [2]string{"relay.journal-0", "relay.journal-1"}

// journal is the host's log of changes. Its records have numbers without gaps, over all files and
// runs. They are written in frames:
//
//	0   magic
//	4   CRC-32C of what follows, the records included
//	8   length of the records in bytes
//	12  number of records
//	16  number of the first record
//	24  number of the last record that was durable before
//	32  reserved
//	40  the records
//
// A file that is used again holds older frames behind its end. Their numbers tell them apart.
type journal struct {
	store *Store
	files [2]*os.File

	// Under the store's state.mu.
	open    *frame // gets the next records
	writing *frame // the one before it
	last    uint64 // number of the last record
	synced  uint64 // number of the last record that is durable
	timer   *time.Timer
	kick    chan struct{} // a token: the open frame is to be written

	// Only the journal's goroutine uses these, except reusable.
	active int
	offset int64
	ends   [2]uint64 // number of the last record in each file

	quit, stopped chan struct{}
}

// frame is a part of the journal that is written at once.
type frame struct {
	first    uint64
	count    uint32
	bytes    []byte // header and records
	arrivals []arrival
	done     chan struct{} // closed when it is durable
}

// arrival is a message that is handed out when its frame is durable.
type arrival struct {
	to *backlog
	entry
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// newJournal creates the journal whose next record is the one after last.
func newJournal(s *Store, last uint64) (*journal, error) {
	j := &journal{
		store: s, last: last, synced: last, kick: make(chan struct{}, 1),
		quit: make(chan struct{}), stopped: make(chan struct{}),
	}
	j.ends = [2]uint64{last, last}
	for i, name := range journalNames {
		f, err := os.OpenFile( //nolint:gosec // the operator's own path
			filepath.Join(s.dir, name), os.O_RDWR|os.O_CREATE, 0o600,
		)
		if err != nil {
			j.close()
			return nil, fmt.Errorf("sqlite: journal: %w", err)
		}
		j.files[i] = f
	}
	if err := syncDir(s.dir); err != nil {
		j.close()
		return nil, fmt.Errorf("sqlite: journal: %w", err)
	}
	j.timer = time.AfterFunc(time.Hour, func() { signal(j.kick) })
	j.timer.Stop()
	j.open = j.newFrame(nil)
	return j, nil
}

// syncDir makes the names of the files in dir durable.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // it has no such call
	}
	d, err := os.Open(dir) //nolint:gosec // the operator's own path
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (j *journal) close() {
	for _, f := range j.files {
		if f != nil {
			_ = f.Close()
		}
	}
}

// newFrame returns the next frame. It uses the memory of an earlier one, if there is any.
func (j *journal) newFrame(old *frame) *frame {
	g := &frame{first: j.last + 1, done: make(chan struct{})}
	if old != nil && cap(old.bytes) < 1<<20 {
		g.bytes, g.arrivals = old.bytes[:0], old.arrivals[:0]
	}
	g.bytes = append(g.bytes, make([]byte, frameHeader)...)
	return g
}

// added counts a record that the caller has appended to the open frame. It is written a few
// milliseconds later, if nobody wants it earlier. The caller holds state.mu.
func (j *journal) added() {
	j.last++
	if j.open.count++; j.open.count == 1 {
		j.timer.Reset(maxOpen)
	}
}

// frameOf returns the frame of a record, and makes it be written now. It returns nil if the record
// is durable. The caller holds state.mu.
func (j *journal) frameOf(record uint64) *frame {
	switch {
	case record <= j.synced:
		return nil
	case record < j.open.first:
		return j.writing
	}
	signal(j.kick)
	return j.open
}

// run writes frames until quit is closed.
func (j *journal) run() {
	defer close(j.stopped)
	var old *frame
	for ended := false; !ended; {
		select {
		case <-j.kick:
		case <-j.quit:
			ended = true
		}
		g := j.take(old)
		if old = g; g == nil {
			continue
		}
		if err := j.write(g); err != nil {
			j.store.fail(fmt.Errorf("%w: journal: %w", ErrBroken, err))
			return // nobody is answered: they get the store's error
		}
		j.finish(g)
	}
}

// take returns the open frame, or nil if it is empty, and begins the next one.
func (j *journal) take(old *frame) *frame {
	st := &j.store.state
	st.mu.Lock()
	defer st.mu.Unlock()
	g := j.open
	if g.count == 0 {
		return nil
	}
	if other := 1 - j.active; j.offset > journalSwitch {
		if j.ends[other] <= st.inFile {
			j.active, j.offset = other, 0
		}
		st.journalFull = j.offset > 0 // until a checkpoint has made the other file reusable
	}
	if j.offset == 0 {
		// A file tells at its beginning which messages are in flight, so it can be read alone.
		g.bytes = appendIDs(g.bytes, recordLeases, st.leased())
		j.last++
		g.count++
	}
	j.ends[j.active] = j.last
	j.open, j.writing = j.newFrame(old), g
	return g
}

// write writes a frame and makes it durable. If SQLite's log has writes that the records may rest
// on, it is made durable first.
func (j *journal) write(g *frame) error {
	st := &j.store.state
	b := g.bytes
	binary.LittleEndian.PutUint32(b[0:], frameMagic)
	binary.LittleEndian.PutUint32(b[8:], uint32(len(b)-frameHeader)) //nolint:gosec // some MiB
	binary.LittleEndian.PutUint32(b[12:], g.count)
	binary.LittleEndian.PutUint64(b[16:], g.first)
	binary.LittleEndian.PutUint64(b[24:], g.first-1) // frames are made durable one after the other
	binary.LittleEndian.PutUint32(b[4:], crc32.Checksum(b[8:], castagnoli))
	size := (len(b) + sector - 1) / sector * sector
	b = append(b, make([]byte, size-len(b))...)
	g.bytes = b
	if _, err := j.files[j.active].WriteAt(b, j.offset); err != nil {
		return err
	}
	j.offset += int64(size)
	if st.walAhead.Swap(false) {
		if err := dataSync(j.store.log); err != nil {
			return err
		}
	}
	return dataSync(j.files[j.active])
}

// finish tells everybody that a frame is durable.
func (j *journal) finish(g *frame) {
	for _, a := range g.arrivals {
		a.to.addOne(a.entry)
	}
	clear(g.arrivals)
	close(g.done)
	st := &j.store.state
	st.mu.Lock()
	defer st.mu.Unlock()
	j.synced = g.first + uint64(g.count) - 1
}

// waitFor waits until a record is durable, or the store breaks.
func (j *journal) waitFor(record uint64) error {
	st := &j.store.state
	st.mu.Lock()
	g := j.frameOf(record)
	st.mu.Unlock()
	return j.await(g)
}

// await waits until a frame, if it is not nil, is durable, or the store breaks.
func (j *journal) await(g *frame) error {
	if g == nil {
		return nil
	}
	select {
	case <-g.done:
		return nil
	case <-j.store.done:
	}
	select {
	case <-g.done: // it was the last one
		return nil
	default:
		return j.store.Err()
	}
}

// chain is what can be read of a journal's file: its frames from the first on, without a gap.
type chain struct {
	name        string
	first, last uint64 // records; 0: there are none
	frames      [][]byte
	newest      uint64 // the first record of the newest frame in the file, even behind a gap
}

// readChain reads a file of the journal.
func readChain(path string) (chain, error) {
	c := chain{name: path}
	f, err := os.Open(path) //nolint:gosec // the operator's own path
	if errors.Is(err, os.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, fmt.Errorf("sqlite: journal: %w", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return c, fmt.Errorf("sqlite: journal: %w", err)
	}
	content := make([]byte, info.Size())
	if _, err := io.ReadFull(f, content); err != nil && info.Size() > 0 {
		return c, fmt.Errorf("sqlite: journal: %w", err)
	}
	c.read(content)
	c.newest = newestFrame(content)
	return c, nil
}

func (c *chain) read(content []byte) {
	for offset := 0; ; {
		g, ok := parseFrame(content, offset)
		if !ok || (len(c.frames) > 0 && g.first != c.last+1) {
			return
		}
		if len(c.frames) == 0 {
			c.first = g.first
		}
		c.last = g.first + uint64(g.count) - 1
		c.frames = append(c.frames, g.bytes)
		offset += (frameHeader + len(g.bytes) + sector - 1) / sector * sector
	}
}

// newestFrame returns the number of the first record of the newest frame in content, wherever it
// lies, or 0 if there is none.
func newestFrame(content []byte) (first uint64) {
	for offset := 0; offset < len(content); offset += sector {
		if g, ok := parseFrame(content, offset); ok {
			first = max(first, g.first)
		}
	}
	return first
}

// parseFrame reads the frame at an offset. Its bytes are the records alone.
func parseFrame(content []byte, offset int) (frame, bool) {
	if len(content)-offset < frameHeader {
		return frame{}, false
	}
	b := content[offset:]
	size := uint64(binary.LittleEndian.Uint32(b[8:])) + frameHeader
	if binary.LittleEndian.Uint32(b) != frameMagic || size > uint64(len(b)) ||
		binary.LittleEndian.Uint32(b[4:]) != crc32.Checksum(b[8:size], castagnoli) {
		return frame{}, false
	}
	return frame{
		first: binary.LittleEndian.Uint64(b[16:]), count: binary.LittleEndian.Uint32(b[12:]),
		bytes: b[frameHeader:size],
	}, true
}
