// Package tariff turns the time that a vehicle was parked into a price that explains itself. It is pure: it asks nobody
// and keeps nothing.
//
// How a price comes about, in this order and never in another:
//
//  1. Time covered by a pass is taken out, then the free minutes: the first ones that are left.
//  2. What remains is cut into units by the steps of the period that the clock on the wall shows. Time is elapsed time:
//     an hour that a change of the clock repeats is paid twice, one that it leaves out is not paid. Seconds count,
//     fractions of them don't.
//  3. Units are charged in the order of time, each at most with what every cap leaves: that of its period, of its day on
//     the calendar, of its 24 hours since entry and of the stay. So all caps hold, and staying longer never costs less.
//  4. What purely electric vehicles are given off is taken from what the caps leave.
//  5. The sum, until here exact, is rounded, once. (Settings may have each unit rounded instead, before all caps.)
//
// How far a stay is on its steps is the charged time since they began: free minutes, free periods and covered time do not
// move it, and a unit that runs when covered time begins goes on after it. With borders: cut, a unit ends with its period,
// or where the steps begin anew; a begun one costs its whole price, and one that counts when it is over costs nothing. With
// borders: finish, it runs out at the price that it began with, and the next one is of the period that it is then.
package tariff

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/warmgate/warmgate/gateway"
)

// Car is the vehicle that every tariff has prices for, and that a visit is of which does not say.
const Car = "car"

// Visit is what a price depends on.
type Visit struct {
	Entered, Left time.Time // whole seconds count; Left is not before Entered, and at most 3,660 days after it
	Vehicle       string    // one that the settings name; "": Car
	Electric      bool      // purely electric
	Passes        []Span    // time covered by monthly passes, in any order; one that ends before it begins covers nothing
	Paid          []Payment // what was paid inside the lot, in any order
}

// Span is a time from a moment (included) to another (not included).
type Span struct{ From, To time.Time }

// Payment is what was paid in minor units. At is the moment up to which it was asked for: if all that was asked for until
// then is paid, the grace begins there.
type Payment struct {
	At    time.Time
	Minor int64
}

// Price is what a visit costs, in minor units of the tariff's currency.
type Price struct {
	Minor int64  // the whole price, 0 to 2^53-1
	Due   int64  // what is left to pay, 0 to Minor: never less than nothing, however much was paid
	Lines []Line // at least one; they sum to Minor
}

// Line is a part of a price in words. It holds all that it says: the configuration may change after it.
type Line struct {
	Minor int64        `json:"minor"` // of caps and discounts below 0
	Text  gateway.Text `json:"text"`
}

// Why a visit has no price.
var (
	ErrTime    = errors.New("cannot price a visit: it ends before it begins, is longer than 3660 days, or is not of the years 2000 to 9999")
	ErrVehicle = errors.New("cannot price a visit: the tariff has no prices for this kind of vehicle")
	ErrPaid    = fmt.Errorf("cannot price a visit: a payment is not 0 to %d", int64(maxMinor))
	ErrAmount  = fmt.Errorf("cannot price a visit: an amount is past %d", int64(maxMinor))
)

const (
	minTime = 946684800    // 1 January 2000, Unix seconds
	maxTime = 253402300799 // the end of the year 9999
	maxStay = 3660 * day
)

// Tariff is validated settings, made ready. It is immutable and may be shared between goroutines.
type Tariff struct {
	zone     *time.Location
	money    currency
	calendar map[int64]int // days since 1970 to kind of day
	units    string
	borders  string
	restart  string
	grace    int64 // seconds
	rounding Rounding
	electric Electric
	vehicles map[string]*rates
}

