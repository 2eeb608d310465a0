package ohip

import (
	"slices"

	"github.com/warmgate/warmgate/backends/wire/jsonread"
)

// Answers that are asked for often are read without reflection. Their structs still say which members there are, and tests
// hold both ways of reading against each other.

func readIDs(r *jsonread.Reader) (all []wireID) {
	for a := r.Array(); a.Next(); {
		if all == nil {
			all = make([]wireID, 0, 2)
		}
		all = append(all, readID(r))
	}
	return all
}

func readID(r *jsonread.Reader) (id wireID) {
	for o := r.Object(); o.Next(); {
		switch string(o.Name()) {
		case "id":
			id.ID = r.String()
		case "type":
			id.Type = r.String()
		default:
			r.Skip()
		}
	}
	return id
}

// readMember reads one string member of an object and nothing else.
func readMember(r *jsonread.Reader, name string) (value string) {
	for o := r.Object(); o.Next(); {
		if string(o.Name()) == name {
			value = r.String()
		} else {
			r.Skip()
		}
	}
	return value
}

// readMembers appends one string member of each of an array's objects to page, where those of other arrays stand already,
// and returns them.
func readMembers(r *jsonread.Reader, name string, page *[]string) []string {
	from := len(*page)
	for a := r.Array(); a.Next(); {
		*page = append(*page, readMember(r, name))
	}
	return since(*page, from)
}

// readWords is readMembers for an array of strings.
func readWords(r *jsonread.Reader, page *[]string) []string {
	from := len(*page)
	for a := r.Array(); a.Next(); {
		*page = append(*page, r.String())
	}
	return since(*page, from)
}

// since returns what was appended since from, nil for nothing: whoever appends to it changes nothing else.
func since[T any](page []T, from int) []T {
	if len(page) == from {
		return nil
	}
	return page[from:len(page):len(page)]
}

// read implements readable.
func (w *wireReservations) read(r *jsonread.Reader) {
	for o := r.Object(); o.Next(); {
		if string(o.Name()) != "reservations" {
			r.Skip()
			continue
		}
		for o := r.Object(); o.Next(); {
			switch string(o.Name()) {
			case "reservationInfo":
				for a := r.Array(); a.Next(); {
					w.Reservations.Info = append(w.Reservations.Info, wireReservationInfo{})
					w.Reservations.Info[len(w.Reservations.Info)-1].read(r)
				}
			case "hasMore":
				w.Reservations.HasMore = r.Bool()
			default:
				r.Skip()
			}
		}
	}
}

func (i *wireReservationInfo) read(r *jsonread.Reader) {
	for o := r.Object(); o.Next(); {
		switch string(o.Name()) {
		case "reservationIdList":
			i.IDs = readIDs(r)
		case "externalReferences":
			i.References = referencesOf(r)
		case "hotelId":
			i.HotelID = r.String()
		case "reservationStatus":
			i.Status = Status(r.String())
		case "computedReservationStatus":
			i.Computed = Status(r.String())
		case "keyCount":
			i.KeyCount = r.Int()
		case "roomStay":
			i.readStay(r)
		case "reservationGuest":
			i.readGuest(r)
		default:
			r.Skip()
		}
	}
}

func referencesOf(r *jsonread.Reader) (all []wireReference) {
	for a := r.Array(); a.Next(); {
		var one wireReference
		for o := r.Object(); o.Next(); {
			switch string(o.Name()) {
			case "id":
				one.ID = r.String()
			case "idContext":
				one.Context = r.String()
			default:
				r.Skip()
			}
		}
		all = append(all, one)
	}
	return all
}

func (i *wireReservationInfo) readStay(r *jsonread.Reader) {
	s := &i.Stay
	for o := r.Object(); o.Next(); {
		switch string(o.Name()) {
		case "arrivalDate":
			s.Arrival = r.String()
		case "departureDate":
			s.Departure = r.String()
		case "adultCount":
			s.Adults = r.Int()
		case "childCount":
			s.Children = r.Int()
		case "roomType":
			s.RoomType = r.String()
		case "roomId":
			s.RoomID = r.String()
		case "ratePlanCode":
			s.RatePlan = r.String()
		case "totalAmount":
			for o := r.Object(); o.Next(); {
				switch string(o.Name()) {
				case "amount":
					s.Total.Amount = slices.Clone(r.Raw())
				case "currencyCode":
					s.Total.Currency = r.String()
				default:
					r.Skip()
				}
			}
		default:
			r.Skip()
		}
	}
}

func (i *wireReservationInfo) readGuest(r *jsonread.Reader) {
	g := &i.Guest
	for o := r.Object(); o.Next(); {
		switch string(o.Name()) {
		case "id":
			g.ID = r.String()
		case "surname":
			g.Surname = r.String()
		case "givenName":
			g.GivenName = r.String()
		case "fullName":
			g.FullName = r.String()
		case "alternateFullName":
			g.Alternate = r.String()
		case "birthDate":
			g.BirthDate = r.String()
		case "nationality":
			g.Nationality.Code = readMember(r, "code")
		case "accompanyGuests":
			for a := r.Array(); a.Next(); {
				g.Accompany = append(g.Accompany, wireAccompany{})
				g.Accompany[len(g.Accompany)-1].read(r)
			}
		default:
			r.Skip()
		}
	}
}

func (w *wireAccompany) read(r *jsonread.Reader) {
	for o := r.Object(); o.Next(); {
		switch string(o.Name()) {
		case "firstName":
			w.FirstName = r.String()
		case "lastName":
			w.LastName = r.String()
		case "fullName":
			w.FullName = r.String()
		case "alternateFullName":
			w.Alternate = r.String()
		case "profileIdList":
			w.IDs = readIDs(r)
		default:
			r.Skip()
		}
	}
}
