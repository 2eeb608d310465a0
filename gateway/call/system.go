package call

// served is what every bound operation can say, whatever its types.
type served interface{ instance() *Instance }

func (o *bound[A, O]) instance() *Instance      { return o.in }
func (o *boundWrite[A, O]) instance() *Instance { return o.in }

// System returns the word for the system that serves the operation name at this venue; the name itself where none does.
func (b *Bindings) System(name string) string {
	if op, ok := b.ops[name].(served); ok {
		return op.instance().system
	}
	return name
}

// Silent reports whether the operation name is an effect at this venue that tells nobody anything; see Effect.
func (b *Bindings) Silent(name string) bool {
	op, ok := b.ops[name].(interface{ silent() bool })
	return ok && op.silent()
}

func (o *boundWrite[A, O]) silent() bool { return o.effect.Silent }
