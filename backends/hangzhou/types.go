package hangzhou

import (
	"errors"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// What was wrong with an argument. They are the cause of a wire.Error with ReasonInput and show nothing of the argument.
var (
	errPlate   = errors.New("plate: want 1 to 32 bytes of UTF-8 without spaces and control characters")
	errColor   = errors.New("color: it is none of the interface's")
	errEntry   = errors.New("entry: want 1 to 32 letters, digits, dashes and underscores")
	errExit    = errors.New("exit: want 1 to 32 letters, digits, dashes and underscores")
	errEntered = errors.New("entered: it is missing")
	errLeft    = errors.New("left: it is missing, or before the entry")
	errID      = errors.New("id: want 1 to 64 letters, digits, dashes, dots and underscores")
	errWord    = errors.New("gate, operator: want at most 32 bytes of UTF-8 without control characters")
	errParking = errors.New("parking: it is none of the interface's")
	errBerths  = errors.New("berths: want total >= open >= free >= 0, and at most 1,000,000")
	errAmount  = errors.New("amount: want 0 to 1,000,000,000 fen")
	errBilled  = errors.New("billed_at: it is missing")
	errPaid    = errors.New("paid_at: it is missing")
	errMeans   = errors.New("means: it is none of the interface's")
	errWay     = errors.New("way: it is none of the interface's")
	errDay     = errors.New("day: want YYYY-MM-DD")
	errParams  = errors.New("params: want the data of the push, as it came")
)

// PlateColor is the color of a plate, which is also what kind of vehicle has it.
type PlateColor int

// The colors.
const (
	Blue   PlateColor = 1
	Yellow PlateColor = 2
	White  PlateColor = 3
	Black  PlateColor = 4
	Green  PlateColor = 5 // new-energy vehicles, yellow-green ones among them
)

// ParkingKind is how a vehicle parks.
type ParkingKind int

// The kinds.
const (
	Casual  ParkingKind = 1 // pays by the hour
	Monthly ParkingKind = 2 // has a pass
	Shared  ParkingKind = 3
	Special ParkingKind = 4
)

// Means is what was paid with (paidType).
type Means int

// The means.
const (
	Cash        Means = 1
	CardWallet  Means = 2 // the citizen card's wallet
	Alipay      Means = 3
	WeChat      Means = 4
	UnionPay    Means = 5
	CardAccount Means = 6 // the citizen card's account
)

// Way is when it was paid (payType).
type Way int

// The ways.
const (
	PayLater Way = 101 // left first, paid later
	Prepaid  Way = 102 // paid inside, before leaving
	AtGate   Way = 103 // paid at the gate
	Arrears  Way = 104 // paid long after; only a dashboard of the city's has this word
)

// Stay is what every message about a visit says of it. A retry must say what was said before.
type Stay struct {
	Plate   string     // personal: never log it
	Color   PlateColor //
	Entry   string     // the number of the entry, 1 to MaxCode letters, digits, dashes and underscores
	Entered time.Time  // sent as local time, to the second
}

// Berths is how full the lot is.
type Berths struct{ Total, Open, Free int }

// Arrival says that a vehicle came in.
type Arrival struct {
	Stay
	ID       string      // ours, of the event; 1 to MaxID letters, digits, dashes, dots and underscores
	Gate     string      // of the booth; "": there is none
	Operator string      // who was on duty; "": nobody
	Parking  ParkingKind //
	Berths   Berths      // after it
}

// Departure says that a vehicle went out.
type Departure struct {
	Stay
	ID       string
	Exit     string // the number of the exit
	Left     time.Time
	Gate     string
	Operator string
	Parking  ParkingKind
	Berths   Berths
}

// Charge asks the city to collect a bill from whoever has bound the plate.
type Charge struct {
	Stay
	BillID   string    // ours, and the key: a bill is collected once
	BilledAt time.Time //
	Left     time.Time //
	Due      int64     // fen, 1 to MaxFen
}

// Payment says that a bill was paid, by whatever means.
type Payment struct {
	Stay
	BillID   string
	Price    int64 // fen: what the tariff says
	Due      int64 // fen: less what was waived or paid before
	Paid     int64 // fen
	BilledAt time.Time
	PaidAt   time.Time
	Means    Means
	Way      Way
}

func (s *Stay) check() error {
	switch {
	case !isText(s.Plate) || strings.ContainsFunc(s.Plate, unicode.IsSpace):
		return errPlate
	case s.Color < Blue || s.Color > Green:
		return errColor
	case !isCode(s.Entry):
		return errEntry
	case s.Entered.IsZero():
		return errEntered
	}
	return nil
}

func (b Berths) check() error {
	if b.Free < 0 || b.Open < b.Free || b.Total < b.Open || b.Total > 1_000_000 {
		return errBerths
	}
	return nil
}

// checkMove is what arrivals and departures have in common.
func checkMove(s *Stay, id, gate, operator string, parking ParkingKind, b Berths) error {
	if err := s.check(); err != nil {
		return err
	}
	switch {
	case !isID(id, MaxID):
		return errID
	case gate != "" && !isText(gate) || operator != "" && !isText(operator):
		return errWord
	case parking < Casual || parking > Special:
		return errParking
	}
	return b.check()
}

func (a *Arrival) check() error {
	return checkMove(&a.Stay, a.ID, a.Gate, a.Operator, a.Parking, a.Berths)
}

func (d *Departure) check() error {
	switch {
	case !isCode(d.Exit):
		return errExit
	case isBefore(d.Left, d.Entered):
		return errLeft
	}
	return checkMove(&d.Stay, d.ID, d.Gate, d.Operator, d.Parking, d.Berths)
}

func (c *Charge) check() error {
	switch {
	case !isID(c.BillID, MaxID):
		return errID
	case c.BilledAt.IsZero():
		return errBilled
	case isBefore(c.Left, c.Entered):
		return errLeft
	case c.Due < 1 || c.Due > MaxFen:
		return errAmount
	}
	return c.Stay.check()
}

func (p *Payment) check() error {
	switch {
	case !isID(p.BillID, MaxID):
		return errID
	case !isFen(p.Price) || !isFen(p.Due) || !isFen(p.Paid):
		return errAmount
	case p.BilledAt.IsZero():
		return errBilled
	case p.PaidAt.IsZero():
		return errPaid
	case p.Means < Cash || p.Means > CardAccount:
		return errMeans
	case p.Way < PayLater || p.Way > Arrears:
		return errWay
	}
	return p.Stay.check()
}

// isBefore reports whether t is missing, or before since, to the second, which is what is sent.
func isBefore(t, since time.Time) bool { return t.IsZero() || t.Unix() < since.Unix() }

func isFen(n int64) bool { return n >= 0 && n <= MaxFen }

// isText reports whether s is 1 to MaxText bytes of UTF-8 without control characters.
func isText(s string) bool {
	return s != "" && len(s) <= MaxText && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// isID reports whether s is 1 to limit letters, digits, dashes, dots and underscores.
func isID(s string, limit int) bool {
	if s == "" || len(s) > limit {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '.', c == '_':
		default:
			return false
		}
	}
	return true
}

// isCode reports whether s can be the number of a lot or a gate.
func isCode(s string) bool { return isID(s, MaxCode) && !strings.Contains(s, ".") }
