package sqlite

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// openedLog is a log opened as SQLite opens one, its memory and its model.
type openedLog struct {
	t     *testing.T
	tls   *libc.TLS
	file  uintptr
	data  uintptr // to write from and read into
	model []byte
}

const mostData = logBuffer // SQLite's own file system takes no more at once

func openLog(t *testing.T, path string) *openedLog {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o600); err != nil { // the database; a log gets its mode
		t.Fatal(err)
	}
	name, err := useLogSystem()
	if err != nil {
		t.Fatal(err)
	}
	tls := libc.NewTLS()
	t.Cleanup(tls.Close)
	text := func(s string) uintptr {
		p, err := libc.CString(s + "\x00\x00")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { libc.Xfree(tls, p) })
		return p
	}
	memory := func(n int) uintptr {
		p := lib.Xsqlite3_malloc64(tls, uint64(n))
		t.Cleanup(func() { lib.Xsqlite3_free(tls, p) })
		return p
	}
	system := lib.Xsqlite3_vfs_find(tls, text(name))
	vfs := inMemory[lib.Tsqlite3_vfs](system)
	l := &openedLog{t: t, tls: tls, file: memory(int(vfs.FszOsFile)), data: memory(mostData)}
	open := function[func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32](vfs.FxOpen)
	l.is("open", open(tls, system, text(path+"-wal"), l.file, lib.SQLITE_OPEN_WAL|lib.SQLITE_OPEN_READWRITE|lib.SQLITE_OPEN_CREATE, 0))
	return l
}

func (l *openedLog) is(what string, rc int32) {
	l.t.Helper()
	if rc != lib.SQLITE_OK {
		l.t.Fatalf("%s: %d", what, rc)
	}
}

func (l *openedLog) methods() *lib.Tsqlite3_io_methods {
	return inMemory[lib.Tsqlite3_io_methods](inMemory[lib.Tsqlite3_file](l.file).FpMethods)
}

func (l *openedLog) bytes(n int) []byte { return unsafe.Slice(inMemory[byte](l.data), n) }

func (l *openedLog) write(at int, b []byte) {
	l.t.Helper()
	copy(l.bytes(len(b)), b)
	l.is("write", function[writeMethod](l.methods().FxWrite)(l.tls, l.file, l.data, int32(len(b)), int64(at)))
	if grow := at + len(b) - len(l.model); grow > 0 {
		l.model = append(l.model, make([]byte, grow)...)
	}
	copy(l.model[at:], b)
	clear(l.bytes(len(b))) // SQLite's page changes again
}

func (l *openedLog) read(at, n int) {
	l.t.Helper()
	l.is("read", function[readMethod](l.methods().FxRead)(l.tls, l.file, l.data, int32(n), int64(at)))
	if !bytes.Equal(l.bytes(n), l.model[at:at+n]) {
		l.t.Fatalf("%d bytes at %d are others than were written", n, at)
	}
}

func (l *openedLog) size() {
	l.t.Helper()
	l.is("size", function[func(*libc.TLS, uintptr, uintptr) int32](l.methods().FxFileSize)(l.tls, l.file, l.data))
	if size := *inMemory[int64](l.data); size != int64(len(l.model)) {
		l.t.Fatalf("the log has %d bytes, want %d", size, len(l.model))
	}
}

func (l *openedLog) cut(n int) {
	l.t.Helper()
	l.is("cut", function[func(*libc.TLS, uintptr, int64) int32](l.methods().FxTruncate)(l.tls, l.file, int64(n)))
	l.model = l.model[:n]
}

func (l *openedLog) sync() {
	l.t.Helper()
	l.is("flush", function[func(*libc.TLS, uintptr, int32) int32](l.methods().FxSync)(l.tls, l.file, lib.SQLITE_SYNC_NORMAL))
}

func (l *openedLog) close() {
	l.t.Helper()
	l.is("close", function[func(*libc.TLS, uintptr) int32](l.methods().FxClose)(l.tls, l.file))
}

// onDisk holds what others see of the log against the model.
func (l *openedLog) onDisk(path string) {
	l.t.Helper()
	b, err := os.ReadFile(path + "-wal")
	if err != nil {
		l.t.Fatal(err)
	}
	if !bytes.Equal(b, l.model) {
		l.t.Fatalf("the log on the disk has %d bytes, %d were written, or they differ", len(b), len(l.model))
	}
}

