package journey

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
)

// define declares a plan from string to string that must not start.
func define(body func(b *Builder, in Ref[string]) Ref[string]) func() error {
	return func() error {
		_, err := Define("wrong", body)
		return err
	}
}

// proved declares a good plan whose timing must be refused.
func proved(body func(b *Builder, in Ref[string]) Ref[string], t Timing) func() error {
	return func() error {
		p, err := Define("wrong", body)
		if err != nil {
			return errors.New("does not even start: " + err.Error())
		}
		_, err = p.Prove(t)
		return err
	}
}

func askOnly(b *Builder, in Ref[string]) Ref[string] { return Ask(b, "look", look, in, down) }

func gatherOnly(b *Builder, in Ref[string]) Ref[string] { return many(b, in, AtMost(200)) }

func gatherShared(b *Builder, in Ref[string]) Ref[string] {
	read := call.NewRead("kit.share", call.ReadSpec[string, string]{Key: func(k *call.Key, a string) { k.Text(a) }, Share: call.JSON[string]()})
	return Check(b, "joined", joined, Gather(b, "hotels", read, Check(b, "list", asList, in), AtMost(200)))
}

// roundsAndSecond is a gather's policy of four rounds after the second level's part: 20 of 100 ms.
func roundsAndSecond(least time.Duration) call.Policy {
	return call.Policy{Slice: 100 * time.Millisecond, Min: least, Parallel: 50,
		Cache: call.CachePolicy{Fresh: time.Second, SecondLevel: 20 * time.Millisecond}}
}

func commitOnly(b *Builder, in Ref[string]) Ref[string] {
	return Commit(b, "sell", sell, in, later, sold)
}

func askCommit(b *Builder, in Ref[string]) Ref[string] {
	return Commit(b, "sell", sell, Record(b, "note", note, Ask(b, "look", look, in, down), UndoRecord(note)), later, sold, Pivot())
}

// with returns fast timing for steps, changed.
func with(change func(t *Timing), steps ...string) Timing {
	t := fast(steps...)
	change(&t)
	return t
}

// policy returns fast timing for one step under p.
func policy(step string, p call.Policy) Timing {
	return with(func(t *Timing) { t.Steps[step] = p })
}

