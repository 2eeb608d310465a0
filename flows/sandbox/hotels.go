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
