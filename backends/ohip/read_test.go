package ohip

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/backends/wire/jsonread"
)

// byHand reads a document without reflection.
func byHand(into readable, document string) bool {
	var r jsonread.Reader
	r.Reset([]byte(document))
	into.read(&r)
	return r.End()
}

// samePage reads a document both ways and compares: whether it is one, and what is in it.
func samePage(t *testing.T, document string) {
	t.Helper()
	text := []byte(document)
	var booked, bookedToo wireReservations
	if ok, err := byHand(&booked, document), json.Unmarshal(text, &bookedToo); ok != (err == nil) {
		t.Errorf("reservations: read %v, by reflection %v: %.300s", ok, err, document)
	} else if a, b := reservationsOf(&booked), reservationsOf(&bookedToo); ok && (!reflect.DeepEqual(a, b) || booked.whole() != bookedToo.whole()) {
		t.Errorf("reservations: read\n%+v, by reflection\n%+v", a, b)
	}
	var page roomPage
	var rooms wireRooms
	if ok, err := byHand(&page, document), json.Unmarshal(text, &rooms); ok != (err == nil) {
		t.Errorf("rooms: read %v, by reflection %v: %.300s", ok, err, document)
	} else if want := rooms.rooms(); ok && (fmt.Sprintf("%+v", page.rooms) != fmt.Sprintf("%+v", want) || page.hasMore != rooms.HasMore || page.whole() != rooms.whole()) {
		t.Errorf("rooms: read\n%+v, by reflection\n%+v", page.rooms, want)
	}
	var sold, soldToo wireAvailability
	if ok, err := byHand(&sold, document), json.Unmarshal(text, &soldToo); ok != (err == nil) {
		t.Errorf("availability: read %v, by reflection %v: %.300s", ok, err, document)
	} else if a, b := fmt.Sprintf("%+v", pagesOf(&sold)), fmt.Sprintf("%+v", pagesOf(&soldToo)); ok && a != b {
		t.Errorf("availability: read\n%s, by reflection\n%s", a, b)
	}
}

func reservationsOf(w *wireReservations) (all []Reservation) {
	for i := range w.Reservations.Info {
		all = append(all, w.Reservations.Info[i].reservation())
	}
	return all
}

// pagesOf is what the client makes of a page, and all that decides whether it does.
func pagesOf(w *wireAvailability) any {
	q := StayQuery{From: "2026-05-02", To: "2026-05-04", Adults: 2}
	c := &Client{hotel: "H", accessible: []string{"ADA"}, breakfast: []string{"BRK"}}
	out := &Availability{}
	c.take(out, w, q, new(offers))
	more, next := w.next()
	return []any{*out, more, next, w.whole("H", q)}
}

// pages are answers of all three kinds, well and not.
func pages() []string {
	info := `{"reservationIdList":[{"id":"1","type":"Reservation"},{"type":"Confirmation","id":"77"}],"externalReferences":[{"id":"ref","idContext":"US"},null],` +
		`"hotelId":"H","reservationStatus":"Reserved","computedReservationStatus":"DueIn","keyCount":2,"roomStay":{"arrivalDate":"2026-05-02","departureDate":"2026-05-03",` +
		`"adultCount":2,"childCount":1,"roomType":"STD","roomId":"101","ratePlanCode":"BAR","totalAmount":{"amount":5.8e2,"currencyCode":"CNY","x":[]}},` +
		`"reservationGuest":{"id":"9","surname":"Wang","givenName":"Xiaoming","fullName":"Wang Xiaoming","alternateFullName":"王小明","birthDate":"1990-01-01","nationality":{"code":"CN"},` +
		`"accompanyGuests":[{"firstName":"A","lastName":"B","fullName":"B A","alternateFullName":"\u738b","profileIdList":[{"id":"5","type":"Profile"}]},{}]}}`
	room := `{"roomId":"101","roomType":{"roomType":"STD","x":1},"floor":"1","roomFeatures":[{"code":"ADA"},{"code":"SEA","y":2}],"connectingRooms":[{"roomId":"102"}],` +
		`"housekeeping":{"roomStatus":{"reservationStatusList":["Arrival","StayOver"],"roomStatus":"Clean","frontOfficeStatus":"Vacant"},"z":{}},"hold":{"by":"me"},` +
		`"resvInfo":[{"reservationId":{"id":"3","type":"Reservation"},"reservationStatusInfo":"DueOut"}]}`
	rate := `{"roomType":"STD","ratePlanCode":"BAR","availability":"Available","numberOfUnits":3,"start":"2026-05-02","end":"2026-05-04","pseudoRoom":false,"suppressRate":false,` +
		`"taxIncluded":true,"total":{"amountBeforeTax":100,"amountAfterTax":116.50,"currencyCode":"CNY"},"mealPlans":[{"included":true,"breakfastIncluded":true}],` +
		`"packages":[{"packageCode":"BRK","includedInRate":true}]}`
	segment := `{"hotelId":"H","closed":false,"hasMore":true,"pagingKey":"A,R","roomStays":[{"arrivalDate":"2026-05-02","departureDate":"2026-05-04","roomRates":[` + rate + `,` +
		strings.Replace(rate, "STD", "DLX", 1) + `]}],"masterInfo":{"roomTypes":{"roomType":[{"roomType":"STD","description":"Standard","roomFeatures":[{"code":"ADA"}]}]}}}`
	all := []string{`{}`, `{"hasMore":1}`, `null`, `[]`, `{"reservations":null,"hotelRoomsDetails":null,"hotelAvailability":null,"hasMore":null}`}
	return append(all, `{"reservations":{"reservationInfo":[`+info+`,`+info+`],"hasMore":true}}`,
		`{"hotelRoomsDetails":{"room":[`+room+`,`+strings.ReplaceAll(room, "101", "103")+`]},"hasMore":true}`, `{"hotelAvailability":[`+segment+`]}`)
}

