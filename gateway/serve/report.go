package serve

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/warmgate/warmgate/gateway/journey"
)

// WriteProofs prints the proof of every plan: its longest path, what each step on it may cost, and what is spare.
func (g *Generation) WriteProofs(w io.Writer) error {
	for i := range g.Proofs {
		if i > 0 {
			if _, err := fmt.Fprintln(w); err != nil {
				return err
			}
		}
		if err := writeProof(w, &g.Proofs[i]); err != nil {
			return fmt.Errorf("cannot print the proofs: %w", err)
		}
	}
	return nil
}

func writeProof(w io.Writer, p *journey.Proof) error {
	t := p.Timing
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "plan %s: %s of its %s for the citizen are the machine's\n", p.Plan, t.Machine, t.Journey)
	fmt.Fprintln(out, "step\tslice\tflushes\tso far\t")
	var sum time.Duration
	for _, part := range p.Path {
		sum += part.Slice + time.Duration(part.Flushes)*t.Flush
		slice, flushes := "", ""
		if part.Slice > 0 {
			slice = part.Slice.String()
		}
		if part.Flushes > 0 {
			flushes = fmt.Sprintf("%d × %s", part.Flushes, t.Flush)
		}
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\t\n", part.Step, slice, flushes, sum)
	}
	fmt.Fprintf(out, "overhead\t%s\t\t%s\t\n", t.Overhead, sum+t.Overhead)
	fmt.Fprintf(out, "total\t\t\t%s\t\n", p.Total)
	fmt.Fprintf(out, "machine budget\t\t\t%s\t\n", t.Machine)
	fmt.Fprintf(out, "spare\t\t\t%s\t\n", t.Machine-p.Total)
	fmt.Fprintf(out, "shortest\t\t\t%s\t\n", p.Shortest)
	return out.Flush()
}

// WriteThresholds prints what a load test holds the journeys to, as k6's options.thresholds: each plan's answers within
// its machine budget, and all checks kept.
func (g *Generation) WriteThresholds(w io.Writer) error {
	all := map[string][]string{}
	for i := range g.Proofs {
		p := &g.Proofs[i]
		all[fmt.Sprintf("http_req_duration{journey:%s}", p.Plan)] = []string{fmt.Sprintf("p(99)<%d", p.Timing.Machine.Milliseconds())}
		all[fmt.Sprintf("checks{journey:%s}", p.Plan)] = []string{"rate==1"}
	}
	if err := json.MarshalWrite(w, all, json.Deterministic(true), jsontext.WithIndent("  ")); err != nil {
		return fmt.Errorf("cannot print the thresholds: %w", err)
	}
	_, err := fmt.Fprintln(w)
	return err
}
