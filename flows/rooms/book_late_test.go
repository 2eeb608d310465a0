package rooms_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/flows/rooms/booktest"
	"github.com/warmgate/warmgate/gateway/ledger/ledgertest"
)

// unclear has a hotel take a booking, or not, without its answer arriving, and returns the wish and the 202.
func (c bookTown) unclear(taken bool) (wish m, a flowtest.Answer) {
	c.T.Helper()
	wish = c.Find(lakeside, "STD").Wish("王小明")
	c.Dial(lakeside, "pms", twin.Dial{Fault: twin.Reset, AfterEffect: taken, Path: "/rsv"})
	a = c.Book(lakeside, "li", "one", wish)
	c.want(a, 202, "wait")
	return wish, a
}

// says reads what the journey of an answer has come to, for whoever booked.
func (c bookTown) says(a flowtest.Answer) (state, decision string) {
	c.T.Helper()
	var of struct {
		Journey string `json:"journey"`
	}
	a.Into(c.T, &of)
	var j struct {
		State    string `json:"state"`
		Decision string `json:"decision"`
	}
	c.Do(flowtest.Call{Method: http.MethodGet, Path: "/v1/journeys/" + of.Journey, Token: c.Citizen("li")}).Into(c.T, &j)
	return j.State, j.Decision
}

// TestWhatTheHotelHasTakenIsTheGuests, though its answer was not known in time: the journey says so, the same wish has its
// number, and nobody has to do anything.
func TestWhatTheHotelHasTakenIsTheGuests(t *testing.T) {
	t.Parallel()
	c := startBooking(t, booktest.Placed(lakeside, 0, ""))
	before := c.Find(lakeside, "STD").Free
	wish, a := c.unclear(true)
	if state, decision := c.says(a); state != "assist" || decision != "wait" {
		t.Errorf("while nobody knows: %s, %q", state, decision)
	}
	c.want(c.Book(lakeside, "li", "two", wish), 409, "still-running")
	c.Dial(lakeside, "pms", twin.Dial{})
	c.Quiet()
	if got := c.Wrong(lakeside, "booked"); got != "" {
		t.Fatal(got)
	}
	if state, decision := c.says(a); state != "settled" || decision != "booked" {
		t.Errorf("once it is known: %s, %q", state, decision)
	}
	b := c.want(c.Book(lakeside, "li", "three", wish), 409, "room-booked-already")
	if n := c.Find(lakeside, "STD").Free; n != before-1 {
		t.Errorf("%d are free, were %d", n, before)
	}
	if again := c.Book(lakeside, "li", "one", wish); again.Status != 202 || again.Text != a.Text {
		t.Errorf("under the same key: %d %s", again.Status, again.Text)
	}
	c.want(c.CallOff(lakeside, "li", b.Confirmation), 200, "cancelled")
	if c.Standing(lakeside) != 0 {
		t.Error("the hotel still has it")
	}
}

// TestWhoeverHasTheLastRoomIsToldSo, whatever key they ask again under: the hotel is full by then, and dearer.
func TestWhoeverHasTheLastRoomIsToldSo(t *testing.T) {
	t.Parallel()
	for _, clear := range []bool{true, false} {
		c := startBooking(t, booktest.Placed(lakeside, 0, ""))
		hotel := c.OHIP[lakeside]
		o := c.Find(lakeside, "STD")
		if _, err := hotel.Reserve(ohip.Want{Count: o.Free - 1}); err != nil {
			t.Fatal(err)
		}
		wish := o.Wish("王小明")
		if clear {
			c.want(c.Book(lakeside, "li", "one", wish), 201, "booked")
		} else {
			wish, _ = c.unclear(true)
			c.want(c.Book(lakeside, "li", "two", wish), 409, "still-running")
			c.Dial(lakeside, "pms", twin.Dial{})
			c.Quiet()
		}
		if err := hotel.Reprice("STD", 999_00); err != nil {
			t.Fatal(err)
		}
		if b := c.want(c.Book(lakeside, "li", "three", wish), 409, "room-booked-already"); b.Confirmation == "" {
			t.Errorf("without its number: %+v", b)
		}
		c.want(c.Book(lakeside, "wang", "", wish), 409, "room-gone")
		if c.Standing(lakeside) != 1 {
			t.Errorf("%d stand", c.Standing(lakeside))
		}
	}
}

// TestWhatTheHotelHasNotTakenCanBeBookedAgain: then nobody has to settle the first one.
func TestWhatTheHotelHasNotTakenCanBeBookedAgain(t *testing.T) {
	t.Parallel()
	c := startBooking(t, booktest.Placed(lakeside, 0, ""))
	wish, a := c.unclear(false)
	c.Dial(lakeside, "pms", twin.Dial{})
	c.Quiet()
	if state, _ := c.says(a); state != "assist" || len(c.Waiting()) != 1 {
		t.Errorf("the journey is %s, waiting %+v", state, c.Waiting())
	}
	c.want(c.Book(lakeside, "li", "two", wish), 201, "booked")
	if got := c.Wrong(lakeside, "booked"); got != "" {
		t.Error(got)
	}
	if state, decision := c.says(a); state != "settled" || decision != "continue" {
		t.Errorf("the first journey: %s, %q", state, decision)
	}
}

