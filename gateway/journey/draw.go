package journey

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// Draw returns the plan as text, a line a step: what it waits for and what its failure means. It holds no budget, so
// that a change of configuration doesn't change it.
func (p *Plan[In, Out]) Draw() string {
	var s strings.Builder
	fmt.Fprintf(&s, "plan %s\n", p.core.name)
	w := tabwriter.NewWriter(&s, 0, 0, 2, ' ', 0)
	for _, n := range p.core.nodes[1:] {
		fmt.Fprintf(w, "  %s\t%s\t← %s\t%s\n", n.name, n.verb(), p.core.sources(n), n.words())
	}
	_ = w.Flush() // a strings.Builder cannot fail
	fmt.Fprintf(&s, "answer %s\n", p.core.nodes[p.core.out].name)
	lines := strings.Split(s.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

func (n *node) verb() string {
	if n.kind == kindGather || n.kind == kindChoose || n.kind == kindCommitEach {
		return fmt.Sprintf("%s ≤ %d", n.kind, n.max)
	}
	return n.kind.String()
}

func (p *plan) sources(n *node) string {
	guards := map[int]bool{}
	var parts []string
	for _, g := range n.guards {
		guards[g.cond] = true
		word := "if "
		if !g.want {
			word = "unless "
		}
		parts = append(parts, word+p.nodes[g.cond].name)
	}
	for _, dep := range n.deps {
		if !guards[dep] {
			parts = append(parts, p.nodes[dep].name)
		}
	}
	for _, after := range n.after {
		parts = append(parts, "after "+p.nodes[after].name)
	}
	return strings.Join(parts, ", ")
}

// words says what the step's failure means, in the words of the options.
func (n *node) words() string {
	var words []string
	words = append(words, n.gatherWords()...)
	if n.pivot {
		words = append(words, "pivot")
	}
	if n.undo.name != "" {
		words = append(words, "undone by "+n.undo.name)
	}
	for m := &n.meaning; m != nil; m = m.second {
		word := m.verdict.String()
		switch m.verdict {
		case silent:
			continue
		case refuse:
			word += " " + m.problem.Type
		case assist:
			word += " " + m.handover.Kind
			if m.handover.Hold {
				word += " (held)"
			}
		case deferred:
			if n.later {
				word = "later"
			}
			if word += " " + m.due.String(); m.dueBy != nil {
				word = m.verdict.String() + " as the venue says"
			}
		}
		words = append(words, word)
	}
	for _, reason := range slices.Sorted(maps.Keys(n.meaning.handed)) {
		words = append(words, strings.TrimSpace("refused "+reason)+": assist "+n.meaning.handed[reason].Kind)
	}
	if len(n.disclose.fields) > 0 {
		words = append(words, "tells "+strings.Join(n.disclose.fields, " "))
	}
	return strings.Join(words, "; ")
}
