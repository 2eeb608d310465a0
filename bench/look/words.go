package main

import (
	"slices"

	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/gateway"
)

// Wish is what is looked for: a booking by its number, and what is sold for a stay (days, "2006-01-02"). Wishes of different
// visits have nothing in common: neither is what one has brought known to the other, nor do they share a call.
type Wish struct{ Confirmation, From, To, Visit string }

// Found is what the three systems said.
type Found struct {
	Booking Booking `json:"booking"`
	Rooms   []Room  `json:"rooms"`
	Offers  []Offer `json:"offers"`
}

type answer struct {
	Found
	Sources []gateway.Source `json:"sources"`
}

// Booking is a booking of the hotel.
type Booking struct {
	ID           string `json:"id"`
	Confirmation string `json:"confirmation"`
	Arrival      string `json:"arrival"`
	Departure    string `json:"departure"`
	RoomType     string `json:"room_type"`
	People       int    `json:"people"`
	Surname      string `json:"surname"` // of the leading guest
}

// Room is a room that is ready and empty.
type Room struct {
	Number string `json:"number"`
	Type   string `json:"type"`
	Floor  string `json:"floor"`
}

// Offer is a type of room under a rate plan.
type Offer struct {
	Type  string `json:"type"`
	Plan  string `json:"plan"`
	Free  int    `json:"free"`
	Minor int64  `json:"minor"` // of the price of all nights
}

func bookingOf(r *ohip.Reservation) Booking {
	b := Booking{ID: r.ID, Confirmation: r.Confirmation, Arrival: r.Arrival, Departure: r.Departure, RoomType: r.RoomType, People: r.Adults + r.Children}
	if len(r.Guests) > 0 {
		b.Surname = r.Guests[0].Surname
	}
	return b
}

// addRooms adds a page of rooms to those of the pages before.
func addRooms(all []Room, page []ohip.Room) []Room {
	all = slices.Grow(all, len(page))
	for i := range page {
		all = append(all, Room{Number: page[i].ID, Type: page[i].Type, Floor: page[i].Floor})
	}
	return all
}

func offersOf(a *ohip.Availability) []Offer {
	out := make([]Offer, len(a.Offers))
	for i := range a.Offers {
		o := &a.Offers[i]
		out[i] = Offer{Type: o.RoomType, Plan: o.RatePlan, Free: o.Free, Minor: o.Price.Minor}
	}
	return out
}
