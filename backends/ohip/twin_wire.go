package ohip

import "github.com/go-json-experiment/json/jsontext"

// The answers of the twin, in the schema's names. Members that a front desk has no use for are left out, as the schema
// allows for every one of them.

type shownSearch struct {
	Reservations shownInfos `json:"reservations"`
}

type shownInfos struct {
	Info    []shownInfo `json:"reservationInfo"`
	Offset  int         `json:"offset"`
	Limit   int         `json:"limit"`
	HasMore bool        `json:"hasMore"`
	Count   int         `json:"count"`
	Total   int         `json:"totalResults"`
}

type shownInfo struct {
	IDs        []wireID        `json:"reservationIdList"`
	References []wireReference `json:"externalReferences,omitzero"`
	Stay       shownInfoStay   `json:"roomStay"`
	Guest      shownInfoGuest  `json:"reservationGuest"`
	KeyCount   int             `json:"keyCount"`
	HotelID    string          `json:"hotelId"`
	IsStay     bool            `json:"roomStayReservation"`
	CreatedAt  string          `json:"createDateTime"`
	Status     Status          `json:"reservationStatus"`
	Computed   Status          `json:"computedReservationStatus"`
}

type shownInfoStay struct {
	Arrival   string       `json:"arrivalDate"`
	Departure string       `json:"departureDate"`
	Adults    int          `json:"adultCount"`
	Children  int          `json:"childCount"`
	RoomType  string       `json:"roomType"`
	RoomID    string       `json:"roomId,omitzero"`
	RatePlan  string       `json:"ratePlanCode,omitzero"`
	Total     *shownAmount `json:"totalAmount,omitzero"`
}

type shownAmount struct {
	Amount   jsontext.Value `json:"amount"`
	Currency string         `json:"currencyCode"`
}

type shownInfoGuest struct {
	GivenName   string             `json:"givenName"`
	Surname     string             `json:"surname"`
	FullName    string             `json:"fullName"`
	Alternate   string             `json:"alternateFullName,omitzero"`
	BirthDate   string             `json:"birthDate,omitzero"`
	Nationality *shownCountry      `json:"nationality,omitzero"`
	Accompany   []shownInfoCompany `json:"accompanyGuests,omitzero"`
	NameType    string             `json:"nameType"`
	ID          string             `json:"id"`
	Type        string             `json:"type"`
}

type shownCountry struct {
	Code string `json:"code"`
}

type shownInfoCompany struct {
	FirstName string   `json:"firstName"`
	LastName  string   `json:"lastName"`
	FullName  string   `json:"fullName"`
	Alternate string   `json:"alternateFullName,omitzero"`
	IDs       []wireID `json:"profileIdList"`
}

func (t *Twin) reservationIDs(s *twinStay) []wireID {
	return []wireID{{s.ID, "Reservation"}, {s.Confirmation, "Confirmation"}}
}

func (t *Twin) shownInfo(s *twinStay) shownInfo {
	g := &s.Guests[0]
	out := shownInfo{IDs: t.reservationIDs(s), HotelID: t.cfg.HotelID, IsStay: true, KeyCount: len(s.Keys), Status: s.Status,
		Computed: s.computed(t.today()), CreatedAt: stamp(s.Created),
		Stay: shownInfoStay{s.Arrival, s.Departure, s.adults(), s.children(), s.RoomType, s.RoomID, s.RatePlan, nil},
		Guest: shownInfoGuest{GivenName: g.GivenName, Surname: g.Surname, FullName: g.fullName(), Alternate: g.Alternate,
			BirthDate: g.BirthDate, NameType: "Guest", ID: s.profile(0), Type: "Profile"}}
	if s.Total > 0 {
		out.Stay.Total = &shownAmount{whole(s.Total), "CNY"}
	}
	if g.Nationality != "" {
		out.Guest.Nationality = &shownCountry{g.Nationality}
	}
	for i, c := range s.Guests[1:] {
		out.Guest.Accompany = append(out.Guest.Accompany, shownInfoCompany{c.GivenName, c.Surname, c.fullName(), c.Alternate,
			[]wireID{{s.profile(i + 1), "Profile"}}})
	}
	return out
}

type shownVerified struct {
	Reservation []shownStay    `json:"reservation"`
	Warnings    []shownWarning `json:"warnings,omitzero"`
}

type shownWarning struct {
	ShortText string `json:"shortText"`
	Code      string `json:"code"`
}

type shownStay struct {
	IDs      []wireID      `json:"reservationIdList"`
	Stay     shownRoomStay `json:"roomStay"`
	Guests   []shownGuest  `json:"reservationGuests"`
	HotelID  string        `json:"hotelId"`
	IsStay   bool          `json:"roomStayReservation"`
	Status   Status        `json:"reservationStatus"`
	Computed Status        `json:"computedReservationStatus"`
}

type shownRoomStay struct {
	Room      shownStayRoom `json:"currentRoomInfo"`
	Counts    shownCounts   `json:"guestCounts"`
	Arrival   string        `json:"arrivalDate"`
	Departure string        `json:"departureDate"`
}

type shownStayRoom struct {
	RoomType string `json:"roomType"`
	RoomID   string `json:"roomId,omitzero"`
}

type shownCounts struct {
	Adults   int `json:"adults"`
	Children int `json:"children"`
}

type shownGuest struct {
	Info    shownProfileInfo `json:"profileInfo"`
	Primary bool             `json:"primary"`
}

