package sqlite

import (
	"errors"
	"fmt"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// SQLite appends a commit to its write-ahead log in many small writes, two for each page. They follow one another, and
// nobody may rely on them before the log is flushed: so they are put together here, and a commit is one write and one
// flush. Whatever reads the log, asks for its length, cuts or closes it finds everything there that was written before.
//
// This is a file system of SQLite's own kind (https://sqlite.org/vfs.html) over the one that it comes with, which does the
// work. Its state lies behind each open log, in SQLite's memory, and is guarded as SQLite guards that file.

const (
	logSystem = "warmgate-log"
	logBuffer = 1<<17 - 1 // bytes of one write, the most that SQLite gives the system at once; a longer commit takes more
)

// logFile lies behind an open write-ahead log, which knows it by the address of its methods.
type logFile struct {
	methods lib.Tsqlite3_io_methods // the log's
	below   uintptr                 // *lib.Tsqlite3_io_methods of the file itself
	buffer  uintptr                 // logBuffer bytes; 0 until the first write
	held    int32                   // bytes in the buffer that are not written yet
	from    int64                   // the offset at which they belong
}

// useLogSystem returns the name of the file system for SQLite, which knows it from the first use on.
func useLogSystem() (string, error) {
	tls := libc.NewTLS()
	defer tls.Close()
	name, err := libc.CString(logSystem)
	if err != nil {
		return "", fmt.Errorf("cannot name the file system: %w", err)
	}
	if lib.Xsqlite3_vfs_find(tls, name) != 0 {
		libc.Xfree(tls, name)
		return logSystem, nil
	}
	below, own := lib.Xsqlite3_vfs_find(tls, 0), lib.Xsqlite3_malloc64(tls, uint64(unsafe.Sizeof(lib.Tsqlite3_vfs{})))
	if below == 0 || own == 0 {
		return "", errors.New("there is no file system, or no memory")
	}
	vfs := inMemory[lib.Tsqlite3_vfs](own)
	*vfs = *inMemory[lib.Tsqlite3_vfs](below)
	vfs.FpNext, vfs.FzName, vfs.FxOpen = 0, name, known(openFile)
	vfs.FszOsFile = behind(vfs.FszOsFile) + int32(unsafe.Sizeof(logFile{}))
	if rc := lib.Xsqlite3_vfs_register(tls, own, 0); rc != lib.SQLITE_OK {
		return "", fmt.Errorf("SQLite refuses the file system: %d", rc)
	}
	return logSystem, nil
}

// behind is where a logFile lies in a file whose own part has that size.
func behind(size int32) int32 { return (size + 15) &^ 15 }

// openFile opens any file (xOpen); a write-ahead log gets methods of its own.
func openFile(tls *libc.TLS, _, name, file uintptr, flags int32, outFlags uintptr) int32 {
	system := lib.Xsqlite3_vfs_find(tls, 0)
	below := inMemory[lib.Tsqlite3_vfs](system)
	rc := function[func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32](below.FxOpen)(tls, system, name, file, flags, outFlags)
	opened := inMemory[lib.Tsqlite3_file](file)
	if rc != lib.SQLITE_OK || flags&lib.SQLITE_OPEN_WAL == 0 || opened.FpMethods == 0 {
		return rc
	}
	state := file + uintptr(behind(below.FszOsFile))
	l := inMemory[logFile](state)
	*l = logFile{methods: *inMemory[lib.Tsqlite3_io_methods](opened.FpMethods), below: opened.FpMethods}
	l.methods.FxWrite, l.methods.FxSync, l.methods.FxClose = known(writeLog), known(syncLog), known(closeLog)
	l.methods.FxRead, l.methods.FxFileSize, l.methods.FxTruncate = known(readLog), known(sizeLog), known(cutLog)
	opened.FpMethods = state
	return rc
}

// logOf returns what lies behind an open log, and the methods of its file.
func logOf(file uintptr) (*logFile, *lib.Tsqlite3_io_methods) {
	l := inMemory[logFile](inMemory[lib.Tsqlite3_file](file).FpMethods)
	return l, inMemory[lib.Tsqlite3_io_methods](l.below)
}

// The types of methods that are called more than once.
type (
	writeMethod = func(tls *libc.TLS, file, data uintptr, n int32, offset int64) int32
	readMethod  = func(tls *libc.TLS, file, into uintptr, n int32, offset int64) int32
)

// flow writes what is held. What cannot be written is dropped: its transaction fails, and without its end it counts for
// nothing.
func (l *logFile) flow(tls *libc.TLS, file uintptr) int32 {
	n := l.held
	if n == 0 {
		return lib.SQLITE_OK
	}
	l.held = 0
	return function[writeMethod](inMemory[lib.Tsqlite3_io_methods](l.below).FxWrite)(tls, file, l.buffer, n, l.from)
}

// writeLog holds what follows what it holds already (xWrite).
func writeLog(tls *libc.TLS, file, data uintptr, n int32, offset int64) int32 {
	l, below := logOf(file)
	if l.held > 0 && (offset != l.from+int64(l.held) || l.held+n > logBuffer) {
		if rc := l.flow(tls, file); rc != lib.SQLITE_OK {
			return rc
		}
	}
	if l.buffer == 0 {
		l.buffer = lib.Xsqlite3_malloc64(tls, logBuffer)
	}
	if l.buffer == 0 || n > logBuffer {
		return function[writeMethod](below.FxWrite)(tls, file, data, n, offset)
	}
	if l.held == 0 {
		l.from = offset
	}
	copy(unsafe.Slice(inMemory[byte](l.buffer+uintptr(l.held)), n), unsafe.Slice(inMemory[byte](data), n)) //nolint:gosec // as much as SQLite says, into as much as there is
	l.held += n
	return lib.SQLITE_OK
}

// syncLog writes what is held and flushes the log (xSync).
func syncLog(tls *libc.TLS, file uintptr, flags int32) int32 {
	l, below := logOf(file)
	if rc := l.flow(tls, file); rc != lib.SQLITE_OK {
		return rc
	}
	return function[func(*libc.TLS, uintptr, int32) int32](below.FxSync)(tls, file, flags)
}

// readLog reads behind what was held (xRead).
func readLog(tls *libc.TLS, file, into uintptr, n int32, offset int64) int32 {
	l, below := logOf(file)
	if rc := l.flow(tls, file); rc != lib.SQLITE_OK {
		return rc
	}
	return function[readMethod](below.FxRead)(tls, file, into, n, offset)
}

// sizeLog tells the length with what was held (xFileSize).
func sizeLog(tls *libc.TLS, file, size uintptr) int32 {
	l, below := logOf(file)
	if rc := l.flow(tls, file); rc != lib.SQLITE_OK {
		return rc
	}
	return function[func(*libc.TLS, uintptr, uintptr) int32](below.FxFileSize)(tls, file, size)
}

// cutLog cuts the log behind what was held (xTruncate).
func cutLog(tls *libc.TLS, file uintptr, size int64) int32 {
	l, below := logOf(file)
	if rc := l.flow(tls, file); rc != lib.SQLITE_OK {
		return rc
	}
	return function[func(*libc.TLS, uintptr, int64) int32](below.FxTruncate)(tls, file, size)
}

// closeLog writes what is held, closes the file and frees the buffer (xClose).
func closeLog(tls *libc.TLS, file uintptr) int32 {
	l, below := logOf(file)
	written := l.flow(tls, file)
	lib.Xsqlite3_free(tls, l.buffer)
	l.buffer = 0
	if rc := function[func(*libc.TLS, uintptr) int32](below.FxClose)(tls, file); rc != lib.SQLITE_OK {
		return rc
	}
	return written
}

// inMemory is what lies at an address of SQLite's memory.
func inMemory[T any](p uintptr) *T { return (*T)(*(*unsafe.Pointer)(unsafe.Pointer(&p))) } //nolint:gosec // C's memory, which does not move

// function is the function that SQLite knows by p.
func function[F any](p uintptr) F { return *(*F)(unsafe.Pointer(&p)) } //nolint:gosec // as the translation of SQLite has its functions

// known is what SQLite knows a function by, one that is no closure and no method.
func known(f any) uintptr { return (*[2]uintptr)(unsafe.Pointer(&f))[1] } //nolint:gosec // likewise
