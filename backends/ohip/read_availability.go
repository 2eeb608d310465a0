package ohip

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/warmgate/warmgate/backends/wire/jsonread"
)

// read implements readable.
func (w *wireAvailability) read(r *jsonread.Reader) {
	for o := r.Object(); o.Next(); {
		if string(o.Name()) != "hotelAvailability" {
			r.Skip()
			continue
		}
		for a := r.Array(); a.Next(); {
			w.Segments = append(w.Segments, wireSegment{})
			w.Segments[len(w.Segments)-1].read(r, w)
		}
	}
}

func (w *wireSegment) read(r *jsonread.Reader, page *wireAvailability) {
	for o := r.Object(); o.Next(); {
		switch string(o.Name()) {
		case "hotelId":
			w.HotelID = r.String()
		case "closed":
			w.Closed = r.Bool()
		case "hasMore":
			w.HasMore = r.Bool()
		case "pagingKey":
			w.Next = r.String()
		case "roomStays":
			for a := r.Array(); a.Next(); {
				w.Stays = append(w.Stays, wireOffered{})
				w.Stays[len(w.Stays)-1].read(r, page)
			}
		case "masterInfo":
			w.readMaster(r)
		default:
			r.Skip()
		}
	}
}

func (w *wireOffered) read(r *jsonread.Reader, page *wireAvailability) {
	for o := r.Object(); o.Next(); {
		switch string(o.Name()) {
		case "arrivalDate":
			w.Arrival = r.String()
		case "departureDate":
			w.Departure = r.String()
		case "roomRates":
			from := len(page.rates)
			for a := r.Array(); a.Next(); {
				page.rates = append(page.rates, wireRoomRate{})
				page.rates[len(page.rates)-1].read(r, page)
			}
			w.Rates = since(page.rates, from)
		default:
			r.Skip()
		}
	}
}

func (w *wireSegment) readMaster(r *jsonread.Reader) {
	for o := r.Object(); o.Next(); {
		if string(o.Name()) != "roomTypes" {
			r.Skip()
			continue
		}
		for o := r.Object(); o.Next(); {
			if string(o.Name()) != "roomType" {
				r.Skip()
				continue
			}
			for a := r.Array(); a.Next(); {
				w.Master.Types.All = append(w.Master.Types.All, wireRoomType{})
				w.Master.Types.All[len(w.Master.Types.All)-1].read(r)
			}
		}
	}
}

func (w *wireRoomType) read(r *jsonread.Reader) {
	for o := r.Object(); o.Next(); {
		switch string(o.Name()) {
		case "roomType":
			w.Code = r.String()
		case "description":
			w.Name = r.String()
		case "roomFeatures":
			for a := r.Array(); a.Next(); {
				w.Features = append(w.Features, wireFeature{readMember(r, "code")})
			}
		default:
			r.Skip()
		}
	}
}

func (w *wireRoomRate) read(r *jsonread.Reader, page *wireAvailability) {
	for o := r.Object(); o.Next(); {
		switch string(o.Name()) {
		case "roomType":
			w.RoomType = r.String()
		case "ratePlanCode":
			w.RatePlan = r.String()
		case "availability":
			w.Status = r.String()
		case "numberOfUnits":
			if !r.Null() {
				n := r.Int()
				w.Units = &n
			}
		case "start":
			w.Start = r.String()
		case "end":
			w.End = r.String()
		case "pseudoRoom":
			w.Pseudo = r.Bool()
		case "suppressRate":
			w.Suppressed = r.Bool()
		case "taxIncluded":
			w.TaxIncluded = r.Bool()
		case "total":
			w.Total.read(r, page)
		case "mealPlans":
			for a := r.Array(); a.Next(); {
				w.Meals = append(w.Meals, readMeal(r))
			}
		case "packages":
			for a := r.Array(); a.Next(); {
				w.Packages = append(w.Packages, readPackage(r))
			}
		default:
			r.Skip()
		}
	}
}

func (t *wireTotal) read(r *jsonread.Reader, page *wireAvailability) {
	for o := r.Object(); o.Next(); {
		switch string(o.Name()) {
		case "amountBeforeTax":
			t.Before = page.amount(r.Raw())
		case "amountAfterTax":
			t.After = page.amount(r.Raw())
		case "currencyCode":
			t.Currency = r.String()
		default:
			r.Skip()
		}
	}
}

// amount keeps an amount as it is written.
func (w *wireAvailability) amount(text []byte) jsontext.Value {
	from := len(w.amounts)
	w.amounts = append(w.amounts, text...)
	return since(w.amounts, from)
}

func readMeal(r *jsonread.Reader) (m wireMeal) {
	for o := r.Object(); o.Next(); {
		switch string(o.Name()) {
		case "included":
			m.Included = r.Bool()
		case "breakfastIncluded":
			m.Breakfast = r.Bool()
		default:
			r.Skip()
		}
	}
	return m
}

func readPackage(r *jsonread.Reader) (p wirePackage) {
	for o := r.Object(); o.Next(); {
		switch string(o.Name()) {
		case "packageCode":
			p.Code = r.String()
		case "includedInRate":
			p.Included = r.Bool()
		default:
			r.Skip()
		}
	}
	return p
}