type shownProfileInfo struct {
	IDs     []wireID     `json:"profileIdList"`
	Profile shownProfile `json:"profile"`
}

type shownProfile struct {
	Customer shownCustomer `json:"customer"`
}

type shownCustomer struct {
	Names       []wireName     `json:"personName"`
	Documents   shownDocuments `json:"identifications"`
	BirthDate   string         `json:"birthDate,omitzero"`
	Nationality string         `json:"nationality,omitzero"`
}

type shownDocuments struct {
	Info []shownDocument `json:"identificationInfo"`
}

type shownDocument struct {
	Document shownIdentification `json:"identification"`
}

type shownIdentification struct {
	Type    string `json:"idType"`
	Number  string `json:"idNumber"`
	Country string `json:"issuedCountry,omitzero"`
	Expires string `json:"expirationDate,omitzero"`
	Primary bool   `json:"primaryInd"`
}

func (t *Twin) shownStay(s *twinStay) shownStay {
	out := shownStay{IDs: t.reservationIDs(s), HotelID: t.cfg.HotelID, IsStay: true, Status: s.Status,
		Computed: s.computed(t.today()), Guests: make([]shownGuest, 0, len(s.Guests)),
		Stay: shownRoomStay{shownStayRoom{s.RoomType, s.RoomID}, shownCounts{s.adults(), s.children()}, s.Arrival,
			s.Departure}}
	for i := range s.Guests {
		g := &s.Guests[i]
		c := shownCustomer{Names: []wireName{{g.GivenName, g.Surname, "Primary"}}, BirthDate: g.BirthDate,
			Nationality: g.Nationality, Documents: shownDocuments{Info: []shownDocument{}}}
		if g.Alternate != "" {
			c.Names = append(c.Names, wireName{Surname: g.Alternate, Type: "Alternate"})
		}
		if d := g.Document; d.Number != "" {
			c.Documents.Info = append(c.Documents.Info, shownDocument{shownIdentification{d.Type, d.Number, d.Country, d.Expires, true}})
		}
		out.Guests = append(out.Guests, shownGuest{Primary: i == 0,
			Info: shownProfileInfo{[]wireID{{s.profile(i), "Profile"}}, shownProfile{c}}})
	}
	return out
}

type shownRooms struct {
	Details shownRoomList `json:"hotelRoomsDetails"`
	Offset  int           `json:"offset"`
	Limit   int           `json:"limit"`
	HasMore bool          `json:"hasMore"`
	Total   int           `json:"totalResults"`
	Count   int           `json:"count"`
}

type shownRoomList struct {
	Rooms   []shownRoom `json:"room"`
	HotelID string      `json:"hotelId"`
}

type shownRoom struct {
	Type       shownRoomType     `json:"roomType"`
	Floor      string            `json:"floor"`
	ID         string            `json:"roomId"`
	Cleaning   shownHousekeeping `json:"housekeeping"`
	Connecting []shownDoor       `json:"connectingRooms,omitzero"`
	Stays      []shownRoomUse    `json:"resvInfo,omitzero"`
}

type shownRoomType struct {
	RoomType string `json:"roomType"`
}

type shownHousekeeping struct {
	Status shownRoomStatus `json:"roomStatus"`
}

type shownRoomStatus struct {
	Today        []string     `json:"reservationStatusList"`
	Housekeeping Housekeeping `json:"roomStatus"`
	FrontOffice  FrontOffice  `json:"frontOfficeStatus"`
}

type shownDoor struct {
	ID string `json:"roomId"`
}

type shownRoomUse struct {
	ID     wireID `json:"reservationId"`
	Status string `json:"reservationStatusInfo"`
}

func (t *Twin) shownRoom(r *twinRoom) shownRoom {
	today := t.today()
	status := shownRoomStatus{Today: []string{}, Housekeeping: r.Housekeeping, FrontOffice: Vacant}
	out := shownRoom{Type: shownRoomType{r.Type}, Floor: r.Floor, ID: r.ID}
	for _, s := range t.holders[r.ID] {
		use := s.use(today)
		if use == "" {
			continue
		}
		if s.Status == StatusInHouse {
			status.FrontOffice = Occupied
		}
		status.Today = append(status.Today, use)
		out.Stays = append(out.Stays, shownRoomUse{wireID{s.ID, "Reservation"}, use})
	}
	if len(status.Today) == 0 {
		status.Today = append(status.Today, "NotReserved")
	}
	if r.Pair != "" {
		for _, other := range t.rooms {
			if other != r && other.Pair == r.Pair {
				out.Connecting = append(out.Connecting, shownDoor{other.ID})
			}
		}
	}
	out.Cleaning = shownHousekeeping{status}
	return out
}

// use returns what a reservation makes of its room today, "" when nothing.
func (s *twinStay) use(today string) string {
	switch c := s.computed(today); {
	case c == StatusDueIn:
		return "Arrival"
	case c == StatusDueOut:
		return "DueOut"
	case c == StatusInHouse && s.Arrival == today:
		return "Arrived"
	case c == StatusInHouse:
		return "StayOver"
	}
	return ""
}

type shownKeys struct {
	Keys []shownKey `json:"roomKeysInfoList"`
}

type shownKey struct {
	HotelID       string    `json:"hotelId"`
	ReservationID wireID    `json:"reservationId"`
	RoomID        string    `json:"roomId"`
	Count         string    `json:"keyCount"`
	From          string    `json:"keyStartDate"`
	To            string    `json:"keyExpiryDate"`
	Track         wireTrack `json:"keyTrack"`
}
