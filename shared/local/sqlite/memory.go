package sqlite

import (
	"sync"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// SQLite allocates and frees blocks of 4 to 64 KiB all the time: pages of its cache, and working
// memory when it balances a B-tree. The allocator of package libc maps and unmaps memory for almost
// each of them, which took half of the time of an insert. So this file gives SQLite an allocator
// that keeps such blocks for the next use. Other blocks go to libc as before.

const (
	blockHeader = 8    // bytes before a block: its size
	blockUnit   = 1024 // kept blocks are multiples of it, header included
	minKept     = 4    // units of the smallest block that is kept
	maxKept     = 64
)

// blocks holds the free blocks by their number of units, as linked lists.
var blocks struct {
	mu   sync.Mutex
	free [maxKept + 1]uintptr
}

// keepBlocks installs the allocator. It must run before the first connection is opened.
var keepBlocks = sync.OnceFunc(func() {
	tls := libc.NewTLS()
	defer tls.Close()
	var m lib.Tsqlite3_mem_methods
	methods := libc.Xcalloc(tls, 1, libc.Tsize_t(unsafe.Sizeof(m)))
	args := tls.Alloc(int(unsafe.Sizeof(uintptr(0))))
	defer tls.Free(int(unsafe.Sizeof(uintptr(0))))
	list := libc.VaList(args, methods)
	if lib.Xsqlite3_config(tls, lib.SQLITE_CONFIG_GETMALLOC, list) != lib.SQLITE_OK {
		return // SQLite is in use already, and keeps its own allocator
	}
	p := (*lib.Tsqlite3_mem_methods)(memory(methods))
	p.FxMalloc, p.FxFree, p.FxRealloc = function(malloc), function(release), function(resize)
	p.FxSize, p.FxRoundup = function(sizeOf), function(roundUp)
	lib.Xsqlite3_config(tls, lib.SQLITE_CONFIG_MALLOC, libc.VaList(args, methods))
})

// function returns a Go function as a C function pointer of package libc.
func function[F any](f F) uintptr {
	return *(*uintptr)(unsafe.Pointer(&struct{ f F }{f})) //nolint:gosec // as libc represents it
}

// memory returns a pointer to memory that libc has allocated, which Go's collector does not move.
func memory(p uintptr) unsafe.Pointer {
	return *(*unsafe.Pointer)(unsafe.Pointer(&p)) //nolint:gosec // p is not of Go's memory
}

// class returns the units of the block for n bytes, or 0 if such blocks are not kept.
func class(n int32) int {
	c := (int(n) + blockHeader + blockUnit - 1) / blockUnit
	if c < minKept || c > maxKept {
		return 0
	}
	return c
}

func malloc(tls *libc.TLS, n int32) uintptr {
	size := roundUp(tls, n)
	if c := class(n); c > 0 {
		if p := takeBlock(c); p != 0 {
			return p
		}
	}
	p := libc.Xmalloc(tls, libc.Tsize_t(size)+blockHeader) //nolint:gosec // above zero
	if p == 0 {
		return 0
	}
	*(*int64)(memory(p)) = int64(size)
	return p + blockHeader
}

func takeBlock(c int) uintptr {
	blocks.mu.Lock()
	defer blocks.mu.Unlock()
	p := blocks.free[c]
	if p != 0 {
		blocks.free[c] = *(*uintptr)(memory(p))
	}
	return p
}

func release(tls *libc.TLS, p uintptr) {
	c := class(sizeOf(tls, p))
	if c == 0 {
		libc.Xfree(tls, p-blockHeader)
		return
	}
	blocks.mu.Lock()
	defer blocks.mu.Unlock()
	*(*uintptr)(memory(p)) = blocks.free[c]
	blocks.free[c] = p
}

func resize(tls *libc.TLS, p uintptr, n int32) uintptr {
	old := sizeOf(tls, p)
	if n <= old && class(n) == class(old) {
		return p
	}
	q := malloc(tls, n)
	if q == 0 {
		return 0
	}
	libc.Xmemcpy(tls, q, p, libc.Tsize_t(min(old, n))) //nolint:gosec // above zero
	release(tls, p)
	return q
}

func sizeOf(_ *libc.TLS, p uintptr) int32 {
	return int32(*(*int64)(memory(p - blockHeader))) //nolint:gosec // malloc wrote it from an int32
}

func roundUp(_ *libc.TLS, n int32) int32 {
	if c := class(n); c > 0 {
		return int32(c*blockUnit - blockHeader) //nolint:gosec // at most 64 KiB
	}
	return (n + 7) &^ 7
}
