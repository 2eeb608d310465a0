// Package call makes one typed call to an outside system under its policy, always in this order:
//
//	cache → coalesce → second level → hedge | retry → for each attempt: deadline, bulkhead, breaker, transport, decode → cache
//
// Cache: an answer is used while it is fresh; while it may be stale and is asked for again behind the answer; and, if it
// may be stale on errors, when asking fails. Errors are never kept. Coalesce: equal reads wait for one call, which has the
// whole slice; each leaves at its own deadline. Second level: where the policy says so, the cache that replicas share is
// asked first, within a part of the slice; what it knows is judged by its age, as in the memory. Hedge and retry: reads
// alone, within the slice, never with less left than the policy's min, and paid from the instance's budget. Attempt: its
// context is made from nothing but its deadline and the trace; the bound function is transport and decode.
package call
