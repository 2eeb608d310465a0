package parking

import (
	"cmp"
	"slices"
	"time"
)

// The kinds of readings.
const (
	kindEntry = "entry"
	kindExit  = "exit"
)

// chain is a run of readings of one kind, each within the window of the one before: the same passage, read again. The
// first of them counts.
type chain struct {
	kind     string
	readings []*reading
}

func (c chain) head() *reading { return c.readings[0] }

// visit is what two chains come to: an entry, and the exit that follows it, if any does.
type visit struct {
	entry chain
	exit  chain // without readings: none
	state string
	stay  *stay
	bill  *bill
}

// inOrder sorts readings by when they took place. Where two took place at once, the car came before it left.
func inOrder(all []*reading) {
	slices.SortFunc(all, func(a, b *reading) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.kind, b.kind), cmp.Compare(a.id, b.id))
	})
}

// chains cuts readings, in their order, into passages.
func chains(all []*reading, window time.Duration) (out []chain) {
	for i, r := range all {
		if i > 0 && r.kind == all[i-1].kind && r.at.Sub(all[i-1].at) <= window {
			out[len(out)-1].readings = append(out[len(out)-1].readings, r)
			continue
		}
		out = append(out, chain{kind: r.kind, readings: []*reading{r}})
	}
	return out
}

// visits pairs passages: an exit belongs to the entry right before it. An entry that another entry follows was left
// unseen. An exit that no entry comes right before stays alone; those are listed too.
func visits(all []chain) (paired []visit, alone []chain) {
	for i, c := range all {
		switch {
		case c.kind == kindExit:
			if i == 0 || all[i-1].kind == kindExit {
				alone = append(alone, c)
			}
		case i+1 == len(all):
			paired = append(paired, visit{entry: c, state: stayOpen})
		case all[i+1].kind == kindExit:
			paired = append(paired, visit{entry: c, exit: all[i+1], state: stayExited})
		default:
			paired = append(paired, visit{entry: c, state: stayUnseen})
		}
	}
	return paired, alone
}
