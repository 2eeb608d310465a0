package rooms

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/warmgate/warmgate/flows/rooms/known"
	"github.com/warmgate/warmgate/flows/rooms/offer"
	"github.com/warmgate/warmgate/flows/rooms/sheet"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/flow"
)

// EventNight is the type of the event by which a hotel tells how many rooms of a kind it has for a night.
const EventNight = "city.warmgate.rooms.night"

// What such an event is refused with besides the edge's field problems.
var (
	ProblemNoRooms = &gateway.Problem{Type: "rooms-not-searched", Kind: gateway.Unprocessable, Title: gateway.Text{
		Zh: "此酒店不参加客房搜索", En: "This hotel is not in the search for rooms"}}
	ProblemKindUnknown = &gateway.Problem{Type: "room-kind-unknown", Kind: gateway.Unprocessable, Title: gateway.Text{
		Zh: "此酒店没有这种房型", En: "The hotel has no such kind of room"}}
	ProblemFull = &gateway.Problem{Type: "rooms-memory-full", Kind: gateway.Unavailable, Retryable: true, Title: gateway.Text{
		Zh: "暂时无法记下更多房态", En: "No more can be kept of nights at the moment"}}
)

const sweepEvery = time.Hour // nights that are over, and hotels that are gone, are forgotten

// nightIn is the data of EventNight.
type nightIn struct {
	Kind  *string        `json:"kind"`
	Night *string        `json:"night"` // YYYY-MM-DD, of the evening, at the hotel
	Free  *int           `json:"free"`
	Price *gateway.Money `json:"price"` // of one room for this night, all taxes included
}

// takeNight takes what a hotel tells of a night: what was answered of it before is answered no more.
func (r *rooms) takeNight(rt *flow.Runtime, v *gateway.Venue, e flow.Event) (flow.Fate, error) {
	settings, served := v.Section(Section).(*Settings)
	if !served {
		return "", ProblemNoRooms.Error(gateway.Text{})
	}
	var in nightIn
	if err := e.Decode(&in); err != nil {
		return "", err
	}
	today := offer.DateOf(rt.Now().In(v.Location))
	n, err := in.read(settings, today)
	if err != nil {
		return "", err
	}
	n.At = e.Time
	switch fate, _ := r.known.Take(v.ID, n, today); fate {
	case known.Same:
		return flow.Known, nil
	case known.Older:
		return flow.Older, nil
	case known.Full:
		return "", ProblemFull.Error(gateway.Text{}).WithRetryAfter(sweepEvery)
	}
	r.renew(v, settings, n.Night, rt.Now())
	return flow.Taken, nil
}

// read checks the data.
func (in *nightIn) read(s *Settings, today offer.Date) (n known.Night, err error) {
	for name, missing := range map[string]bool{"kind": in.Kind == nil, "night": in.Night == nil, "free": in.Free == nil} {
		if missing {
			return n, edge.ProblemFieldMissing.Error(gateway.Text{Zh: "此类事件须有该字段。", En: "An event of this type needs this field."}).WithField("data." + name)
		}
	}
	if _, there := s.Kinds[*in.Kind]; !there {
		return n, ProblemKindUnknown.Error(gateway.Text{
			Zh: "须为此酒店配置中 rooms.kinds 的房型代码。", En: "It must be a code of rooms.kinds in the hotel's file."}).WithField("data.kind")
	}
	n.Kind, n.Free = *in.Kind, *in.Free
	if n.Night, err = offer.ParseDate(*in.Night); err != nil || n.Night < today || n.Night >= today+known.Ahead {
		return n, edge.FieldInvalid("data.night", "须为从酒店当天起 400 天内的日期（YYYY-MM-DD）。", "It must be a day (YYYY-MM-DD) of the 400 from today at the hotel on.")
	}
	if n.Free < 0 || n.Free > known.MaxFree {
		return n, edge.FieldInvalid("data.free", "须为 0 至 65535 的整数。", "It must be 0 to 65535.")
	}
	if in.Price == nil {
		return n, nil
	}
	n.Price = *in.Price
	if n.Price.Minor < 0 || n.Price.Minor > known.MaxPrice {
		return n, edge.FieldInvalid("data.price.minor", "须为 0 至 4294967295 的整数，以最小货币单位计。", "It must be 0 to 4294967295, in the minor unit.")
	}
	if !isCurrency(n.Price.Currency) {
		return n, edge.FieldInvalid("data.price.currency", "须为 ISO 4217 的三个大写字母。", "It must be three capitals of ISO 4217.")
	}
	return n, nil
}

