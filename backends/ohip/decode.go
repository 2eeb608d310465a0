package ohip

import (
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/warmgate/warmgate/backends/wire"
)

// What is read of OHIP's answers: the members that a front desk needs, under their own names. The rest is left unread.

type wireID struct {
	ID   string `json:"id"`
	Type string `json:"type"`
}

// idOf returns the identifier of a type; "" where there is none.
func idOf(all []wireID, kind string) string {
	for _, one := range all {
		if strings.EqualFold(one.Type, kind) {
			return one.ID
		}
	}
	return ""
}

// wireReservations is the answer of a search.
type wireReservations struct {
	Reservations struct {
		Info    []wireReservationInfo `json:"reservationInfo"`
		HasMore bool                  `json:"hasMore"`
	} `json:"reservations"`
}

// reset makes room for another answer.
func (w *wireReservations) reset() { *w = wireReservations{} }

func (w *wireReservations) whole() bool {
	return !slices.ContainsFunc(w.Reservations.Info, func(i wireReservationInfo) bool {
		return idOf(i.IDs, "Reservation") == "" || i.Status == "" || !isDay(i.Stay.Arrival) || !isDay(i.Stay.Departure)
	})
}

type wireReservationInfo struct {
	IDs        []wireID        `json:"reservationIdList"`
	References []wireReference `json:"externalReferences"`
	HotelID    string          `json:"hotelId"`
	Status     Status          `json:"reservationStatus"`
	Computed   Status          `json:"computedReservationStatus"`
	KeyCount   int             `json:"keyCount"`
	Stay       struct {
		Arrival   string `json:"arrivalDate"`
		Departure string `json:"departureDate"`
		Adults    int    `json:"adultCount"`
		Children  int    `json:"childCount"`
		RoomType  string `json:"roomType"`
		RoomID    string `json:"roomId"`
		RatePlan  string `json:"ratePlanCode"`
		Total     struct {
			Amount   jsontext.Value `json:"amount"`
			Currency string         `json:"currencyCode"`
		} `json:"totalAmount"`
	} `json:"roomStay"`
	Guest struct {
		ID          string `json:"id"`
		Surname     string `json:"surname"`
		GivenName   string `json:"givenName"`
		FullName    string `json:"fullName"`
		Alternate   string `json:"alternateFullName"`
		BirthDate   string `json:"birthDate"`
		Nationality struct {
			Code string `json:"code"`
		} `json:"nationality"`
		Accompany []wireAccompany `json:"accompanyGuests"`
	} `json:"reservationGuest"`
}

type wireAccompany struct {
	FirstName string   `json:"firstName"`
	LastName  string   `json:"lastName"`
	FullName  string   `json:"fullName"`
	Alternate string   `json:"alternateFullName"`
	IDs       []wireID `json:"profileIdList"`
}

func (i *wireReservationInfo) reservation() Reservation {
	g := &i.Guest
	r := Reservation{ID: idOf(i.IDs, "Reservation"), Confirmation: idOf(i.IDs, "Confirmation"), HotelID: i.HotelID,
		Status: i.Status, Computed: i.Computed, Arrival: i.Stay.Arrival, Departure: i.Stay.Departure, Adults: i.Stay.Adults,
		Children: i.Stay.Children, RoomType: i.Stay.RoomType, RoomID: i.Stay.RoomID, KeyCount: i.KeyCount, RatePlan: i.Stay.RatePlan}
	r.Total, _ = wire.Money(string(i.Stay.Total.Amount), i.Stay.Total.Currency)
	for _, ref := range i.References {
		r.References = append(r.References, ref.ID)
	}
	if g.Surname != "" || g.FullName != "" {
		r.Guests = append(r.Guests, Guest{ProfileID: g.ID, Surname: g.Surname, GivenName: g.GivenName, FullName: g.FullName,
			Alternate: g.Alternate, BirthDate: g.BirthDate, Nationality: g.Nationality.Code, Primary: true})
	}
	for _, a := range g.Accompany {
		r.Guests = append(r.Guests, Guest{ProfileID: idOf(a.IDs, "Profile"), Surname: a.LastName, GivenName: a.FirstName,
			FullName: a.FullName, Alternate: a.Alternate})
	}
	return r
}

// wireStay is a reservation as the front office shows it.
type wireStay struct {
	IDs      []wireID `json:"reservationIdList"`
	HotelID  string   `json:"hotelId"`
	Status   Status   `json:"reservationStatus"`
	Computed Status   `json:"computedReservationStatus"`
	Stay     struct {
		Arrival   string `json:"arrivalDate"`
		Departure string `json:"departureDate"`
		Room      struct {
			RoomType string `json:"roomType"`
			RoomID   string `json:"roomId"`
		} `json:"currentRoomInfo"`
		Counts struct {
			Adults   int `json:"adults"`
			Children int `json:"children"`
		} `json:"guestCounts"`
	} `json:"roomStay"`
	Guests []wireGuest `json:"reservationGuests"`
}

