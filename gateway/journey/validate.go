package journey

// validate refuses a plan that could not keep its word. It runs once, when the plan is declared.
func (d *declaration) validate() {
	for _, n := range d.plan.nodes {
		d.validateUse(n)
		d.validateGather(n)
		d.validateMeaning(n)
		d.validateUndo(n)
	}
	d.validatePivot()
}

func (d *declaration) validateUse(n *node) {
	if n.used+n.awaited == 0 && n.index != d.plan.out && !n.kind.effect() && n.kind != kindInput {
		d.refuse("step %s is not used", n.name)
	}
	if (n.kind == kindChoose || n.kind == kindCommitEach) && n.max < 1 {
		d.refuse("step %s may call %d times: it needs at least 1", n.name, n.max)
	}
}

// validateMeaning: a step that waits for a backend fails for reasons of its own, so the plan must say what then.
func (d *declaration) validateMeaning(n *node) {
	onlyTried := n.onlyTried()
	switch {
	case n.tried > 0 && (n.meaning.verdict == refuse || n.meaning.verdict == assist):
		d.refuse("step %s is tried, and says that its failure means %s", n.name, n.meaning.verdict)
	case n.kind.calls() && n.canFail() && n.meaning.verdict == silent && (!onlyTried || n.kind.effect()):
		d.refuse("step %s does not say what its failure means: Refuse, Assist, Defer or Without", n.name)
	case n.kind.pure() && n.meaning.verdict != silent && n.meaning.verdict != assist && n.meaning.verdict != refuse:
		d.refuse("step %s decides: its failure can mean Refuse or Assist, not %s", n.name, n.meaning.verdict)
	}
}

// validateRefusals: a commit's definite no is no failure of the backend, so the plan must say what the citizen is told.
func (d *declaration) validateRefusals(n *node) {
	single := n.kind == kindCommit || n.kind == kindChoose
	if single && n.meaning.refusals == nil && n.meaning.handed == nil && !n.onlyTried() && n.meaning.verdict != without {
		d.refuse("step %s does not say what a refusal means: Refusals or RefusedAssist", n.name)
	}
}

// onlyTried reports whether every use of the step's value is a Try.
func (n *node) onlyTried() bool { return n.tried > 0 && n.tried == n.used }

func (d *declaration) validateUndo(n *node) {
	if n.undo.name == "" {
		return
	}
	want := n.shape
	if n.kind != kindRecord {
		want = n.argShape
	}
	if n.undo.shape != want {
		d.refuse("step %s is undone by %s, which takes %s and not %s", n.name, n.undo.name, n.undo.shape, want)
	}
}

// validatePivot holds the rule of the pivot: what comes before it can be undone, what comes after it goes forward.
func (d *declaration) validatePivot() {
	pivot := d.findPivot()
	if pivot == nil {
		for _, n := range d.plan.nodes {
			d.validateRefusals(n)
		}
		return
	}
	before, after := d.plan.ancestors(pivot.index), d.plan.descendants(pivot.index)
	for _, n := range d.plan.nodes {
		if !after[n.index] {
			d.validateRefusals(n)
		}
		switch {
		case n == pivot:
			if n.takesBack() && n.undo.name == "" {
				d.refuse("step %s is the pivot and may have happened when it fails: it needs an Undo", n.name)
			}
		case after[n.index]:
			d.validateForward(n, pivot)
		case !n.kind.effect():
			if !before[n.index] && pivot.undo.name == "" && pivot.kind != kindRecord && d.mayStop(n, before) {
				d.refuse("step %s may stop the plan while the pivot %s is on its way: it comes After it or before it, or the pivot needs an Undo", n.name, pivot.name)
			}
		case !before[n.index]:
			d.refuse("step %s is neither before nor after the pivot %s", n.name, pivot.name)
		case n.undo.name == "":
			d.refuse("step %s comes before the pivot %s and cannot be undone", n.name, pivot.name)
		}
	}
}

func (d *declaration) validateForward(n, pivot *node) {
	if n.undo.name != "" {
		d.refuse("step %s is undone, but comes after the pivot %s", n.name, pivot.name)
	}
	if n.meaning.verdict == refuse {
		d.refuse("step %s refuses, but comes after the pivot %s: only Assist, Defer or Without", n.name, pivot.name)
	}
	if n.meaning.refusals != nil {
		d.refuse("step %s maps refusals, but comes after the pivot %s: only Assist, Defer or Without", n.name, pivot.name)
	}
}

// mayStop reports whether a step that runs beside the pivot can end the plan while the pivot's call is in flight. A
// decision on what was known before the pivot began is made before it begins.
func (d *declaration) mayStop(n *node, before map[int]bool) bool {
	if n.kind.reads() {
		return n.canFail() && n.meaning.verdict != without && !n.onlyTried()
	}
	if n.kind != kindCheck && n.kind != kindJoin {
		return false
	}
	for i := range d.plan.ancestors(n.index) {
		if m := d.plan.nodes[i]; m.kind.reads() && !before[i] {
			return true
		}
	}
	return false
}

// findPivot returns the marked pivot. A plan with one effect turns on that effect; with several it must say on which.
func (d *declaration) findPivot() *node {
	var pivot *node
	for _, i := range d.plan.effects {
		n := d.plan.nodes[i]
		if !n.pivot {
			continue
		}
		if pivot != nil {
			d.refuse("plan has two pivots: %s and %s", pivot.name, n.name)
		}
		pivot = n
	}
	switch {
	case pivot == nil && len(d.plan.effects) == 1:
		pivot = d.plan.nodes[d.plan.effects[0]]
		pivot.pivot = true
	case pivot == nil && len(d.plan.effects) > 1:
		d.refuse("plan has %d effects and no pivot", len(d.plan.effects))
	}
	return pivot
}

// takesBack reports whether a failure of n, its effect unknown, asks for it to be undone.
func (n *node) takesBack() bool {
	for m := &n.meaning; m != nil; m = m.second {
		if m.verdict == refuse || m.verdict == assist && !m.handover.Hold {
			return n.kind != kindRecord
		}
	}
	return false
}

// ancestors returns the steps that end before step i begins.
func (p *plan) ancestors(i int) map[int]bool {
	seen := map[int]bool{}
	var walk func(int)
	walk = func(i int) {
		for _, list := range [][]int{p.nodes[i].deps, p.nodes[i].after} {
			for _, dep := range list {
				if !seen[dep] {
					seen[dep] = true
					walk(dep)
				}
			}
		}
	}
	walk(i)
	return seen
}

// descendants returns the steps that begin only after step i has ended.
func (p *plan) descendants(i int) map[int]bool {
	seen := map[int]bool{}
	for _, n := range p.nodes[i+1:] {
		if p.ancestors(n.index)[i] {
			seen[n.index] = true
		}
	}
	return seen
}