// kindsOf are the hotel's kinds as the file has them, in the order of their codes.
func (s *Settings) kindsOf() []known.Kind {
	all := make([]known.Kind, 0, len(s.Kinds))
	for code, k := range s.Kinds {
		all = append(all, known.Kind{Code: code, Name: k.Name.En, Guests: k.Guests, Accessible: k.Accessible})
	}
	slices.SortFunc(all, func(a, b known.Kind) int { return strings.Compare(a.Code, b.Code) })
	return all
}

// renew lets what a hotel has told of a night count in what is kept: a stay that can be answered from what was told alone
// has its new answer at once, any other is looked at anew by the next search.
func (r *rooms) renew(v *gateway.Venue, s *Settings, night offer.Date, now time.Time) {
	c := r.city(v.Tenant)
	ordinal, there := c.ordinal(v.ID)
	if !there {
		return
	}
	c.Drop(ordinal, night, night+1)
	var stays [8]offer.Stay
	for _, stay := range c.Stays(stays[:0], ordinal, night, night+1) {
		if f, ok := r.pushed(v.ID, s, stay, now); ok {
			c.Put(stay, ordinal, f, now)
		}
	}
}

// pushed answers a stay from what the hotel has told alone.
func (r *rooms) pushed(hotel string, s *Settings, stay offer.Stay, now time.Time) (sheet.Found, bool) {
	h := r.known.Of(hotel)
	if h == nil || s.Push.Fresh == 0 {
		return sheet.Found{}, false
	}
	a, ok := h.FromPushes(stay, s.kindsOf(), now.Add(-s.Push.Fresh))
	if !ok || a.AsOf.Before(r.moves.of(hotel, stay).at) {
		return sheet.Found{}, false
	}
	until := a.AsOf.Add(s.Push.Fresh)
	return sheet.Found{Answer: &a, State: gateway.Cached, Fresh: until, Usable: until}, true
}

// resolve lets what the hotel has told count in its own answer to a stay.
func (r *rooms) resolve(v *gateway.Venue, stay offer.Stay, f *sheet.Found) {
	h := r.known.Of(v.ID)
	if h == nil || f.Answer == nil {
		return
	}
	a, said, _ := h.Resolve(stay, settingsOf(v).kindsOf(), *f.Answer)
	f.Answer, f.Note = &a, appendContradictions(nil, said, v.Location)
}

// appendContradictions appends the member of a hotel's object that says what was contradicted and what counts; nothing
// where nothing was.
func appendContradictions(b []byte, said []known.Contradiction, zone *time.Location) []byte {
	for i, c := range said {
		told, counts := "full", "pms"
		if c.Free {
			told = "free"
		}
		if c.Wins {
			counts = "push"
		}
		b = append(b, map[bool]string{true: `,"contradictions":[`, false: ","}[i == 0]...)
		b = strconv.AppendQuote(append(b, `{"kind":`...), c.Kind)
		b = append(append(append(b, `,"pushed":"`...), told...), `","pushed_at":"`...)
		b = c.Pushed.In(zone).AppendFormat(b, "2006-01-02T15:04:05.000Z07:00")
		b = append(append(append(b, `","counts":"`...), counts...), `"}`...)
	}
	if len(said) > 0 {
		b = append(b, ']')
	}
	return b
}

// mark is how things stand with what a hotel has told, and with what bookings have changed of it; see unmoved.
type mark struct{ version, epoch, moved uint64 }

// mark is taken before an answer is made of what was told.
func (r *rooms) mark(hotel string) mark {
	return mark{r.known.Of(hotel).Version(), r.known.Epoch(), r.moves.allOf(hotel)}
}

// unmoved ends what is kept of a stay if something was told, or booked, since m: it may have been put behind that.
func (r *rooms) unmoved(c *city, ordinal int32, stay offer.Stay, m mark) {
	if r.mark(c.Hotel(ordinal)) != m {
		c.Drop(ordinal, stay.Arrival, stay.Departure())
	}
}

// whole is told whether all that hotels tell is heard here. What was answered from that alone is not any more.
func (r *rooms) whole(whole bool) {
	r.known.Whole(whole)
	if all := r.cities.Load(); all != nil {
		for _, c := range *all {
			for i, v := range c.hotels {
				if r.known.Of(v.ID) != nil {
					c.Drop(int32(i), firstDay, lastDay)
				}
			}
		}
	}
}

// Before and after all nights.
const (
	firstDay offer.Date = -1 << 30
	lastDay  offer.Date = 1 << 30
)

// sweep forgets nights that are over until ctx ends.
func (r *rooms) sweep(ctx context.Context, rt *flow.Runtime) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			today := func(hotel string) (offer.Date, bool) {
				v := rt.Venue(hotel)
				if v == nil {
					return 0, false
				}
				return offer.DateOf(rt.Now().In(v.Location)), true
			}
			r.known.Sweep(today)
			r.moves.sweep(today)
		}
	}
}