// TestAnswersAreReadAsReflectionReadsThem spoils each value and each name of good answers in turn.
func TestAnswersAreReadAsReflectionReadsThem(t *testing.T) {
	for _, whole := range pages() {
		samePage(t, whole)
		for at, c := range whole {
			if !strings.ContainsRune(`:[,`, c) {
				continue
			}
			for _, other := range []string{`null,"x":`, `7,"x":`, `"seven","x":`, `{},"x":`, `[],"x":`, `true,"x":`, ` `, `null,`, `7,`, `"seven",`, `{},`, `[],`, `1.5,`, `"hotelId":1,`} {
				samePage(t, whole[:at+1]+other+whole[at+1:])
			}
			samePage(t, whole[:at]+whole[at+1:])
		}
	}
}

func FuzzAnswersAreReadAsReflectionReadsThem(f *testing.F) {
	for _, whole := range pages() {
		f.Add(whole)
	}
	f.Fuzz(samePage)
}

// The members of a page of rooms, for reflection.

type wireRooms struct {
	Details struct {
		Rooms []wireRoom `json:"room"`
	} `json:"hotelRoomsDetails"`
	HasMore bool `json:"hasMore"`
}

func (w *wireRooms) whole() bool {
	return !slices.ContainsFunc(w.Details.Rooms, func(r wireRoom) bool {
		s := &r.Cleaning.Status
		return r.ID == "" || r.Type.Type == "" || s.Housekeeping == "" || s.FrontOffice == ""
	})
}

type wireRoom struct {
	ID   string `json:"roomId"`
	Type struct {
		Type string `json:"roomType"`
	} `json:"roomType"`
	Floor    string `json:"floor"`
	Features []struct {
		Code string `json:"code"`
	} `json:"roomFeatures"`
	Connecting []struct {
		ID string `json:"roomId"`
	} `json:"connectingRooms"`
	Cleaning struct {
		Status struct {
			Today        []string     `json:"reservationStatusList"`
			Housekeeping Housekeeping `json:"roomStatus"`
			FrontOffice  FrontOffice  `json:"frontOfficeStatus"`
		} `json:"roomStatus"`
	} `json:"housekeeping"`
	Hold  *struct{} `json:"hold"`
	Stays []struct {
		ID     wireID `json:"reservationId"`
		Status string `json:"reservationStatusInfo"`
	} `json:"resvInfo"`
}

func (w *wireRoom) room() Room {
	r := Room{ID: w.ID, Type: w.Type.Type, Floor: w.Floor, Housekeeping: w.Cleaning.Status.Housekeeping,
		FrontOffice: w.Cleaning.Status.FrontOffice, Today: w.Cleaning.Status.Today, Held: w.Hold != nil}
	for _, f := range w.Features {
		r.Features = append(r.Features, f.Code)
	}
	for _, c := range w.Connecting {
		r.Connecting = append(r.Connecting, c.ID)
	}
	for _, s := range w.Stays {
		r.Stays = append(r.Stays, Stay{ReservationID: s.ID.ID, Status: s.Status})
	}
	return r
}

func (w *wireRooms) rooms() (all []Room) {
	for i := range w.Details.Rooms {
		all = append(all, w.Details.Rooms[i].room())
	}
	return all
}
