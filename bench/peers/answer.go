package main

import (
	"encoding/json"
	"math"
	"time"
)

// What is read of the three systems' documents: the members that the answer is made of.

type identifier struct {
	ID   string `json:"id"`
	Type string `json:"type"`
}

type bookings struct {
	Reservations struct {
		Info []struct {
			IDs  []identifier `json:"reservationIdList"`
			Stay struct {
				Arrival   string `json:"arrivalDate"`
				Departure string `json:"departureDate"`
				Adults    int    `json:"adultCount"`
				Children  int    `json:"childCount"`
				RoomType  string `json:"roomType"`
			} `json:"roomStay"`
			Guest struct {
				Surname string `json:"surname"`
			} `json:"reservationGuest"`
		} `json:"reservationInfo"`
	} `json:"reservations"`
}

type rooms struct {
	Details struct {
		Rooms []struct {
			ID   string `json:"roomId"`
			Type struct {
				Type string `json:"roomType"`
			} `json:"roomType"`
			Floor string `json:"floor"`
		} `json:"room"`
	} `json:"hotelRoomsDetails"`
}

type availability struct {
	Segments []struct {
		Stays []struct {
			Rates []struct {
				RoomType string `json:"roomType"`
				RatePlan string `json:"ratePlanCode"`
				Status   string `json:"availability"`
				Units    int    `json:"numberOfUnits"`
				Total    struct {
					Before json.Number `json:"amountBeforeTax"`
					After  json.Number `json:"amountAfterTax"`
				} `json:"total"`
			} `json:"roomRates"`
		} `json:"roomStays"`
	} `json:"hotelAvailability"`
}

// What is answered.

type answer struct {
	Booking booking  `json:"booking"`
	Rooms   []room   `json:"rooms"`
	Offers  []offer  `json:"offers"`
	Sources []source `json:"sources"`
}

type booking struct {
	ID           string `json:"id"`
	Confirmation string `json:"confirmation"`
	Arrival      string `json:"arrival"`
	Departure    string `json:"departure"`
	RoomType     string `json:"room_type"`
	People       int    `json:"people"`
	Surname      string `json:"surname"`
}

type room struct {
	Number string `json:"number"`
	Type   string `json:"type"`
	Floor  string `json:"floor"`
}

type offer struct {
	Type  string `json:"type"`
	Plan  string `json:"plan"`
	Free  int    `json:"free"`
	Minor int64  `json:"minor"`
}

type source struct {
	System string    `json:"system"`
	AsOf   time.Time `json:"as_of"`
	State  string    `json:"state"`
}

// merge makes the answer.
func merge(systems *[3]system, b *bookings, r *rooms, a *availability) answer {
	out := answer{Rooms: []room{}, Offers: []offer{}}
	if len(b.Reservations.Info) > 0 {
		i := &b.Reservations.Info[0]
		out.Booking = booking{Arrival: i.Stay.Arrival, Departure: i.Stay.Departure, RoomType: i.Stay.RoomType,
			People: i.Stay.Adults + i.Stay.Children, Surname: i.Guest.Surname}
		for _, id := range i.IDs {
			switch id.Type {
			case "Reservation":
				out.Booking.ID = id.ID
			case "Confirmation":
				out.Booking.Confirmation = id.ID
			}
		}
	}
	for i := range r.Details.Rooms {
		x := &r.Details.Rooms[i]
		out.Rooms = append(out.Rooms, room{x.ID, x.Type.Type, x.Floor})
	}
	for _, s := range a.Segments {
		for _, stay := range s.Stays {
			for i := range stay.Rates {
				x := &stay.Rates[i]
				o := offer{Type: x.RoomType, Plan: x.RatePlan, Minor: minor(x.Total.After, x.Total.Before)}
				if x.Status == "" || x.Status == "Available" {
					o.Free = x.Units
				}
				out.Offers = append(out.Offers, o)
			}
		}
	}
	now := time.Now()
	for _, s := range systems {
		out.Sources = append(out.Sources, source{s.Name, now, "live"})
	}
	return out
}

// minor returns the first amount that is there, in hundredths.
func minor(amounts ...json.Number) int64 {
	for _, a := range amounts {
		if v, err := a.Float64(); err == nil {
			return int64(math.Round(v * 100))
		}
	}
	return 0
}
