package sandbox

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// guest is somebody whom a sandbox's identity service has made up, with what they bring to a kiosk.
type guest struct {
	Document struct {
		Type        string `json:"type"`
		Number      string `json:"number"`
		Name        string `json:"name"`
		LatinName   string `json:"latin_name"`
		BirthDate   string `json:"birth_date"`
		ExpiresOn   string `json:"expires_on"`
		Nationality string `json:"nationality"`
	} `json:"document"`
	Sex  string `json:"sex"`
	Face string `json:"face"`
}

// guestOf lets a hotel's identity service make somebody up.
func (m *maker) guestOf(ctx context.Context, hotel string) (guest, error) {
	var made []guest
	if err := m.ask(ctx, "identity/"+hotel, struct{}{}, &made); err != nil {
		return guest{}, err
	}
	if len(made) == 0 {
		return guest{}, errors.New("the twin made nobody")
	}
	return made[0], nil
}

// checkIn is what a kiosk sends of a guest with a booking.
func (m *maker) checkIn(hotel, kiosk, about, confirmation string, g guest) Example {
	d := g.Document
	return m.post("kiosk", "/v1/hotels/"+hotel+"/check-ins", about, map[string]any{
		"kiosk": kiosk, "booking": map[string]string{"confirmation": confirmation},
		"guests": []any{map[string]any{"face": g.Face, "document": map[string]string{"type": d.Type, "number": d.Number, "name": d.Name,
			"latin_name": d.LatinName, "birth_date": d.BirthDate, "expires_on": d.ExpiresOn, "nationality": d.Nationality, "sex": g.Sex}}},
	})
}

func (m *maker) checkInLakeside(ctx context.Context) (Example, error) {
	g, err := m.guestOf(ctx, "lakeside")
	if err != nil {
		return Example{}, err
	}
	surname, given, _ := strings.Cut(g.Document.LatinName, " ")
	want := map[string]any{"guests": []any{map[string]string{"surname": surname, "given_name": given, "alternate": g.Document.Name,
		"birth_date": g.Document.BirthDate}}}
	var made []struct {
		Confirmation string `json:"confirmation"`
	}
	if err := m.ask(ctx, "ohip/lakeside", want, &made); err != nil {
		return Example{}, err
	}
	if len(made) == 0 {
		return Example{}, errors.New("the twin made no booking")
	}
	return m.checkIn("lakeside", "lobby-1", "A guest with a booking for today checks in at Lakeside Hotel, and takes the key", made[0].Confirmation, g), nil
}

func (m *maker) checkInCanalHouse(ctx context.Context) (Example, error) {
	g, err := m.guestOf(ctx, "canal-house")
	if err != nil {
		return Example{}, err
	}
	want := map[string]any{"guests": []any{map[string]string{"last_name": g.Document.Name, "birth_date": g.Document.BirthDate,
		"document_type": "IdNumber", "document_number": g.Document.Number}}}
	var made []struct {
		Booking string `json:"booking"`
	}
	if err := m.ask(ctx, "apaleo/canal-house", want, &made); err != nil {
		return Example{}, err
	}
	if len(made) == 0 {
		return Example{}, errors.New("the twin made no booking")
	}
	return m.checkIn("canal-house", "desk-1", "The same at Canal House, whose keys are cut by hand: a member of staff is called for the key", made[0].Booking, g), nil
}

// roomsBooking books a room that a search has just found at Lakeside Hotel for tomorrow, in a name that nobody had before, so
// that it is no wish that has been fulfilled already.
func (m *maker) roomsBooking(ctx context.Context) (Example, error) {
	e, err := m.roomsSearch(ctx)
	if err != nil {
		return Example{}, err
	}
	search, err := url.Parse(e.Path)
	if err != nil {
		return Example{}, err
	}
	query := search.Query()
	query.Set("radius", "100")
	query.Set("nights", "1")
	e.Path = search.Path + "?" + query.Encode()
	o, err := m.offerAt(ctx, e, "lakeside")
	if err != nil {
		return Example{}, err
	}
	return m.post("traveller", "/v1/hotels/lakeside/bookings", "Somebody books a room that was found at Lakeside Hotel, for tomorrow night", map[string]any{
		"check_in": query.Get("check_in"), "nights": 1, "guests": 2, "kind": o.Kind, "plan": o.Plan, "price": o.Total,
		"guest": map[string]string{"name": newName(m.now())},
	}), nil
}

// offered is a room that a search has found.
type offered struct {
	Kind  string `json:"kind"`
	Plan  string `json:"plan"`
	Total money  `json:"total"`
}

// offerAt searches until a hotel has answered, and returns its cheapest room.
func (m *maker) offerAt(ctx context.Context, search Example, hotel string) (offered, error) {
	again := time.NewTicker(searchAgain)
	defer again.Stop()
	for {
		var found struct {
			Complete bool `json:"complete"`
			Hotels   []struct {
				Hotel  string    `json:"hotel"`
				Offers []offered `json:"offers"`
			} `json:"hotels"`
		}
		if err := m.send(ctx, m.api, search, &found); err != nil {
			return offered{}, err
		}
		for _, h := range found.Hotels {
			if h.Hotel == hotel && len(h.Offers) > 0 {
				return h.Offers[0], nil
			}
		}
		if found.Complete {
			return offered{}, errors.New("the search finds no room there")
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return offered{}, ctx.Err()
		}
	}
}

// searchAgain is how long a start waits for a hotel that has not answered yet, each time.
const searchAgain = 250 * time.Millisecond

// newName is a name that is another one each millisecond, since a sandbox may start twice in a second: signs of the Chinese
// calendar behind the word for an example.
func newName(at time.Time) string {
	signs := []rune("甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳午未申酉戌亥")
	name := ""
	for n := at.UnixMilli(); n > 0; n /= int64(len(signs)) {
		name += string(signs[n%int64(len(signs))])
	}
	return "样例" + name
}

// roomsSearch looks for a room near West Lake, for two, from tomorrow on.
func (m *maker) roomsSearch(context.Context) (Example, error) {
	zone, err := time.LoadLocation("Asia/Shanghai") // where the sandbox's hotels are
	if err != nil {
		return Example{}, err
	}
	query := url.Values{"near": {"30.2431,120.1502"}, "radius": {"10000"}, "check_in": {m.now().In(zone).AddDate(0, 0, 1).Format(time.DateOnly)},
		"nights": {"2"}, "guests": {"2"}}
	return Example{Method: http.MethodGet, Path: "/v1/rooms?" + query.Encode(), about: "Somebody looks for a room for two near West Lake, from tomorrow",
		Headers: map[string]string{"Authorization": "Bearer " + m.tokens["traveller"], "Accept-Language": "en"}}, nil
}
