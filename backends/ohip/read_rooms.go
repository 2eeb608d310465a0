package ohip

import "github.com/warmgate/warmgate/backends/wire/jsonread"

// roomPage is one page of rooms. It is used again and again.
type roomPage struct {
	rooms   []Room
	hasMore bool

	half  bool     // a room lacks what callers rely on
	words []string // of all rooms, each of which has a part of them
	stays []Stay   // likewise
}

// whole reports whether each room has what callers rely on.
func (p *roomPage) whole() bool { return !p.half }

// reset makes room for another page, and forgets the one before.
func (p *roomPage) reset() {
	clear(p.rooms)
	clear(p.words)
	clear(p.stays)
	*p = roomPage{rooms: p.rooms[:0], words: p.words[:0], stays: p.stays[:0]}
}

// read implements readable.
func (p *roomPage) read(r *jsonread.Reader) {
	for o := r.Object(); o.Next(); {
		switch string(o.Name()) {
		case "hotelRoomsDetails":
			for o := r.Object(); o.Next(); {
				if string(o.Name()) == "room" {
					p.readRooms(r)
				} else {
					r.Skip()
				}
			}
		case "hasMore":
			p.hasMore = r.Bool()
		default:
			r.Skip()
		}
	}
}

func (p *roomPage) readRooms(r *jsonread.Reader) {
	for a := r.Array(); a.Next(); {
		p.rooms = append(p.rooms, Room{})
		room := &p.rooms[len(p.rooms)-1]
		p.readRoom(r, room)
		p.half = p.half || room.ID == "" || room.Type == "" || room.Housekeeping == "" || room.FrontOffice == ""
	}
}

func (p *roomPage) readRoom(r *jsonread.Reader, room *Room) {
	for o := r.Object(); o.Next(); {
		switch string(o.Name()) {
		case "roomId":
			room.ID = r.String()
		case "roomType":
			room.Type = readMember(r, "roomType")
		case "floor":
			room.Floor = r.String()
		case "roomFeatures":
			room.Features = readMembers(r, "code", &p.words)
		case "connectingRooms":
			room.Connecting = readMembers(r, "roomId", &p.words)
		case "housekeeping":
			p.readCleaning(r, room)
		case "hold":
			room.Held = readPresence(r)
		case "resvInfo":
			p.readStays(r, room)
		default:
			r.Skip()
		}
	}
}

// readPresence reports whether there is an object, whatever it says.
func readPresence(r *jsonread.Reader) bool {
	if r.Null() {
		return false
	}
	for o := r.Object(); o.Next(); {
		r.Skip()
	}
	return true
}

func (p *roomPage) readCleaning(r *jsonread.Reader, room *Room) {
	for o := r.Object(); o.Next(); {
		if string(o.Name()) != "roomStatus" {
			r.Skip()
			continue
		}
		for o := r.Object(); o.Next(); {
			switch string(o.Name()) {
			case "reservationStatusList":
				room.Today = readWords(r, &p.words)
			case "roomStatus":
				room.Housekeeping = Housekeeping(r.String())
			case "frontOfficeStatus":
				room.FrontOffice = FrontOffice(r.String())
			default:
				r.Skip()
			}
		}
	}
}

func (p *roomPage) readStays(r *jsonread.Reader, room *Room) {
	from := len(p.stays)
	for a := r.Array(); a.Next(); {
		var s Stay
		for o := r.Object(); o.Next(); {
			switch string(o.Name()) {
			case "reservationId":
				s.ReservationID = readID(r).ID
			case "reservationStatusInfo":
				s.Status = r.String()
			default:
				r.Skip()
			}
		}
		p.stays = append(p.stays, s)
	}
	if len(p.stays) > from {
		room.Stays = p.stays[from:len(p.stays):len(p.stays)]
	}
}
