package octo

import "time"

func (t *Twin) getLookup(r *twinRequest, _ string) (any, *twinProblem) {
	if !r.query.Has("reference") {
		return nil, badRequest("the query parameter reference is needed")
	}
	out := []*wireBooking{}
	seen := map[*twinBooking]bool{}
	for _, ref := range t.byShown[r.query.Get("reference")] {
		if !seen[ref.booking] {
			seen[ref.booking] = true
			out = append(out, t.wireRedeemable(ref.booking, r.now))
		}
	}
	return out, nil
}

// code reads the body that all redemption calls have and finds what it stands for.
func (t *Twin) code(r *twinRequest) (twinRef, *twinProblem) {
	var q struct {
		RedemptionCode *string `json:"redemptionCode"`
	}
	if p := r.strict(&q); p != nil {
		return twinRef{}, p
	}
	if q.RedemptionCode == nil || *q.RedemptionCode == "" {
		return twinRef{}, badRequest("redemptionCode is required")
	}
	ref, ok := t.byCode[*q.RedemptionCode]
	if !ok {
		return twinRef{}, unprocessable("this redemption code is not known")
	}
	return ref, nil
}

func (t *Twin) postRedeem(r *twinRequest, _ string) (any, *twinProblem) {
	ref, p := t.code(r)
	if p != nil {
		return nil, p
	}
	last, p := t.redeem(r, ref)
	if p != nil {
		return nil, p
	}
	if !last.IsZero() {
		return nil, unprocessable("this ticket is already redeemed").with("utcRedeemedAt", last)
	}
	return t.wireRedeemable(ref.booking, r.now), nil
}

func (t *Twin) postValidate(r *twinRequest, _ string) (any, *twinProblem) {
	ref, p := t.code(r)
	if p != nil {
		return nil, p
	}
	if _, p := t.redeem(r, ref); p != nil {
		return nil, p
	}
	return t.wireRedeemable(ref.booking, r.now), nil
}

// redeem redeems what is left of ref. If nothing was left it changes nothing and returns when the last unit was redeemed.
// The date of the visit is the gate's business: a redemption may be delivered after midnight.
func (t *Twin) redeem(r *twinRequest, ref twinRef) (time.Time, *twinProblem) {
	units := ref.units()
	for i := range units {
		units[i].Attempts++
	}
	t.changes++
	if s := ref.booking.status(r.now); s != StatusConfirmed && s != StatusRedeemed {
		return time.Time{}, unprocessable("a booking that is %s cannot be redeemed", s)
	}
	var last time.Time
	left := false
	for i := range units {
		u := &units[i]
		if !u.Redeemed.IsZero() {
			if u.Redeemed.After(last) {
				last = u.Redeemed
			}
			continue
		}
		left = true
		u.Redeemed = r.now
		u.Effects++
		u.By = append(u.By, r.by)
	}
	if !left {
		return last, nil
	}
	ref.booking.settle(r.now)
	return time.Time{}, nil
}

func (t *Twin) deleteRedeem(r *twinRequest, _ string) (any, *twinProblem) {
	ref, p := t.code(r)
	if p != nil {
		return nil, p
	}
	units := ref.units()
	undone := false
	for i := range units {
		if u := &units[i]; !u.Redeemed.IsZero() {
			u.Redeemed = time.Time{}
			u.Undone++
			undone = true
		}
	}
	if undone {
		ref.booking.settle(r.now)
		t.changes++
	}
	return t.wireRedeemable(ref.booking, r.now), nil
}