// mustNotStart holds a small plan for each mistake that there is; its message is in testdata/refusals.
var mustNotStart = map[string]func() error{
	"gather-without-bound": define(func(b *Builder, in Ref[string]) Ref[string] { return many(b, in) }),
	"gather-of-none":       define(func(b *Builder, in Ref[string]) Ref[string] { return many(b, in, AtMost(0)) }),
	"gather-of-too-many":   define(func(b *Builder, in Ref[string]) Ref[string] { return many(b, in, AtMost(10_001)) }),
	"gather-needs-none":    define(func(b *Builder, in Ref[string]) Ref[string] { return many(b, in, AtMost(5), AtLeast(0)) }),
	"gather-needs-more-than-it-asks": define(func(b *Builder, in Ref[string]) Ref[string] {
		return many(b, in, AtMost(5), AtLeast(6), down)
	}),
	"gather-refuses-and-cannot-fail": define(func(b *Builder, in Ref[string]) Ref[string] { return many(b, in, AtMost(5), down) }),
	"gather-is-tried-and-cannot-fail": define(func(b *Builder, in Ref[string]) Ref[string] {
		all := Gather(b, "hotels", look, Check(b, "list", asList, in), AtMost(5))
		return Check(b, "first", func(r Result[[]Result[string]]) (string, error) { return r.Value[0].Value, nil }, Try(b, all))
	}),
	"gather-says-nothing": define(func(b *Builder, in Ref[string]) Ref[string] { return many(b, in, AtMost(5), AtLeast(1)) }),
	"gather-deferred":     define(func(b *Builder, in Ref[string]) Ref[string] { return many(b, in, AtMost(5), later) }),
	"gather-disclosing": define(func(b *Builder, in Ref[string]) Ref[string] {
		return many(b, in, AtMost(5), Disclose("find a room", "name"))
	}),
	"gather-at-venues-of-another-kind": define(func(b *Builder, in Ref[string]) Ref[string] {
		return many(b, in, AtMost(5), At(func(int) string { return "hotel" }))
	}),
	"asks-one-at-most":  define(func(b *Builder, in Ref[string]) Ref[string] { return Ask(b, "look", look, in, down, AtMost(1)) }),
	"asks-one-at-least": define(func(b *Builder, in Ref[string]) Ref[string] { return Ask(b, "look", look, in, down, AtLeast(1)) }),
	"gather-refuses-beside-pivot": define(func(b *Builder, in Ref[string]) Ref[string] {
		return Join(b, "join", many(b, in, AtMost(5), AtLeast(1), down), Commit(b, "sell", sell, in, later, sold), both)
	}),
	"gather-without-slice":   proved(gatherOnly, fast()),
	"gather-over-the-budget": proved(gatherOnly, with(func(t *Timing) { t.Machine = 110 * time.Millisecond }, "hotels")),
	"gather-rounds-over-the-slice": proved(gatherOnly, policy("hotels", call.Policy{
		Slice: 100 * time.Millisecond, Min: 30 * time.Millisecond, Parallel: 50})),
	"gather-rounds-after-the-second-level": proved(gatherShared, policy("hotels", roundsAndSecond(24*time.Millisecond))),
	"gather-cached-without-key":            proved(gatherOnly, policy("hotels", call.Policy{Slice: time.Millisecond, Cache: call.CachePolicy{Fresh: time.Second}})),
	"parallel-over-its-bound":              proved(gatherOnly, policy("hotels", call.Policy{Slice: time.Second, Parallel: 5000})),
	"parallel-ask":                         proved(askOnly, policy("look", call.Policy{Slice: time.Second, Parallel: 2})),
	"parallel-write":                       proved(commitOnly, policy("sell", call.Policy{Slice: time.Second, Parallel: 2})),
	"expects-another-thing": define(func(b *Builder, in Ref[string]) Ref[string] {
		return Commit(b, "sell", sell, in, later, sold, Expect(func(string) int { return 1 }))
	}),
	"refused-assist-without-default": define(func(b *Builder, in Ref[string]) Ref[string] {
		return Commit(b, "sell", sell, in, someone, RefusedAssist(map[string]Handover{"taken": handover}))
	}),
	"waits-by-a-step": define(func(b *Builder, in Ref[string]) Ref[string] {
		seen := Check(b, "look", same, in)
		Waits(b, seen, func(v string) string { return v })
		return seen
	}),
	"due-by-nobody": define(func(b *Builder, in Ref[string]) Ref[string] {
		return Commit(b, "sell", sell, in, DeferBy(nil, handover), sold)
	}),
	"no-name": func() error {
		_, err := Define("", askOnly)
		return err
	},
	"step-without-name": define(func(b *Builder, in Ref[string]) Ref[string] { return Check(b, "", same, in) }),
	"step-called-input": define(func(b *Builder, in Ref[string]) Ref[string] { return Check(b, "input", same, in) }),
	"name-twice": define(func(b *Builder, in Ref[string]) Ref[string] {
		return Check(b, "same", same, Check(b, "same", same, in))
	}),
	"unused-step": define(func(b *Builder, in Ref[string]) Ref[string] {
		Check(b, "unused", same, in)
		return Check(b, "used", same, in)
	}),
	"answer-of-another-plan": define(func(*Builder, Ref[string]) Ref[string] { return Ref[string]{} }),
	"ref-of-another-plan": func() error {
		var stolen Ref[string]
		if _, err := Define("right", func(b *Builder, in Ref[string]) Ref[string] {
			stolen = Check(b, "same", same, in)
			return stolen
		}); err != nil {
			return err
		}
		_, err := Define("wrong", func(b *Builder, in Ref[string]) Ref[string] {
			return Join(b, "join", in, stolen, both, After(stolen))
		})
		return err
	},
	"try-of-nothing": define(func(b *Builder, in Ref[string]) Ref[string] {
		return Join(b, "join", in, Try(b, Ref[string]{}), func(a string, _ Result[string]) (string, error) { return a, nil })
	}),
	"ref-of-another-branch": define(func(b *Builder, in Ref[string]) Ref[string] {
		var inner Ref[string]
		got := When(b, "when", Check(b, "no", no, in),
			func(b *Builder) Ref[string] { inner = Check(b, "then", same, in); return inner },
			func(b *Builder) Ref[string] { return Check(b, "otherwise", same, inner) })
		return Join(b, "join", got, inner, both)
	}),
	"ask-says-nothing":    define(func(b *Builder, in Ref[string]) Ref[string] { return Ask(b, "look", look, in) }),
	"commit-says-nothing": define(func(b *Builder, in Ref[string]) Ref[string] { return Commit(b, "sell", sell, in, sold) }),
	"tried-commit-says-nothing": define(func(b *Builder, in Ref[string]) Ref[string] {
		return Check(b, "result", func(r Result[string]) (string, error) { return r.Value, r.Err }, Try(b, Commit(b, "sell", sell, in)))
	}),
	"tried-and-refuses": define(func(b *Builder, in Ref[string]) Ref[string] {
		return Check(b, "result", func(r Result[string]) (string, error) { return r.Value, r.Err }, Try(b, Ask(b, "look", look, in, down)))
	}),
	"no-refusals": define(func(b *Builder, in Ref[string]) Ref[string] { return Commit(b, "sell", sell, in, later) }),
	"refusals-no-default": define(func(b *Builder, in Ref[string]) Ref[string] {
		return Commit(b, "sell", sell, in, later, Refusals(map[string]*gateway.Problem{"taken": problemSold}))
	}),
	"refusals-of-an-ask": define(func(b *Builder, in Ref[string]) Ref[string] { return Ask(b, "look", look, in, down, sold) }),
	"means-two-things":   define(func(b *Builder, in Ref[string]) Ref[string] { return Ask(b, "look", look, in, down, Without()) }),
	"refuses-with-nothing": define(func(b *Builder, in Ref[string]) Ref[string] {
		return Ask(b, "look", look, in, Refuse(nil))
	}),
	"handover-without-words": define(func(b *Builder, in Ref[string]) Ref[string] {
		return Ask(b, "look", look, in, Assist(Handover{Kind: "help", Next: gateway.Text{En: "Help"}}))
	}),
	"deferral-without-words": define(func(b *Builder, in Ref[string]) Ref[string] {
		return Commit(b, "sell", sell, in, Defer(time.Hour, Handover{}), sold)
	}),
	"policy-without-words": define(func(b *Builder, in Ref[string]) Ref[string] {
		return Commit(b, "sell", sell, in, DeferOrAssist(nil, time.Hour, handover, Handover{}), sold, Undo(unsell))
	}),
	"deferred-ask": define(func(b *Builder, in Ref[string]) Ref[string] { return Ask(b, "look", look, in, later) }),
	"deferred-without-due": define(func(b *Builder, in Ref[string]) Ref[string] {
		return Commit(b, "sell", sell, in, Defer(0, handover), sold)
	}),
	"check-goes-on-without": define(func(b *Builder, in Ref[string]) Ref[string] { return Check(b, "same", same, in, Without()) }),
	"disclosing-nothing":    define(func(b *Builder, in Ref[string]) Ref[string] { return Ask(b, "look", look, in, down, Disclose("")) }),
	"disclosing-record": define(func(b *Builder, in Ref[string]) Ref[string] {
		return Record(b, "note", note, in, Disclose("why", "name"))
	}),
	"choose-none": define(func(b *Builder, in Ref[string]) Ref[string] {
		return Choose(b, "sell", sell, Check(b, "list", asList, in), 0, later, sold)
	}),
	"commit-each-of-none": define(func(b *Builder, in Ref[string]) Ref[string] {
		return Check(b, "joined", joined, CommitEach(b, "sell", sell, Check(b, "list", asList, in), 0, later))
	}),
	"pivot-without-effect": define(func(b *Builder, in Ref[string]) Ref[string] { return Check(b, "same", same, in, Pivot()) }),
	"two-pivots": define(func(b *Builder, in Ref[string]) Ref[string] {
		return Commit(b, "sell", sell, Record(b, "note", note, in, Pivot()), later, sold, Pivot())
	}),
	"no-pivot": define(func(b *Builder, in Ref[string]) Ref[string] {
		return Commit(b, "sell", sell, Record(b, "note", note, in), later, sold)
	}),
	"pivot-without-undo": define(func(b *Builder, in Ref[string]) Ref[string] {
		return Commit(b, "sell", sell, in, Refuse(problemSold), sold)
	}),
	"before-pivot-without-undo": define(func(b *Builder, in Ref[string]) Ref[string] {
		return Commit(b, "sell", sell, Record(b, "note", note, in), later, sold, Pivot())
	}),
	"beside-pivot": define(func(b *Builder, in Ref[string]) Ref[string] {
		return Join(b, "join", Record(b, "note", note, in, UndoRecord(note)), Commit(b, "sell", sell, in, later, sold, Pivot()), both)
	}),
	"refuses-beside-pivot": define(func(b *Builder, in Ref[string]) Ref[string] {
		return Join(b, "join", Ask(b, "look", look, in, down), Commit(b, "sell", sell, in, later, sold), both, After())
	}),
	"undone-after-pivot": define(func(b *Builder, in Ref[string]) Ref[string] {
		return Commit(b, "sell", sell, Record(b, "note", note, in, Pivot()), later, Undo(unsell))
	}),
	"refuses-after-pivot": define(func(b *Builder, in Ref[string]) Ref[string] {
		return Ask(b, "look", look, Record(b, "note", note, in), down)
	}),
	"refusals-after-pivot": define(func(b *Builder, in Ref[string]) Ref[string] {
		return Commit(b, "sell", sell, Record(b, "note", note, in, Pivot()), someone, sold)
	}),
	"undo-of-a-record-by-a-write": define(func(b *Builder, in Ref[string]) Ref[string] { return Record(b, "note", note, in, Undo(unsell)) }),
	"undo-of-a-write-by-a-record": define(func(b *Builder, in Ref[string]) Ref[string] {
		return Commit(b, "sell", sell, in, later, sold, UndoRecord(note))
	}),
	"undo-of-another-type": define(func(b *Builder, in Ref[string]) Ref[string] {
		return Commit(b, "sell", sell, Record(b, "note", note, in, UndoRecord(noteCount)), later, sold, Undo(wrongU), Pivot())
	}),
	"missing-slice":    proved(askCommit, fast("look")),
	"unknown-steps":    proved(askOnly, fast("look", "loook", "note")),
	"no-times":         proved(askOnly, Timing{Steps: fast("look").Steps}),
	"over-the-journey": proved(askOnly, with(func(t *Timing) { t.Machine = t.Journey + time.Second }, "look")),
	"over-the-budget":  proved(askCommit, with(func(t *Timing) { t.Machine = 200 * time.Millisecond }, "look", "sell")),
	"answer-over-the-budget": proved(func(b *Builder, in Ref[string]) Ref[string] {
		return Ask(b, "look", look, Record(b, "note", note, in), someone)
	}, with(func(t *Timing) { t.Machine = 135 * time.Millisecond }, "look")),
	"longer-branch-over-the-budget": proved(func(b *Builder, in Ref[string]) Ref[string] {
		return When(b, "when", Check(b, "no", no, in),
			func(b *Builder) Ref[string] { return Ask(b, "short", look, in, down) },
			func(b *Builder) Ref[string] { return Ask(b, "long", look, Ask(b, "longer", look, in, down), down) })
	}, with(func(t *Timing) { t.Machine = 210 * time.Millisecond }, "short", "long", "longer")),
	"choose-over-the-budget": proved(func(b *Builder, in Ref[string]) Ref[string] {
		return Choose(b, "sell", sell, Check(b, "list", asList, in), 3, later, sold)
	}, with(func(t *Timing) { t.Machine = 150 * time.Millisecond }, "sell")),
	"attempts-over-the-slice": proved(askOnly, policy("look", call.Policy{
		Slice: 100 * time.Millisecond, Attempts: 2, AttemptTimeout: 50 * time.Millisecond, Backoff: time.Millisecond})),
	"no-slice":           proved(askOnly, policy("look", call.Policy{})),
	"cached-write":       proved(commitOnly, policy("sell", call.Policy{Slice: time.Millisecond, Cache: call.CachePolicy{Fresh: time.Second}})),
	"hedged-write":       proved(commitOnly, policy("sell", call.Policy{Slice: time.Second, HedgeAfter: time.Millisecond})),
	"cached-without-key": proved(askOnly, policy("look", call.Policy{Slice: time.Millisecond, Cache: call.CachePolicy{Fresh: time.Second}})),
	"min-over-the-slice": proved(askOnly, policy("look", call.Policy{Slice: time.Millisecond, Min: time.Second})),
}

