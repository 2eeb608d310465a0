package octo

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// Scenario is a kind of ticket that a gate has to judge.
type Scenario string

// The scenarios. Those with "slot" are for the first option of the first product that has slots.
const (
	Today        Scenario = "today"         // confirmed, for today
	Group        Scenario = "group"         // confirmed, for today, five people with a voucher for all beside their tickets
	Tomorrow     Scenario = "tomorrow"      // confirmed, for tomorrow
	Yesterday    Scenario = "yesterday"     // confirmed, for yesterday
	SlotNow      Scenario = "slot-now"      // confirmed, for the slot that is running
	SlotOther    Scenario = "slot-other"    // confirmed, for today, for a slot that is not running
	Cancelled    Scenario = "cancelled"     // cancelled an hour ago
	Expired      Scenario = "expired"       // held and never confirmed in time
	OnHold       Scenario = "on-hold"       // held for half an hour more
	Pending      Scenario = "pending"       // waits for the supplier's confirmation
	Rejected     Scenario = "rejected"      // the supplier would not confirm
	Redeemed     Scenario = "redeemed"      // redeemed an hour ago, elsewhere
	OtherProduct Scenario = "other-product" // confirmed, for today, for the last product on sale
)

// Want asks the twin to issue bookings.
type Want struct {
	Scenario  Scenario `json:"scenario"`  // "": Today
	Units     int      `json:"units"`     // people in each booking, 1 to 100; 0: 1, or 5 for Group
	Count     int      `json:"count"`     // bookings, 1 to 10,000; 0: 1
	Reference string   `json:"reference"` // the reseller's reference of each booking, at most 256 bytes; "": none
}

// Made is a booking that was issued, with all that a visitor could show.
type Made struct {
	UUID              string     `json:"uuid"`
	SupplierReference string     `json:"supplierReference"`
	ResellerReference string     `json:"resellerReference,omitempty"`
	Code              string     `json:"code"` // redeems the whole booking
	Units             []MadeUnit `json:"units"`
}

// MadeUnit is one person's ticket.
type MadeUnit struct {
	UUID              string `json:"uuid"`
	SupplierReference string `json:"supplierReference"`
	Code              string `json:"code"` // what the QR code holds
}

// Make issues what want (a Want as JSON, unknown members refused) says and returns a []Made.
func (t *Twin) Make(want []byte) (any, error) {
	var w Want
	if err := json.Unmarshal(want, &w, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("cannot read what to make: want {\"scenario\", \"units\", \"count\", \"reference\"}: %w", err)
	}
	return t.Issue(w)
}

// Fresh issues a confirmed ticket for one person for today.
func (t *Twin) Fresh() Made {
	made, err := t.Issue(Want{})
	if err != nil {
		panic("BUG: today's ticket cannot be refused: " + err.Error())
	}
	return made[0]
}

// Issue adds bookings. They are not in the books, which hold what callers did.
func (t *Twin) Issue(w Want) ([]Made, error) {
	if w.Scenario == "" {
		w.Scenario = Today
	}
	if w.Units == 0 {
		w.Units = 1
		if w.Scenario == Group {
			w.Units = 5
		}
	}
	if w.Count == 0 {
		w.Count = 1
	}
	switch {
	case w.Units < 1 || w.Units > 100:
		return nil, fmt.Errorf("units: want 1 to 100, got %d", w.Units)
	case w.Count < 1 || w.Count > 10_000:
		return nil, fmt.Errorf("count: want 1 to 10,000, got %d", w.Count)
	case w.Reference != "" && !isReference(w.Reference):
		return nil, fmt.Errorf("reference: want at most %d bytes without control characters", maxReference)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]Made, 0, w.Count)
	for range w.Count {
		b := t.blank(w)
		if err := t.shape(b, w.Scenario); err != nil {
			return nil, err
		}
		t.serial++
		t.changes++
		t.add(b)
		out = append(out, b.made())
	}
	return out, nil
}

