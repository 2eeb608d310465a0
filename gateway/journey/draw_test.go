package journey

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway"
)

// drawable is a plan that can be drawn and proved, whatever its types.
type drawable interface {
	Draw() string
	line(t Timing) (string, error)
}

func (p *Plan[In, Out]) line(t Timing) (string, error) {
	proven, err := p.Prove(t)
	if err != nil {
		return "", err
	}
	f := proven.Proof()
	return fmt.Sprintf("longest  %s of %s: %s\nshortest %s\n", f.Total, t.Machine, f.Line(), f.Shortest), nil
}

// drawings are plans in which every verb and every option occurs.
var drawings = map[string]struct {
	plan  func() (drawable, error)
	steps []string
}{
	"parallel-reads": {steps: []string{"a", "b", "c", "d", "e", "f"}, plan: func() (drawable, error) { return sixCalls() }},
	"branches": {steps: []string{"cheap", "dear", "dearer"}, plan: func() (drawable, error) {
		return Define("branches", func(b *Builder, in Ref[string]) Ref[string] {
			return When(b, "when", Check(b, "no", no, in),
				func(b *Builder) Ref[string] { return Ask(b, "cheap", look, in, down) },
				func(b *Builder) Ref[string] {
					return When(b, "inner", Check(b, "still", no, in),
						func(b *Builder) Ref[string] {
							return Ask(b, "dear", look, Ask(b, "dearer", look, in, Without()), someone)
						},
						func(*Builder) Ref[string] { return in })
				})
		})
	}},
	"many": {steps: []string{"near", "hotels", "prices"}, plan: func() (drawable, error) {
		return Define("many", func(b *Builder, in Ref[string]) Ref[string] {
			hotels := Ask(b, "near", listed, in, down)
			free := Gather(b, "hotels", look, hotels, AtMost(200), AtLeast(1), At(func(hotel string) string { return hotel }), down)
			prices := Gather(b, "prices", look, hotels, AtMost(50))
			return Join(b, "rooms", free, prices, func(a, _ []Result[string]) (string, error) { return a[0].Value, nil })
		})
	}},
	"one-effect": {steps: []string{"find", "sell"}, plan: func() (drawable, error) {
		return Define("one-effect", func(b *Builder, in Ref[string]) Ref[string] {
			found := Check(b, "unwrap", func(r Result[string]) (string, error) { return r.Value, r.Err },
				Try(b, Ask(b, "find", look, in, Disclose("find the ticket", "ticket.code"))))
			return Commit(b, "sell", sell, found, later, sold)
		})
	}},
	"everything": {steps: []string{"find", "reserve", "pay", "tell", "print"}, plan: func() (drawable, error) {
		return Define("everything", func(b *Builder, in Ref[string]) Ref[string] {
			rooms := Ask(b, "find", listed, in, down)
			held := Record(b, "hold", note, Check(b, "first", first, rooms, someone), UndoRecord(note))
			got := Choose(b, "reserve", sell, rooms, 3, Refuse(problemSold), sold, Undo(unsell), After(held))
			paid := Commit(b, "pay", sell, got, Refuse(problemSold), sold, Pivot(), Undo(unsell), Disclose("take the money", "card", "name"))
			told := CommitEach(b, "tell", sell, Check(b, "whom", asList, paid), 4,
				DeferOrAssist(func(*gateway.Venue) bool { return true }, time.Hour, handover,
					Handover{Kind: "told-late", Next: handover.Next, Hold: true}))
			printed := Commit(b, "print", sell, paid, Without())
			return Record(b, "book", note, Join(b, "sum", printed, told, func(a string, _ []Result[string]) (string, error) { return a, nil }))
		})
	}},
}

func TestPlansAreDrawnAsInTheGoldenFiles(t *testing.T) {
	for name, d := range drawings {
		t.Run(name, func(t *testing.T) {
			p, err := d.plan()
			if err != nil {
				t.Fatal(err)
			}
			proof, err := p.line(fast(d.steps...))
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name+".golden", p.Draw()+"\n"+proof)
		})
	}
}

// A drawing holds no budget: a change of configuration doesn't change it.
func TestDrawingHoldsNoBudget(t *testing.T) {
	p, err := sixCalls()
	if err != nil {
		t.Fatal(err)
	}
	if d := p.Draw(); strings.Contains(d, "ms") {
		t.Errorf("a budget is drawn:\n%s", d)
	}
}
