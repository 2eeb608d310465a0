package journey

import (
	"context"
	"reflect"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// kind is what a step does.
type kind uint8

const (
	kindInput kind = iota
	kindAsk
	kindGather
	kindCheck
	kindJoin
	kindWhen
	kindTry
	kindRecord
	kindCommit
	kindChoose
	kindCommitEach
)

// String returns the verb that declares the kind.
func (k kind) String() string {
	return [...]string{"input", "ask", "gather", "check", "join", "when", "try", "record", "commit", "choose", "commit each"}[k]
}

// effect reports whether steps of this kind change something outside the run.
func (k kind) effect() bool { return k >= kindRecord }

// reads reports whether steps of this kind ask backends and change nothing.
func (k kind) reads() bool { return k == kindAsk || k == kindGather }

// calls reports whether steps of this kind speak to a backend, and so own a slice.
func (k kind) calls() bool { return k.reads() || k >= kindCommit }

// pure reports whether steps of this kind decide without waiting.
func (k kind) pure() bool { return !k.reads() && k < kindRecord }

// node is one step without its types. The functions are set by the verb that declared it and are called with the
// values of its dependencies.
type node struct {
	index    int
	name     string
	kind     kind
	deps     []int // data and guards
	after    []int // order alone
	guards   []guard
	used     int          // how many steps use its value
	tried    int          // how many of those are Try
	awaited  int          // how many steps come After it
	shape    reflect.Type // of its value
	argShape reflect.Type // of one call of an effect

	meaning  meaning
	pivot    bool
	undo     undoer
	disclose disclosure
	later    bool // its calls are the outbox's from the beginning
	max      int  // Gather, Choose and CommitEach: how many calls at most
	least    int  // Gather: how many answers are enough; 0: it cannot fail
	at       any  // Gather: a func(A) string, the venue that each argument is asked of; nil: the run's own

	decide   func(r *run) (any, error)                                                       // pure steps
	ask      func(ctx context.Context, r *run, start time.Time) (any, gateway.Source, error) // Ask
	askAll   func(r *run, start time.Time) ([]gateway.Source, any, error)                    // Gather
	apply    func(tx *ledger.Tx, r *run) (any, error)                                        // Record
	effect   effect                                                                          // Commit, Choose, CommitEach
	gather   func(items []item) any                                                          // CommitEach: items to []Result[O]
	expect   func(arg any) any                                                               // an effect: its usual value; nil: that cannot be said
	args     func(r *run) []any                                                              // Choose, CommitEach: the candidates
	zero     any                                                                             // the value when the step went on without
	decode   func(plain []byte) (any, error)                                                 // the value back from the ledger
	validate func(p call.Policy) error                                                       // of a call
	branch   func(r *run) int                                                                // When: the node whose value it takes
	result   func(value any, err error, deferred bool) any                                   // Try: a failure becomes data
}

// effect is one typed write without its types: what the engine, the outbox and recovery need of it.
type effect interface {
	name() string
	key(arg any) string
	encode(v any) ([]byte, error)
	decodeArg(plain []byte) (any, error)
	decodeValue(plain []byte) (any, error)
	do(ctx context.Context, c *call.Caller, b *call.Bindings, p call.Policy, key string, arg any) (any, error)
	find(ctx context.Context, c *call.Caller, b *call.Bindings, p call.Policy, key string, arg any) (any, bool, error)
	bound(b *call.Bindings) bool
}

// item is the fate of one call of a Commit, a Choose or a CommitEach.
type item struct {
	arg      any
	key      string
	value    any
	err      error
	begun    bool // its operation is in the ledger
	deferred bool // the outbox owns it
	known    bool // the ledger already held its result: nothing was called
	adopted  bool // it was begun by a run that died
}

// calls reports whether the step makes calls while somebody waits, and so owns a slice.
func (n *node) calls() bool { return n.kind.calls() && !n.later }

func shapeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }
