package rooms_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/warmgate/warmgate/backends/identity"
	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/flows/checkin/checkintest"
	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/flows/rooms/booktest"
	"github.com/warmgate/warmgate/gateway/ledger/ledgertest"
)

const lakeside = "lakeside"

type m = map[string]any

// bookTown is a town whose hotels can be found, booked and lived in.
type bookTown struct{ booktest.Town }

func startBooking(t *testing.T, hotels ...checkintest.Hotel) bookTown {
	t.Helper()
	return bookTown{booktest.Start(t, hotels...)}
}

// said is what an answer says of a booking.
type said struct {
	Decision     string   `json:"decision"`
	Confirmation string   `json:"confirmation"`
	Price        m        `json:"price"`
	Alternatives []m      `json:"alternatives"`
	Pending      []string `json:"pending"`
	Again        bool     `json:"again"`
	Reference    string   `json:"reference"`
	Cancel       struct {
		Rule string `json:"rule"`
	} `json:"cancel"`
}

func (c bookTown) want(a flowtest.Answer, status int, word string) (s said) {
	c.T.Helper()
	a.Into(c.T, &s)
	if a.Status != status || word != s.Decision && word != a.Problem() {
		c.T.Fatalf("want %d %s, got %d %s", status, word, a.Status, a.Text)
	}
	return s
}

// made counts the reservations that we ever had made at a hotel's system.
func (c bookTown) made(hotel string) (n int) {
	for _, r := range c.OHIP[hotel].ReadBooks().Reservations {
		if r.Reference != "" {
			n++
		}
	}
	return n
}

// TestFindBookCheckInCheckOut: one guest, from the search to the departure, over sockets.
func TestFindBookCheckInCheckOut(t *testing.T) {
	t.Parallel()
	c := startBooking(t, booktest.Placed(lakeside, 0, ""))
	guest := c.Person(lakeside, identity.Want{})
	o := c.Find(lakeside, "STD")
	body := o.Wish(guest.Document.Name)
	if guest.Document.LatinName != "" {
		body["guest"].(m)["latin_name"] = guest.Document.LatinName
	}
	b := c.want(c.Book(lakeside, "li", "", body), 201, "booked")
	if fmt.Sprint(b.Price) != fmt.Sprint(o.Total) || b.Cancel.Rule == "" {
		t.Errorf("%+v, the offer was %+v", b, o)
	}
	in := checkintest.Booked{Hotel: lakeside, Confirmation: b.Confirmation, People: []identity.Made{guest}}
	a := c.CheckIn(lakeside, in.Arrival("lobby-1"))
	if got := checkintest.Outcome(t, a); got != "checked-in" {
		t.Fatalf("%s: %s", got, a.Text)
	}
	c.want(c.CallOff(lakeside, "li", b.Confirmation), 409, "room-stay-begun")
	c.Tomorrow()
	if a := c.CheckOut(lakeside, guest); checkintest.Outcome(t, a) != "checked-out" {
		t.Fatalf("%d %s", a.Status, a.Text)
	}
	for _, r := range c.OHIP[lakeside].ReadBooks().Reservations {
		if r.Reference != b.Reference || r.Status != ohip.StatusCheckedOut || r.Confirmation != b.Confirmation {
			t.Errorf("the hotel has %+v", r)
		}
	}
	for name, content := range c.Files() {
		if strings.Contains(string(content), guest.Document.Name) {
			t.Errorf("%s has the guest's name in the clear", name)
		}
	}
}

// TestTheRatePlanIsTheOneThatWasFound: with breakfast it is another offer, at another price.
func TestTheRatePlanIsTheOneThatWasFound(t *testing.T) {
	t.Parallel()
	c := startBooking(t, booktest.Placed(lakeside, 0, ""))
	o := c.Find(lakeside, "STD")
	o.Plan = "FLEXBB"
	dearer := c.want(c.Book(lakeside, "li", "", o.Wish("王小明")), 409, "room-price-changed")
	o.Total = dearer.Price
	b := c.want(c.Book(lakeside, "li", "", o.Wish("王小明")), 201, "booked")
	if fmt.Sprint(b.Price) != fmt.Sprint(dearer.Price) {
		t.Errorf("it costs %v, and cost %v", b.Price, dearer.Price)
	}
}

