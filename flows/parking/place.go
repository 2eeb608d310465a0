package parking

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/seal"
)

// placing brings the visits and bills of one plate at one lot in line with its readings, around one moment. All that a
// visit or a bill is follows from the readings, in whatever order they have come: what was decided on fewer of them is
// corrected, through the books.
type placing struct {
	tx       *ledger.Tx
	venue    *gateway.Venue
	settings *Settings
	keys     *seal.Keys
	plate    []byte
	run      string // the journey that has brought the reading
	seed     string // what new ids are made of, with the run
	by       string // who has: "subject@issuer" or ledger.ActorGateway
	why      string // of the corrections that follow
	lost     string // the visit of a reading that is no longer this plate's, or ""
	made     int

	stays  map[string]*stay
	bills  []*bill
	beyond map[string]bool // visits that are not wholly in view: they stay as they are
	orders
}

// orders are what has to be told outside, once the commit stands.
type orders struct {
	came    []CarIn
	left    []CarOut
	charges []Charge
}

// place does it around at. extra is a reading that is not kept yet, or nil; its state and stay are set.
func (p *placing) place(at time.Time, extra *reading) error {
	n, err := around(p.tx, p.venue.ID, p.plate, at, p.settings.SamePass, extra)
	if err != nil {
		return err
	}
	paired, alone := visits(n.chains)
	if err := p.load(n.chains); err != nil {
		return err
	}
	p.beyond = map[string]bool{}
	if n.partly && len(n.chains) > 0 { // what the first passage is, only those before it say
		first := n.chains[0]
		paired = slices.DeleteFunc(paired, func(v visit) bool { return v.entry.head() == first.head() })
		alone = slices.DeleteFunc(alone, func(c chain) bool { return c.head() == first.head() })
		p.leave(first)
	}
	if last := len(paired) - 1; n.opens && last >= 0 && paired[last].state == stayOpen { // what it came to, only what is after it says
		p.leave(paired[last].entry)
		paired = paired[:last]
	}
	p.claim(paired)
	if err := p.keepStays(paired); err != nil {
		return err
	}
	if err := p.keepBills(paired); err != nil {
		return err
	}
	for _, c := range alone {
		for _, r := range c.readings {
			if r.stay = ""; r.state != readAsked {
				r.state = readParked
			}
		}
	}
	for _, v := range paired {
		for _, r := range slices.Concat(v.entry.readings, v.exit.readings) {
			if r.state == readAsked { // nobody has to look for its entry any more
				if err := settleAbout(p.tx, p.venue.ID, handUnmatched.Kind, r.id, wordMatched); err != nil {
					return err
				}
			}
			r.state, r.stay = readCounted, v.stay.id
		}
	}
	for _, c := range n.chains {
		if err := keepReadings(p.tx, p.venue.ID, c.readings); err != nil {
			return err
		}
	}
	return nil
}

// leave marks the visits of a passage as beyond what is in view.
func (p *placing) leave(c chain) {
	for _, r := range c.readings {
		p.beyond[r.stay] = true
	}
}

// load reads the visits and the bills that the readings have had a part in so far.
func (p *placing) load(all []chain) (err error) {
	var ids []string
	if p.lost != "" {
		ids = append(ids, p.lost)
	}
	for _, c := range all {
		for _, r := range c.readings {
			if r.stay != "" && !slices.Contains(ids, r.stay) {
				ids = append(ids, r.stay)
			}
		}
	}
	if p.stays, err = findStays(p.tx, ids); err != nil {
		return err
	}
	for _, id := range ids {
		if p.stays[id].state != stayExited {
			continue
		}
		b, err := billBy(p.tx, `stay = $1`, id)
		if err != nil {
			return err
		}
		if b == nil {
			return fmt.Errorf("visit %s has ended and has no bill", id)
		}
		p.bills = append(p.bills, b)
	}
	return nil
}

// claim gives each visit the one that its entry has had so far, and the bill that its exit has had, or else its own.
func (p *placing) claim(paired []visit) {
	taken := map[string]bool{}
	for i := range paired {
		for _, r := range paired[i].entry.readings {
			if r.stay != "" && !taken[r.stay] {
				taken[r.stay], paired[i].stay = true, p.stays[r.stay]
				break
			}
		}
	}
	claimed := map[*bill]bool{}
	give := func(v *visit, fits func(b *bill) bool) {
		if v.bill != nil || v.state != stayExited {
			return
		}
		if k := slices.IndexFunc(p.bills, func(b *bill) bool { return !claimed[b] && fits(b) }); k >= 0 {
			v.bill, claimed[p.bills[k]] = p.bills[k], true
		}
	}
	for i := range paired {
		v := &paired[i]
		give(v, func(b *bill) bool {
			return slices.ContainsFunc(v.exit.readings, func(r *reading) bool { return r.id == b.exit })
		})
	}
	for i := range paired {
		v := &paired[i]
		give(v, func(b *bill) bool { return v.stay != nil && b.stay == v.stay.id })
	}
}

// newID makes an id of 32 hexadecimal digits that is the same each time that the decision runs. Ids of one time are near
// each other, as those of a UUIDv7 (RFC 9562, 5.7) are.
func (p *placing) newID() string {
	p.made++
	sum := sha256.Sum256([]byte(p.run + "/" + p.seed + "/" + strconv.Itoa(p.made)))
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(p.tx.Now().UnixMilli())<<16)
	copy(b[6:], sum[:])
	return hex.EncodeToString(b[:])
}

// keepStays keeps what the visits have become. Those that leave the lot are kept before those that come in.
func (p *placing) keepStays(paired []visit) error {
	for id, s := range p.stays {
		if !slices.ContainsFunc(paired, func(v visit) bool { return v.stay != nil && v.stay.id == id }) && !p.beyond[id] {
			s.state, s.exit, s.exitGate, s.left = stayVoid, "", "", time.Time{}
			if err := updateStay(p.tx, s); err != nil {
				return err
			}
		}
	}
	for _, open := range []bool{false, true} {
		for i := range paired {
			if v := &paired[i]; (v.state == stayOpen) == open {
				if err := p.keepStay(v); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (p *placing) keepStay(v *visit) error {
	head := v.entry.head()
	want := stay{
		tenant: p.venue.Tenant, venue: p.venue.ID, plate: p.plate, dataKey: head.dataKey, sealed: head.sealed, vehicle: head.vehicle,
		electric: head.electric, state: v.state, run: p.run, entry: head.id, gate: head.gate, entered: head.at,
	}
	if v.state == stayExited {
		out := v.exit.head()
		want.exit, want.exitGate, want.left = out.id, out.gate, out.at
		if want.vehicle == "" {
			want.vehicle = out.vehicle
		}
	}
	if v.stay == nil {
		want.id = p.newID()
		v.stay = &want
		plate, err := openPlate(p.keys, head.dataKey, head.sealed)
		if err != nil {
			return err
		}
		p.came = append(p.came, CarIn{Stay: want.id, Plate: plate, Vehicle: want.vehicle, Electric: want.electric, Gate: want.gate, At: want.entered})
		return insertStay(p.tx, v.stay)
	}
	s := v.stay
	same := s.state == want.state && s.entry == want.entry && s.exit == want.exit && s.vehicle == want.vehicle
	s.state, s.entry, s.gate, s.entered, s.vehicle, s.electric = want.state, want.entry, want.gate, want.entered, want.vehicle, want.electric
	s.exit, s.exitGate, s.left = want.exit, want.exitGate, want.left
	if same {
		return nil
	}
	return updateStay(p.tx, s)
}
