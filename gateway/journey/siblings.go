package journey

// awaitSiblings lets the calls beside a step that has failed past the pivot land before a person is told what is done and
// what is not. Their slices are part of the proof, as the failed step's is.
func (r *run) awaitSiblings() {
	if !r.pivoted || r.ended || r.stop == nil || r.stop.handover == nil {
		return
	}
	for r.inFlight > 0 {
		r.land(<-r.landed)
	}
}