// New makes a tariff of settings for a lot in a time zone, with an ISO 4217 currency. Mistakes are joined
// *gateway.FieldError, with paths below the section.
func New(s Settings, zone *time.Location, currency string) (*Tariff, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	money, err := currencyOf(currency)
	if err != nil {
		return nil, err
	}
	if zone == nil {
		return nil, errors.New("cannot make a tariff: a lot has a time zone")
	}
	t := &Tariff{
		zone: zone, money: money, calendar: make(map[int64]int, len(s.Calendar)), vehicles: make(map[string]*rates, len(s.Vehicles)),
		units: word(s.Units, unitsBegun), borders: word(s.Borders, bordersCut), restart: word(s.Restart, restartStay),
		grace: int64(s.Grace / time.Second), electric: s.Electric,
		rounding: Rounding{To: max(s.Rounding.To, 1), Way: word(s.Rounding.Way, wayNearest), At: word(s.Rounding.At, roundEnd)},
	}
	for date, kind := range s.Calendar {
		at, _ := time.Parse(time.DateOnly, date)
		t.calendar[at.Unix()/day] = kindOf(kind)
	}
	c := &checker{}
	for name, r := range s.Vehicles {
		t.vehicles[name] = t.ready(c, "vehicles."+name, r)
	}
	return t, errors.Join(c.wrong...)
}

func word(said, otherwise string) string {
	if said == "" {
		return otherwise
	}
	return said
}

// Price returns what a visit costs; the error is ErrTime, ErrVehicle, ErrPaid or ErrAmount. For the same visit a later
// Left never makes it less. It needs no more than some microseconds for a day, and works for each period of the stay.
func (t *Tariff) Price(v Visit) (Price, error) {
	r, entered, left, err := t.read(v)
	if err != nil {
		return Price{}, err
	}
	paid, settled, err := t.paid(r, v, entered, left)
	if err != nil {
		return Price{}, err
	}
	price, err := t.until(r, v, entered, settled)
	if err != nil {
		return Price{}, err
	}
	price.Lines[0] = t.sayStay(entered, left)
	if settled < left {
		price.Lines = append(price.Lines, t.sayGrace(settled, left))
	}
	price.Due = max(price.Minor-paid, 0)
	return price, nil
}

// read checks what a visit says of itself.
func (t *Tariff) read(v Visit) (r *rates, entered, left int64, err error) {
	r, known := t.vehicles[word(v.Vehicle, Car)]
	entered, left = v.Entered.Unix(), v.Left.Unix()
	switch {
	case !known:
		return nil, 0, 0, ErrVehicle
	case entered < minTime || left > maxTime || left < entered || left-entered > maxStay:
		return nil, 0, 0, ErrTime
	}
	for _, p := range v.Paid {
		if p.Minor < 0 || p.Minor > maxMinor {
			return nil, 0, 0, ErrPaid
		}
	}
	return r, entered, left, nil
}

// paid returns what was paid in all, and until when the visit is charged: until it left, or, within the grace, until the
// last payment after which nothing was owed.
func (t *Tariff) paid(r *rates, v Visit, entered, left int64) (sum, until int64, err error) {
	payments := slices.Clone(v.Paid)
	slices.SortStableFunc(payments, func(a, b Payment) int { return a.At.Compare(b.At) })
	until = left
	for _, p := range payments {
		if sum += p.Minor; sum > maxMinor {
			return 0, 0, ErrPaid
		}
		at := p.At.Unix()
		if at < entered || at >= left || left-at > t.grace {
			continue
		}
		price, err := t.until(r, v, entered, at)
		if err != nil {
			return 0, 0, err
		}
		if sum >= price.Minor {
			until = at
		}
	}
	return sum, until, nil
}

// until returns the price from entry to a moment, without what was paid.
func (t *Tariff) until(r *rates, v Visit, entered, left int64) (Price, error) {
	n := &count{t: t, r: r, entered: entered, clock: clock{zone: t.zone, from: math.MaxInt64}}
	n.begin()
	charged, free := t.chargeable(r, v, entered, left)
	at := entered
	for _, s := range charged {
		n.walk(at, s.from, false)
		n.walk(s.from, s.to, true)
		at = s.to
	}
	if n.overflow {
		return Price{}, ErrAmount
	}
	b := &bill{t: t, r: r}
	b.lines = append(b.lines, t.sayStay(entered, left))
	b.sayFree(free)
	b.sayUnits(n)
	b.sayCaps(n)
	b.sayElectric(v.Electric)
	return b.close()
}