// A log is what was written to it, in whatever order it is written, read, measured, cut and flushed, and whoever opens it
// beside sees all of it after a flush and after it is closed.
func TestLogIsWhatWasWritten(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		path := filepath.Join(t.TempDir(), "ledger.db")
		l := openLog(t, path)
		next := 0
		for range 400 {
			n := []int{24, 4096, 1 + r.IntN(9000), logBuffer - r.IntN(2)}[min(3, r.IntN(31)/10)]
			switch what := r.IntN(100); {
			case what < 75:
				if what < 5 {
					next = r.IntN(len(l.model) + 1)
				}
				if next > 2<<20 {
					next = 0
				}
				b := make([]byte, n)
				for i := range b {
					b[i] = byte(r.Uint32())
				}
				l.write(next, b)
				next += n
			case what < 82:
				if len(l.model) > 0 {
					at := r.IntN(len(l.model))
					l.read(at, min(n, len(l.model)-at))
				}
			case what < 88:
				l.size()
			case what < 91:
				l.cut(r.IntN(len(l.model) + 1))
				next = len(l.model)
			default:
				l.sync()
				l.onDisk(path)
			}
		}
		l.close()
		l.onDisk(path)
	}
}

// What a log could not write is its flush's failure, and is not written later over what follows.
func TestLogFailsItsFlush(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	l := openLog(t, path)
	l.write(0, []byte("before"))
	l.sync()
	below := inMemory[lib.Tsqlite3_io_methods](inMemory[logFile](inMemory[lib.Tsqlite3_file](l.file).FpMethods).below)
	full := lib.Xsqlite3_malloc64(l.tls, uint64(unsafe.Sizeof(*below)))
	defer lib.Xsqlite3_free(l.tls, full)
	*inMemory[lib.Tsqlite3_io_methods](full) = *below
	inMemory[lib.Tsqlite3_io_methods](full).FxWrite = known(refuseWrite)
	inMemory[logFile](inMemory[lib.Tsqlite3_file](l.file).FpMethods).below = full
	for what, f := range map[string]func() int32{
		"flush": func() int32 {
			return function[func(*libc.TLS, uintptr, int32) int32](l.methods().FxSync)(l.tls, l.file, lib.SQLITE_SYNC_NORMAL)
		},
		"read": func() int32 { return function[readMethod](l.methods().FxRead)(l.tls, l.file, l.data, 1, 0) },
		"cut": func() int32 {
			return function[func(*libc.TLS, uintptr, int64) int32](l.methods().FxTruncate)(l.tls, l.file, 0)
		},
		"size": func() int32 {
			return function[func(*libc.TLS, uintptr, uintptr) int32](l.methods().FxFileSize)(l.tls, l.file, l.data)
		},
		"write elsewhere": func() int32 { return function[writeMethod](l.methods().FxWrite)(l.tls, l.file, l.data, 1, 1<<20) },
	} {
		l.is("write", function[writeMethod](l.methods().FxWrite)(l.tls, l.file, l.data, 5, 6))
		if rc := f(); rc != lib.SQLITE_FULL {
			t.Errorf("%s on a full disk: %d", what, rc)
		}
	}
	inMemory[lib.Tsqlite3_io_methods](full).FxWrite = below.FxWrite
	l.sync()
	l.onDisk(path)
	l.close()
}

func refuseWrite(*libc.TLS, uintptr, uintptr, int32, int64) int32 { return lib.SQLITE_FULL }

// writesSeen counts the writes of TestCommitIsOneWrite; SQLite knows functions without a receiver alone.
var writesSeen atomic.Int64

func countWrite(tls *libc.TLS, fd int32, data uintptr, n libc.Tsize_t, offset int64) libc.Tssize_t {
	writesSeen.Add(1)
	return libc.Xpwrite(tls, fd, data, n, offset)
}

// A commit of many pages is one write to the log.
func TestCommitIsOneWrite(t *testing.T) {
	tls := libc.NewTLS()
	name, err := libc.CString("pwrite")
	if err != nil {
		t.Fatal(err)
	}
	system := lib.Xsqlite3_vfs_find(tls, 0)
	replace := function[func(*libc.TLS, uintptr, uintptr, uintptr) int32](inMemory[lib.Tsqlite3_vfs](system).FxSetSystemCall)
	if rc := replace(tls, system, name, known(countWrite)); rc != lib.SQLITE_OK {
		t.Fatal(rc)
	}
	t.Cleanup(func() { // once the ledger is closed
		replace(tls, system, name, 0)
		libc.Xfree(tls, name)
		tls.Close()
	})
	l, _ := diskLedger(t, t.TempDir())
	for _, id := range []string{"a", "b"} { // the first one begins the log too
		writesSeen.Store(0)
		if err := l.Commit(t.Context(), blob{id, 60 << 10}); err != nil {
			t.Fatal(err)
		}
	}
	if n := writesSeen.Load(); n != 1 {
		t.Errorf("a commit of many pages took %d writes", n)
	}
}
