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