func TestPlansThatMustNotStart(t *testing.T) {
	for name, refused := range mustNotStart {
		t.Run(name, func(t *testing.T) {
			err := refused()
			if err == nil {
				t.Fatal("it starts")
			}
			golden(t, filepath.Join("refusals", name+".txt"), err.Error()+"\n")
		})
	}
	files, err := os.ReadDir(filepath.Join("testdata", "refusals"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if name := strings.TrimSuffix(f.Name(), ".txt"); mustNotStart[name] == nil {
			t.Errorf("testdata/refusals/%s belongs to no plan", f.Name())
		}
	}
}

// What the second level leaves of the slice is enough for exactly so many rounds.
func TestRoundsFitAfterTheSecondLevel(t *testing.T) {
	if err := proved(gatherShared, policy("hotels", roundsAndSecond(20*time.Millisecond)))(); err != nil {
		t.Error(err)
	}
}

// Every way to refuse that the package has must be in the folder, in its own words.
func TestEveryRefusalIsShown(t *testing.T) {
	var shown []string
	for _, refused := range mustNotStart {
		shown = append(shown, strings.Split(refused().Error(), "\n")...)
	}
	for _, file := range []string{"journey.go", "verbs.go", "options.go", "validate.go", "gather.go"} {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range strings.Split(string(src), `.refuse("`)[1:] {
			format := strings.NewReplacer(`\"`, `"`).Replace(part[:strings.Index(strings.ReplaceAll(part, `\"`, `__`), `"`)])
			matches := func(line string) bool {
				line = strings.TrimPrefix(line, "plan wrong cannot start: ")
				line = strings.TrimPrefix(line, "plan  cannot start: ")
				for _, word := range strings.FieldsFunc(format, func(r rune) bool { return r == '%' }) {
					word = strings.TrimLeft(word, "sqd")
					at := strings.Index(line, word)
					if at < 0 {
						return false
					}
					line = line[at+len(word):]
				}
				return true
			}
			if !slices.ContainsFunc(shown, matches) {
				t.Errorf("%s: no plan shows %q", file, format)
			}
		}
	}
}