// TestGoneOrDearer: what was found may not be there any more.
func TestGoneOrDearer(t *testing.T) {
	t.Parallel()
	c := startBooking(t, booktest.Placed(lakeside, 0, ""), booktest.Placed("hill", 1, ""))
	hotel := c.OHIP[lakeside]
	o := c.Find(lakeside, "STD")
	if err := hotel.Reprice("STD", 999_00); err != nil {
		t.Fatal(err)
	}
	dearer := c.want(c.Book(lakeside, "li", "", o.Wish("王小明")), 409, "room-price-changed")
	o.Total = dearer.Price
	if err := hotel.Reprice("STD", 555_00); err != nil {
		t.Fatal(err)
	}
	cheaper := c.want(c.Book(lakeside, "li", "", o.Wish("王小明")), 201, "booked")
	if fmt.Sprint(cheaper.Price) == fmt.Sprint(o.Total) {
		t.Errorf("it costs %v still", cheaper.Price)
	}
	if _, err := hotel.Reserve(ohip.Want{Count: o.Free - 1}); err != nil {
		t.Fatal(err)
	}
	gone := c.want(c.Book(lakeside, "li", "", o.Wish("李小红")), 409, "room-gone")
	here := 0
	for _, x := range gone.Alternatives {
		if x["hotel"] == lakeside {
			here++
		}
		if x["kind"] == "STD" && x["hotel"] == lakeside {
			t.Errorf("what is gone is an alternative: %v", x)
		}
	}
	if here == 0 || len(gone.Alternatives) > 5 {
		t.Errorf("alternatives: %v", gone.Alternatives)
	}
	if _, err := hotel.Make([]byte(`{"count": 200, "room_type": "TWN"}`)); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"DLX", "STE"} {
		if _, err := hotel.Reserve(ohip.Want{Count: 60, RoomType: kind}); err != nil {
			t.Fatal(err)
		}
	}
	full := c.want(c.Book(lakeside, "li", "", o.Wish("李小红")), 409, "room-gone")
	if len(full.Alternatives) != 1 || full.Alternatives[0]["hotel"] != "hill" || full.Alternatives[0]["distance_m"] == nil {
		t.Errorf("a full hotel's neighbours: %v", full.Alternatives)
	}
	if c.Standing(lakeside) != 1 || c.Number(`SELECT count(*) FROM room_bookings`) != 1 {
		t.Errorf("%d stand", c.Standing(lakeside))
	}
}

// TestAWishIsBookedOnce, whatever key it comes under and however often; one that is called off may be booked again.
func TestAWishIsBookedOnce(t *testing.T) {
	t.Parallel()
	c := startBooking(t, booktest.Placed(lakeside, 0, ""), booktest.Placed("strict", 1, "  cancel: { days_before: 60, free_until: 0s }\n"))
	wish := c.Find(lakeside, "STD").Wish("王小明")
	first := c.Book(lakeside, "li", "one", wish)
	b := c.want(first, 201, "booked")
	if again := c.Book(lakeside, "li", "one", wish); again.Text != first.Text || again.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("again: %d %s", again.Status, again.Text)
	}
	if other := c.want(c.Book(lakeside, "li", "two", wish), 409, "room-booked-already"); other.Confirmation != b.Confirmation {
		t.Errorf("another key: %+v", other)
	}
	wish["room"] = 2
	c.want(c.Book(lakeside, "li", "", wish), 201, "booked")
	wish["room"] = 1
	c.want(c.Book(lakeside, "wang", "", wish), 201, "booked")
	if n := c.made(lakeside); n != 3 {
		t.Errorf("%d reservations, want 3", n)
	}

	c.want(c.CallOff(lakeside, "wang", b.Confirmation), 404, "room-booking-unknown")
	c.want(c.CallOff(lakeside, "li", "4711"), 404, "room-booking-unknown")
	c.want(c.CallOff("strict", "li", b.Confirmation), 404, "room-booking-unknown")
	if off := c.want(c.CallOff(lakeside, "li", b.Confirmation), 200, "cancelled"); off.Again || len(off.Pending) > 0 {
		t.Errorf("%+v", off)
	}
	if off := c.want(c.CallOff(lakeside, "li", b.Confirmation), 200, "cancelled"); !off.Again {
		t.Errorf("%+v", off)
	}
	if n := c.Standing(lakeside); n != 2 {
		t.Errorf("%d stand, want 2", n)
	}
	c.want(c.Book(lakeside, "li", "three", wish), 201, "booked")

	late := c.want(c.Book("strict", "li", "", c.Find("strict", "STD").Wish("王小明")), 201, "booked")
	c.want(c.CallOff("strict", "li", late.Confirmation), 409, "room-cancel-too-late")
	if c.Standing("strict") != 1 {
		t.Error("it was called off all the same")
	}
}