type wireGuest struct {
	Primary bool `json:"primary"`
	Info    struct {
		IDs     []wireID `json:"profileIdList"`
		Profile struct {
			Customer struct {
				Names       []wireName `json:"personName"`
				BirthDate   string     `json:"birthDate"`
				Nationality string     `json:"nationality"`
				Documents   struct {
					Info []struct {
						Document wireDocument `json:"identification"`
					} `json:"identificationInfo"`
				} `json:"identifications"`
			} `json:"customer"`
		} `json:"profile"`
	} `json:"profileInfo"`
}

type wireName struct {
	GivenName string `json:"givenName"`
	Surname   string `json:"surname"`
	Type      string `json:"nameType"`
}

type wireDocument struct {
	Type    string `json:"idType"`
	Number  string `json:"idNumber"`
	Country string `json:"issuedCountry"`
	Expires string `json:"expirationDate"`
}

// wireVerified is the answer of verifyCheckIns and of checkIns.
type wireVerified struct {
	Reservation []wireStay `json:"reservation"`
	Warnings    []struct {
		Code string `json:"code"`
	} `json:"warnings"`
}

func (w *wireVerified) whole() bool {
	return len(w.Reservation) == 1 && idOf(w.Reservation[0].IDs, "Reservation") != "" && w.Reservation[0].Status != "" &&
		isDay(w.Reservation[0].Stay.Arrival) && isDay(w.Reservation[0].Stay.Departure)
}

func (w *wireVerified) verified() *Verified {
	s := &w.Reservation[0]
	v := &Verified{Reservation: Reservation{ID: idOf(s.IDs, "Reservation"), Confirmation: idOf(s.IDs, "Confirmation"),
		HotelID: s.HotelID, Status: s.Status, Computed: s.Computed, Arrival: s.Stay.Arrival, Departure: s.Stay.Departure,
		Adults: s.Stay.Counts.Adults, Children: s.Stay.Counts.Children, RoomType: s.Stay.Room.RoomType,
		RoomID: s.Stay.Room.RoomID}}
	for i := range s.Guests {
		v.Guests = append(v.Guests, s.Guests[i].guest())
	}
	slices.SortStableFunc(v.Guests, func(a, b Guest) int {
		switch {
		case a.Primary == b.Primary:
			return 0
		case a.Primary:
			return -1
		}
		return 1
	})
	for _, one := range w.Warnings {
		if one.Code != "" && len(v.Warnings) < 100 {
			v.Warnings = append(v.Warnings, one.Code)
		}
	}
	return v
}

func (w *wireGuest) guest() Guest {
	c := &w.Info.Profile.Customer
	g := Guest{ProfileID: idOf(w.Info.IDs, "Profile"), BirthDate: c.BirthDate, Nationality: c.Nationality, Primary: w.Primary}
	for _, n := range c.Names {
		switch n.Type {
		case "Primary", "":
			g.Surname, g.GivenName = n.Surname, n.GivenName
		case "Alternate":
			g.Alternate = n.Surname + n.GivenName // the script of an alternate name puts the family first
		}
	}
	for _, d := range c.Documents.Info {
		g.Documents = append(g.Documents, Document(d.Document))
	}
	return g
}

// wireKeys is the list of keys. It is not among the documents at hand: only what is needed is looked at, leniently.
type wireKeys struct {
	Keys []struct {
		RoomID string    `json:"roomId"`
		Count  string    `json:"keyCount"`
		From   string    `json:"keyStartDate"`
		To     string    `json:"keyExpiryDate"`
		Track  wireTrack `json:"keyTrack"`
	} `json:"roomKeysInfoList"`
}

type wireTrack struct {
	One string `json:"keyTrack1,omitempty"`
	Two string `json:"keyTrack2,omitempty"`
}

type wireIssued struct {
	Data  string    `json:"keyCardData"`
	Track wireTrack `json:"keyTrack"`
	Pin   string    `json:"keyPin"`
}

// isDay reports whether s is a day of the calendar, "2006-01-02".
func isDay(s string) bool {
	if len(s) == 10 && s[4] == '-' && s[7] == '-' && isNumber(s[:4], 9999) && s[5:7] != "00" && isNumber(s[5:7], 12) && s[8:] != "00" && isNumber(s[8:], 28) {
		return true // every month has it
	}
	_, err := time.Parse(time.DateOnly, s)
	return err == nil
}

// isNumber reports whether s is digits alone, of at most a number.
func isNumber(s string, most int) bool {
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
		n = 10*n + int(s[i]-'0')
	}
	return n <= most
}

// instant reads a time with or without an offset; zero where it is neither.
func instant(s string) time.Time {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t
	}
	return time.Time{}
}