// blank returns the next booking: confirmed an hour ago, for today.
func (t *Twin) blank(w Want) *twinBooking {
	r := rand.New(rand.NewPCG(t.seed(), t.serial))
	now := t.now()
	b := &twinBooking{
		UUID: newUUID(r), SupplierReference: initials(t.cfg.Supplier) + "-" + symbols(r, 8), ResellerReference: w.Reference,
		Code: "B" + symbols(r, 19), Status: StatusConfirmed, Voucher: w.Units > 1,
		Created: now.Add(-2 * time.Hour), Updated: now.Add(-time.Hour), Confirmed: now.Add(-time.Hour),
	}
	for i := range w.Units {
		b.Units = append(b.Units, twinUnit{UUID: newUUID(r), UnitID: "adult", Code: "T" + symbols(r, 19),
			SupplierReference: fmt.Sprintf("%s-%d", b.SupplierReference, i+1)})
	}
	p := &t.cfg.Products[0]
	b.book(p.ID, p.Options[0].ID, t.slots(&p.Options[0], t.cfg.Clock())[0])
	return b
}

// shape turns a blank booking into the scenario's.
func (t *Twin) shape(b *twinBooking, s Scenario) error {
	now := t.now()
	first, today := &t.cfg.Products[0], t.cfg.Clock().In(t.cfg.Location)
	switch s {
	case Today, Group:
	case Tomorrow:
		b.book(first.ID, first.Options[0].ID, t.slots(&first.Options[0], today.AddDate(0, 0, 1))[0])
	case Yesterday:
		b.book(first.ID, first.Options[0].ID, t.slots(&first.Options[0], today.AddDate(0, 0, -1))[0])
	case SlotNow, SlotOther:
		return t.shapeSlot(b, s)
	case Cancelled:
		b.Status, b.Cancelled = StatusCancelled, now.Add(-time.Hour)
	case Expired:
		b.Status, b.Confirmed, b.Expires = StatusExpired, time.Time{}, now.Add(-time.Hour)
	case OnHold:
		b.Status, b.Confirmed, b.Expires = StatusOnHold, time.Time{}, now.Add(30*time.Minute)
	case Pending:
		b.Status, b.Confirmed = StatusPending, time.Time{}
	case Rejected:
		b.Status, b.Confirmed = StatusRejected, time.Time{}
	case Redeemed:
		for i := range b.Units {
			b.Units[i].Redeemed = now.Add(-time.Hour)
		}
		b.settle(now.Add(-time.Hour))
	case OtherProduct:
		p := &t.cfg.Products[len(t.cfg.Products)-1]
		b.book(p.ID, p.Options[0].ID, t.slots(&p.Options[0], today)[0])
	default:
		return fmt.Errorf("scenario: there is no %q", s)
	}
	return nil
}

func (t *Twin) shapeSlot(b *twinBooking, s Scenario) error {
	now := t.cfg.Clock()
	for i := range t.cfg.Products {
		p := &t.cfg.Products[i]
		for j := range p.Options {
			o := &p.Options[j]
			slots := t.slots(o, now)
			running := -1
			for k := range slots {
				if !now.Before(slots[k].Start) && now.Before(slots[k].End) {
					running = k
				}
			}
			switch n := len(slots); {
			case len(o.Slots) == 0:
			case s == SlotNow && running >= 0:
				b.book(p.ID, o.ID, slots[running])
				return nil
			case s == SlotOther && n > 1:
				// half a day away, so that no early arrival or grace makes it right
				b.book(p.ID, o.ID, slots[(max(running, 0)+n/2)%n])
				return nil
			}
		}
	}
	return fmt.Errorf("scenario %q: no option has a slot for it at this time", s)
}

func (b *twinBooking) made() Made {
	m := Made{UUID: b.UUID, SupplierReference: b.SupplierReference, ResellerReference: b.ResellerReference, Code: b.Code}
	for i := range b.Units {
		u := &b.Units[i]
		m.Units = append(m.Units, MadeUnit{u.UUID, u.SupplierReference, u.Code})
	}
	return m
}

// symbols returns n characters that are hard to misread.
func symbols(r *rand.Rand, n int) string {
	const alphabet = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
	out := make([]byte, n)
	for i := range out {
		out[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(out)
}

// newUUID returns a version 4 UUID (RFC 9562) from r.
func newUUID(r *rand.Rand) string {
	hi, lo := r.Uint64(), r.Uint64()
	hi = hi&^0xf000 | 0x4000
	lo = lo&^(0xc<<60) | 0x8<<60
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", hi>>32, hi>>16&0xffff, hi&0xffff, lo>>48, lo&0xffffffffffff)
}

// initials returns "WL" for "west-lake".
func initials(name string) string {
	var out strings.Builder
	for part := range strings.FieldsFuncSeq(name, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') }) {
		out.WriteString(strings.ToUpper(part[:1]))
	}
	if out.Len() == 0 {
		return "X"
	}
	return out.String()
}
