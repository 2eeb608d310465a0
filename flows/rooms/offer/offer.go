// Package offer holds the words that the parts of the room search share: for which stay was asked, and what one hotel said.
// It is pure: it asks nobody and keeps nothing.
package offer

import (
	"fmt"
	"time"

	"github.com/warmgate/warmgate/gateway"
)

// Date is a day of the calendar, as days since 1970-01-01 (Gregorian, also before its time). It has no time zone: a
// hotel's day is the day at the hotel.
type Date int32

const (
	layout       = time.DateOnly
	secondsOfDay = 24 * 60 * 60
)

// DateOf returns the day that t has in its own location. Its year must lie in the 5.8 million that a Date has to either side.
func DateOf(t time.Time) Date {
	y, m, d := t.Date()
	return Date(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / secondsOfDay)
}

// ParseDate reads a day as RFC 3339's full-date, "2006-01-02", of the years 0000 to 9999. The error doesn't repeat the text.
func ParseDate(text string) (Date, error) {
	t, err := time.Parse(layout, text)
	if err != nil {
		return 0, fmt.Errorf("cannot read a day: want YYYY-MM-DD, a day that the calendar has")
	}
	return DateOf(t), nil
}

// Time returns midnight of the day in UTC.
func (d Date) Time() time.Time { return time.Unix(int64(d)*secondsOfDay, 0).UTC() }

// String returns the day as RFC 3339's full-date, "2006-01-02".
func (d Date) String() string { return d.Time().Format(layout) }

// Stay is what is looked for: a room from a day of arrival, for some nights and guests. Two stays are the same if they
// are ==; it can be a map's key.
type Stay struct {
	Arrival Date
	Nights  uint16 // 1 or more
	Guests  uint8  // in the one room; 1 or more
}

// Departure returns the day on which the guests leave: the first one whose night isn't theirs.
func (s Stay) Departure() Date { return s.Arrival + Date(s.Nights) }

// Offer is one kind of room under one rate plan, as a hotel offers it for a stay.
type Offer struct {
	Kind        string        // the hotel's code of the kind of room
	Name        string        // what the kind is called for people; "" when not known
	Plan        string        // the hotel's code of the rate plan; "" when there is none
	Free        int           // rooms that can be had for all nights; 0: none
	AtLeast     bool          // Free is a lower bound: how many there are is not said
	Total       gateway.Money // of one room for all nights; no currency: the hotel doesn't say
	Guests      int           // how many one room takes; 0: not known
	Accessible  bool          // for a wheelchair; false: not said
	Breakfast   bool          // included for everybody; false: not said
	TaxIncluded bool          // all taxes are in Total; false: not said, or they come on top
}

// Answer is what one hotel said for one stay. Who has one reads it alone: it may be shared between goroutines.
type Answer struct {
	AsOf   time.Time // when the hotel was asked, or when what it told on its own happened: nothing in it is older
	Offers []Offer   // each (Kind, Plan) once, in the hotel's own order; empty: it has nothing for this stay
	More   bool      // the hotel has more than these
}
