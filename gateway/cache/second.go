package cache

import "time"

// Second is a cache behind the memory that may be gone at any moment. It holds nothing that identifies a person. Safe
// for concurrent use.
type Second interface {
	// Get returns what is kept under key, within the given time. What is late, altered, of another shape or from the future
	// is not there.
	Get(key string, shape uint64, within time.Duration) (Kept, bool)
	// Set has k kept under key, behind the caller; it may be left out. encode makes k's Body, behind the caller too.
	Set(key string, k Kept, encode func() ([]byte, error))
	// Forget has key forgotten there and in the memories of all replicas, behind the caller. It is not left out: what
	// cannot be done now is done once the second level is back.
	Forget(key string)
}

// Kept is one known answer as the second level has it.
type Kept struct {
	Body   []byte        // the encoded value
	Shape  uint64        // of the value's type: what was encoded from another one is not read
	AsOf   time.Time     // when the outside system was asked, by the clock of whoever asked
	Absent bool          // the answer is that there is nothing
	Keep   time.Duration // from AsOf on; of use to Set alone
}