// TestACancellationReachesTheHotelLater where its system does not answer.
func TestACancellationReachesTheHotelLater(t *testing.T) {
	t.Parallel()
	c := startBooking(t, booktest.Placed(lakeside, 0, ""))
	b := c.want(c.Book(lakeside, "li", "", c.Find(lakeside, "STD").Wish("王小明")), 201, "booked")
	c.Dial(lakeside, "pms", twin.Dial{Fault: twin.Hang})
	if off := c.want(c.CallOff(lakeside, "li", b.Confirmation), 200, "cancelled"); len(off.Pending) != 1 {
		t.Errorf("%+v", off)
	}
	c.Dial(lakeside, "pms", twin.Dial{})
	c.Quiet()
	if c.Standing(lakeside) != 0 {
		t.Error("the hotel still has it")
	}
}

// TestALostAnswerIsAskedFor: the hotel has booked, and its answer was lost; while there is time it is found by our reference.
func TestALostAnswerIsAskedFor(t *testing.T) {
	t.Parallel()
	c := startBooking(t, booktest.Placed(lakeside, 0, ""))
	wish := c.Find(lakeside, "STD").Wish("王小明")
	c.Dial(lakeside, "pms", twin.Dial{Fault: twin.Status5, AfterEffect: true, LatencyMS: 1000, Path: "/rsv/v1/hotels/" + lakeside + "/reservations"})
	answer := make(chan flowtest.Answer, 1)
	go func() { answer <- c.Book(lakeside, "li", "", wish) }()
	c.Eventually("the hotel has it", func() bool { return c.made(lakeside) == 1 })
	c.Dial(lakeside, "pms", twin.Dial{}) // lets the answer go
	c.want(<-answer, 201, "booked")
	if c.made(lakeside) != 1 || c.Standing(lakeside) != 1 {
		t.Errorf("made %d, standing %d", c.made(lakeside), c.Standing(lakeside))
	}
}

// TestTheGatewayDiesWhileItBooks: the hotel has booked when the ledger fails under the gateway. Nobody was told a number, so recovery takes it
// back, and the same request books anew.
func TestTheGatewayDiesWhileItBooks(t *testing.T) {
	t.Parallel()
	c := startBooking(t, booktest.Placed(lakeside, 0, ""))
	wish := c.Find(lakeside, "STD").Wish("王小明")
	c.Dial(lakeside, "pms", twin.Dial{LatencyMS: 1000, AfterEffect: true, Path: "/rsv"})
	dead := make(chan flowtest.Answer, 1)
	go func() { dead <- c.Book(lakeside, "li", "one", wish) }()
	c.Eventually("the hotel has it", func() bool { return c.made(lakeside) == 1 })
	c.Ledger.Set(ledgertest.AtBegin, ledgertest.Full)
	c.Dial(lakeside, "pms", twin.Dial{}) // lets the answer go
	c.want(<-dead, 503, "ledger-unavailable")
	c.Ledger.Set(ledgertest.AtBegin, ledgertest.None)
	c.Quiet()
	if got := c.Wrong(lakeside, "nothing"); got != "" {
		t.Fatal(got)
	}
	c.want(c.Book(lakeside, "li", "one", wish), 201, "booked")
	if c.Standing(lakeside) != 1 || c.made(lakeside) != 2 {
		t.Errorf("made %d, standing %d", c.made(lakeside), c.Standing(lakeside))
	}
}
