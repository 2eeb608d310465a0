package octo

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/backends/wire"
)

// TwinConfig says what the twin of a supplier sells and how it is reached.
type TwinConfig struct {
	Supplier string           // stable name: "west-lake"; part of the seed
	APIKey   string           // the bearer credential that it accepts
	Seed     uint64           // makes every uuid, reference and code
	Clock    func() time.Time // nil: time.Now
	Location *time.Location   // the supplier's time zone; nil: UTC
	Products []TwinProduct    // nil: DefaultProducts
}

// TwinProduct is something on sale. The first product of a twin, with its first option, is what today's tickets are for.
type TwinProduct struct {
	ID      string
	Options []TwinOption
}

// TwinOption is a way to buy a product: for the whole day (no slots), or for one of its slots.
type TwinOption struct {
	ID       string
	Slots    []TwinSlot // local times of a day, in order; none: the whole day
	Capacity int        // people for each slot, or for the day
}

// TwinSlot is a part of a day, "15:04" to "15:04"; "24:00" is midnight at its end.
type TwinSlot struct{ From, To string }

// DefaultProducts returns an entry ticket ("entry", by the "day" or in six "slots" around the clock) and a boat tour
// ("boat", by the "day"): something that the same supplier sells and the gate must not admit.
func DefaultProducts() []TwinProduct {
	slots := make([]TwinSlot, 6)
	for i := range slots {
		slots[i] = TwinSlot{fmt.Sprintf("%02d:00", 4*i), fmt.Sprintf("%02d:00", 4*i+4)}
	}
	return []TwinProduct{
		{ID: "entry", Options: []TwinOption{{ID: "day", Capacity: 100_000}, {ID: "slots", Slots: slots, Capacity: 10_000}}},
		{ID: "boat", Options: []TwinOption{{ID: "day", Capacity: 1_000}}},
	}
}

// Twin is a supplier that speaks OCTO and refuses what does not fit it. It implements twin.Backend and is safe for
// concurrent use; it keeps everything in memory, some 500 bytes for a ticket.
type Twin struct {
	cfg TwinConfig

	mu       sync.Mutex
	serial   uint64 // of the next booking
	requests uint64
	changes  uint64
	bookings []*twinBooking
	byUUID   map[string]*twinBooking
	byShown  map[string][]twinRef // whatever a visitor can show
	byCode   map[string]twinRef   // what can be redeemed
	sold     map[string]int       // people by product, option and slot
}

// twinRef is a unit of a booking, or the whole booking when unit is -1.
type twinRef struct {
	booking *twinBooking
	unit    int
}

// NewTwin returns a supplier without bookings. The error names the field at fault.
func NewTwin(cfg TwinConfig) (*Twin, error) {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Location == nil {
		cfg.Location = time.UTC
	}
	if cfg.Products == nil {
		cfg.Products = DefaultProducts()
	}
	if !wire.IsVisible(cfg.Supplier, 64) || !wire.IsVisible(cfg.APIKey, 4096) {
		return nil, errors.New("cannot make an octo twin: supplier and api key are needed, in visible ASCII")
	}
	if len(cfg.Products) == 0 {
		return nil, errors.New("cannot make an octo twin: it has no products")
	}
	for _, p := range cfg.Products {
		if p.ID == "" || len(p.Options) == 0 {
			return nil, fmt.Errorf("cannot make an octo twin: product %q needs an id and options", p.ID)
		}
		for _, o := range p.Options {
			if err := o.check(); err != nil {
				return nil, fmt.Errorf("cannot make an octo twin: product %q option %q: %w", p.ID, o.ID, err)
			}
		}
	}
	t := &Twin{cfg: cfg}
	t.index(nil)
	return t, nil
}

func (o *TwinOption) check() error {
	if o.ID == "" || o.Capacity < 1 {
		return errors.New("id and capacity are needed")
	}
	last := -1
	for _, s := range o.Slots {
		from, errFrom := minutes(s.From)
		to, errTo := minutes(s.To)
		if errFrom != nil || errTo != nil || from < last || to <= from {
			return fmt.Errorf("slot %s to %s: want ordered local times", s.From, s.To)
		}
		last = to
	}
	return nil
}