// TestStaffGiveAnUnclearBookingUp: what the hotel has of it is taken back, once, and the wish may be booked anew at once.
func TestStaffGiveAnUnclearBookingUp(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"again", "gone"} {
		t.Run(word, func(t *testing.T) {
			t.Parallel()
			c := startBooking(t, booktest.Placed(lakeside, 0, ""))
			wish, a := c.unclear(true)
			if got := c.Resolve("room-booking-unclear", "booked", nil); got.Problem() != "still-running" {
				t.Errorf("that it is booked is not known: %d %s", got.Status, got.Text)
			}
			open := c.Waiting()[0]
			if got := c.Staff("/v1/assists/"+open.ID+"/resolution", map[string]any{"resolution": word, "reason": "the guest was called"}); got.Status != 201 {
				t.Fatalf("%d %s", got.Status, got.Text)
			}
			c.Dial(lakeside, "pms", twin.Dial{})
			c.Quiet()
			if got := c.Wrong(lakeside, "nothing"); got != "" {
				t.Error(got)
			}
			if _, decision := c.says(a); decision != map[string]string{"again": "continue", "gone": "closed"}[word] {
				t.Errorf("the journey says %q", decision)
			}
			c.want(c.Book(lakeside, "li", "two", wish), 201, "booked")
			if c.made(lakeside) != 2 || c.Standing(lakeside) != 1 {
				t.Errorf("made %d, standing %d", c.made(lakeside), c.Standing(lakeside))
			}
		})
	}
}

// TestTheLedgerDiesAtEachStepOfABooking: while a call is on its way nothing can be kept any more, as after a kill. Whoever was
// told a number has the room; what nobody was told of is taken back.
func TestTheLedgerDiesAtEachStepOfABooking(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		at      string
		path    string
		calls   bool // off, and does not book
		after   bool // the hotel has done it
		again   bool // it is called off once more, before it is booked anew
		answers []string
	}{
		{"the look", "/par", false, false, false, []string{"503 ledger-unavailable"}},
		{"the booking, before it", "/rsv", false, false, false, []string{"503 ledger-unavailable"}},
		{"the booking, after it", "/rsv", false, true, false, []string{"503 ledger-unavailable"}},
		{"the cancellation, before it", "/rsv", true, false, true, []string{"200 ", "503 ledger-unavailable"}},
		{"the cancellation, after it", "/rsv", true, true, true, []string{"200 ", "503 ledger-unavailable"}},
		{"the cancellation, after it, for ever", "/rsv", true, true, false, []string{"200 ", "503 ledger-unavailable"}},
	} {
		t.Run(x.at, func(t *testing.T) {
			t.Parallel()
			c := startBooking(t, booktest.Placed(lakeside, 0, "  cancel: { free_until: 24h }\n"))
			wish := c.Find(lakeside, "STD").Wish("王小明")
			send := func(key string) flowtest.Answer { return c.Book(lakeside, "li", key, wish) }
			if x.calls {
				b := c.want(send("one"), 201, "booked")
				send = func(string) flowtest.Answer { return c.CallOff(lakeside, "li", b.Confirmation) }
			}
			held := 700
			if x.path == "/par" {
				held = 300 // an attempt to look has little more
			}
			c.Dial(lakeside, "pms", twin.Dial{LatencyMS: held, AfterEffect: x.after, Path: x.path})
			asked := c.OHIP[lakeside].ReadBooks().Requests
			answer := make(chan flowtest.Answer, 1)
			go func() { answer <- send("two") }()
			if x.after {
				c.Eventually("the hotel is asked", func() bool { return c.OHIP[lakeside].ReadBooks().Requests > asked })
			} else {
				c.Eventually("it is on its way", func() bool {
					return x.path == "/par" || c.Number(`SELECT count(*) FROM operations WHERE state = 'begun'`) > 0
				})
			}
			c.die()
			c.Dial(lakeside, "pms", twin.Dial{}) // lets the call go
			a := <-answer
			c.live()
			if got := outcomeIn(x.answers, a); got == "" {
				t.Errorf("answer %d %s", a.Status, a.Text)
			}
			c.Quiet()
			if n := c.Standing(lakeside); n != 0 {
				t.Errorf("%d stand at the hotel", n)
			}
			if x.again {
				off := c.want(send(""), 200, "cancelled")
				if !off.Again && a.Status == 200 {
					t.Errorf("once more: %+v", off)
				}
			}
			c.want(c.Book(lakeside, "li", "three", wish), 201, "booked")
			for _, r := range c.OHIP[lakeside].ReadBooks().Reservations {
				off := 0
				for _, h := range r.History {
					if h.Status == ohip.StatusCancelled {
						off++
					}
				}
				if off > 1 {
					t.Errorf("cancelled %d times: %+v", off, r)
				}
			}
			if c.Standing(lakeside) != 1 || len(c.Waiting()) != 0 {
				t.Errorf("%d stand, waiting %+v", c.Standing(lakeside), c.Waiting())
			}
		})
	}
}

// die lets the ledger keep nothing any more, live lets it.
func (c bookTown) die()  { c.Ledger.Set(ledgertest.AtBegin, ledgertest.Full) }
func (c bookTown) live() { c.Ledger.Set(ledgertest.AtBegin, ledgertest.None) }

// outcomeIn returns which of the outcomes an answer is; "": none.
func outcomeIn(all []string, a flowtest.Answer) string {
	for _, one := range all {
		if one == fmt.Sprint(a.Status, " ", a.Problem()) {
			return one
		}
	}
	return ""
}
