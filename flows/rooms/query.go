package rooms

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"github.com/warmgate/warmgate/flows/rooms/offer"
	"github.com/warmgate/warmgate/flows/rooms/place"
	"github.com/warmgate/warmgate/flows/rooms/sheet"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/edge"
)

// The bounds of a search.
const (
	usualRadius = 3_000  // metres
	maxRadius   = 50_000 // metres: a city from its middle to its edge
	maxNights   = 90     // what every system answers for
	maxAhead    = 365    // days from today to the arrival
	maxGuests   = 20     // in one room
	maxPrice    = 1_000_000_000
	usualLimit  = 20
	maxLimit    = 50
	maxNumber   = 18 // characters of a parameter that is a number
)

// queryNames are the parameters of a search.
func queryNames() []string {
	return []string{"near", "radius", "check_in", "check_out", "nights", "guests", "max_price", "accessible", "breakfast", "sort", "limit", "cursor"}
}

// reader reads the parameters of one search; the first that is not right is its error. What it reads is lent by the exchange.
type reader struct {
	x   *edge.Exchange
	err error
}

// refuse names a parameter that is not right, and says what it may be.
func (r *reader) refuse(name, zh, en string) {
	if r.err == nil {
		r.err = edge.ProblemQueryInvalid.Error(gateway.Text{Zh: zh, En: en}).WithField("query " + name)
	}
}

// read reads a search of the city.
func (s *search) read(x *edge.Exchange, c *city, now time.Time) (sheet.Query, error) {
	r := reader{x: x}
	q := sheet.Query{Lang: x.Lang()}
	q.Lat, q.Lon = r.point("near")
	q.Radius = float64(r.number("radius", usualRadius, maxRadius))
	q.Stay = r.stay(c.today(now))
	q.MaxPrice = r.number("max_price", 0, maxPrice)
	q.Accessible, q.Breakfast = r.flag("accessible"), r.flag("breakfast")
	q.ByPrice = r.byPrice()
	q.Limit = int(r.number("limit", usualLimit, maxLimit))
	if text, there := x.PeekQuery("cursor"); there && r.err == nil {
		after, ok := readCursor(string(text), s.rt.Ledger.Keys(), c.tenant, &q)
		if q.After = &after; !ok {
			r.refuse("cursor", "须为同一查询上一页返回的 cursor，原样传回；其他参数除 limit 外不得改变",
				"It must be the cursor of an earlier answer, as it was; everything else but limit must be as it was then.")
		}
	}
	return q, r.err
}

// point reads LAT,LON in degrees.
func (r *reader) point(name string) (lat, lon float64) {
	const zh, en = "须为“纬度,经度”（WGS 84，十进制度），例如 30.2431,120.1502；纬度 -90 至 90，经度 -180 至 180",
		"It must be LATITUDE,LONGITUDE in decimal degrees of WGS 84, such as 30.2431,120.1502: latitude -90 to 90, longitude -180 to 180."
	text, _ := r.x.PeekQuery(name)
	first, second, two := bytes.Cut(text, []byte(","))
	lat, isLat := degrees(first)
	lon, isLon := degrees(second)
	switch {
	case !two || !isLat || !isLon:
		r.refuse(name, zh, en)
	case !place.OnEarth(lat, lon) && place.OnEarth(lon, lat):
		r.refuse(name, zh+"。纬度和经度似乎写反了", en+" Latitude and longitude seem to be swapped.")
	case !place.OnEarth(lat, lon):
		r.refuse(name, zh, en)
	}
	return lat, lon
}

// degrees reads a decimal number: no exponent, no sign but a minus, nothing around it.
func degrees(text []byte) (float64, bool) {
	if len(text) == 0 || len(text) > maxNumber || len(bytes.Trim(text, "-0123456789.")) > 0 {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(text), 64)
	return f, err == nil
}

// number reads a whole number of 1 to most; usual where it is not there.
func (r *reader) number(name string, usual, most int64) int64 {
	text, there := r.x.PeekQuery(name)
	if !there {
		return usual
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil || n < 1 || n > most || text[0] == '+' || len(text) > maxNumber {
		r.refuse(name, fmt.Sprintf("须为 1 至 %d 的整数", most), fmt.Sprintf("It must be a whole number of 1 to %d.", most))
	}
	return n
}

// stay reads for when and for how many a room is looked for.
func (r *reader) stay(today offer.Date) offer.Stay {
	last := today + maxAhead
	arrival, ok := r.day("check_in")
	if !ok || arrival < today || arrival > last {
		r.refuse("check_in", fmt.Sprintf("须为 %s 至 %s 的日期（YYYY-MM-DD）", today, last), fmt.Sprintf("It must be a day of %s to %s.", today, last))
	}
	nights := r.number("nights", 1, maxNights)
	_, counted := r.x.PeekQuery("nights")
	if _, there := r.x.PeekQuery("check_out"); there {
		leaves, ok := r.day("check_out")
		most := arrival + maxNights
		switch {
		case !ok || leaves <= arrival || leaves > most:
			r.refuse("check_out", fmt.Sprintf("须为 %s 至 %s 的日期（YYYY-MM-DD），晚于 check_in", arrival+1, most),
				fmt.Sprintf("It must be a day of %s to %s, after check_in.", arrival+1, most))
		case counted && int64(leaves-arrival) != nights:
			r.refuse("nights", fmt.Sprintf("与 check_out 不符：须为 %d，或者不写", leaves-arrival), fmt.Sprintf("It must be %d, as check_out says, or be left out.", leaves-arrival))
		}
		nights = int64(leaves - arrival)
	}
	guests := r.number("guests", 1, maxGuests)
	return offer.Stay{Arrival: arrival, Nights: uint16(nights), Guests: uint8(guests)}
}

func (r *reader) day(name string) (offer.Date, bool) {
	text, _ := r.x.PeekQuery(name)
	day, err := offer.ParseDate(string(text))
	return day, err == nil
}

// flag reads true or false; false where it is not there.
func (r *reader) flag(name string) bool {
	text, there := r.x.PeekQuery(name)
	if there && string(text) != "true" && string(text) != "false" {
		r.refuse(name, "须为 true 或 false", "It must be true or false.")
	}
	return string(text) == "true"
}

// byPrice reads the order.
func (r *reader) byPrice() bool {
	text, there := r.x.PeekQuery("sort")
	if there && string(text) != "distance" && string(text) != "price" {
		r.refuse("sort", "须为 distance 或 price", "It must be distance or price.")
	}
	return string(text) == "price"
}