// minutes returns the minutes of a local time since midnight.
func minutes(clock string) (int, error) {
	h, m, ok := strings.Cut(clock, ":")
	hour, err1 := strconv.Atoi(h)
	minute, err2 := strconv.Atoi(m)
	if !ok || err1 != nil || err2 != nil || hour < 0 || minute < 0 || minute > 59 || hour*60+minute > 24*60 {
		return 0, fmt.Errorf("cannot read the local time %q", clock)
	}
	return hour*60 + minute, nil
}

// now returns the twin's time as OCTO shows it: UTC, whole seconds.
func (t *Twin) now() time.Time { return t.cfg.Clock().UTC().Truncate(time.Second) }

// index builds the maps anew. The caller holds mu, or is alone.
func (t *Twin) index(bookings []*twinBooking) {
	t.bookings = nil
	t.byUUID, t.byShown = map[string]*twinBooking{}, map[string][]twinRef{}
	t.byCode, t.sold = map[string]twinRef{}, map[string]int{}
	for _, b := range bookings {
		t.add(b)
	}
}

// add takes a booking into the maps.
func (t *Twin) add(b *twinBooking) {
	t.bookings = append(t.bookings, b)
	t.byUUID[b.UUID] = b
	t.byCode[b.Code] = twinRef{b, -1}
	for _, shown := range []string{b.UUID, b.SupplierReference, b.ResellerReference, b.Code} {
		if shown != "" {
			t.byShown[shown] = append(t.byShown[shown], twinRef{b, -1})
		}
	}
	for i := range b.Units {
		u := &b.Units[i]
		t.byCode[u.Code] = twinRef{b, i}
		for _, shown := range []string{u.UUID, u.SupplierReference, u.Code} {
			t.byShown[shown] = append(t.byShown[shown], twinRef{b, i})
		}
	}
	if b.takesPlace() {
		t.sold[b.slotKey()] += len(b.Units)
	}
}

// product returns the product and the option, nil where there is none of that name.
func (t *Twin) product(id, option string) (*TwinProduct, *TwinOption) {
	for i := range t.cfg.Products {
		p := &t.cfg.Products[i]
		if p.ID != id {
			continue
		}
		for j := range p.Options {
			if p.Options[j].ID == option {
				return p, &p.Options[j]
			}
		}
		return p, nil
	}
	return nil, nil
}

// slots returns the option's slots on the local date of day.
func (t *Twin) slots(o *TwinOption, day time.Time) []Slot {
	y, m, d := day.In(t.cfg.Location).Date()
	at := func(min int) time.Time { return time.Date(y, m, d, 0, min, 0, 0, t.cfg.Location) }
	if len(o.Slots) == 0 {
		return []Slot{{ID: at(0).Format(time.RFC3339), Start: at(0), End: at(24 * 60), AllDay: true}}
	}
	out := make([]Slot, 0, len(o.Slots))
	for _, s := range o.Slots {
		from, _ := minutes(s.From) // checked by NewTwin
		to, _ := minutes(s.To)
		out = append(out, Slot{ID: at(from).Format(time.RFC3339), Start: at(from), End: at(to)})
	}
	return out
}

// seed mixes the supplier's name into the seed, so that no two suppliers of a city have a code in common.
func (t *Twin) seed() uint64 { return twin.Seed(t.cfg.Seed, t.cfg.Supplier) }

// twinState is what Save writes.
type twinState struct {
	Serial   uint64         `json:"serial"`
	Requests uint64         `json:"requests"`
	Bookings []*twinBooking `json:"bookings"`
}

// Changes grows with every change of a booking.
func (t *Twin) Changes() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.changes
}

// Save returns everything the twin knows.
func (t *Twin) Save() ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return json.Marshal(twinState{t.serial, t.requests, t.bookings})
}

// Restore replaces everything the twin knows.
func (t *Twin) Restore(state []byte) error {
	var s twinState
	if err := json.Unmarshal(state, &s, json.RejectUnknownMembers(true)); err != nil {
		return fmt.Errorf("cannot restore an octo twin: %w", err)
	}
	if slices.Contains(s.Bookings, nil) {
		return errors.New("cannot restore an octo twin: a booking is null")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.serial, t.requests = s.Serial, s.Requests
	t.index(s.Bookings)
	return nil
}
