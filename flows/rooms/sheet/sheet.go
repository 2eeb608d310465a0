// Package sheet answers a search for rooms from what is known, without asking anybody: for each stay a sheet with a cell for
// each hotel, which holds what the hotel has said, encoded once. A search finds the cells of its circle, splices what
// passes its filters into an answer, and names the hotels that have to be asked; a whole answer that is asked for
// again is kept, and is good for as long as no cell of its circle has changed or grown old.
//
// How old a cell may be is told when it is put. Until Fresh it is answered as cached; until Usable as stale, and it is due to be asked for
// again; from then on it is as if it were not there.
package sheet

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/warmgate/warmgate/flows/rooms/offer"
	"github.com/warmgate/warmgate/flows/rooms/place"
	"github.com/warmgate/warmgate/gateway"
)

// Config bounds what a City keeps, and says what money it compares.
type Config struct {
	Currency string        // ISO 4217: of the prices that are compared; others are neither cheap nor dear
	Stays    int           // kept at once, 1 or more; the least recently searched goes
	MaxBytes int64         // of the sheets of all stays together: 16 a hotel and stay, and what the hotels said
	Answers  int           // whole answers kept at once, 0 or more, each of at most 64 KiB
	Retry    time.Duration // a stale cell is due again when nothing has come for so long
}

// Validate reports the first mistake as a *gateway.FieldError.
func (c Config) Validate() error {
	refuse := func(path, format string, args ...any) error {
		return &gateway.FieldError{Path: path, Message: fmt.Sprintf(format, args...)}
	}
	switch {
	case len(c.Currency) != 3:
		return refuse("currency", "must be three capitals of ISO 4217, not %q", c.Currency)
	case c.Stays < 1 || c.Stays > maxStays:
		return refuse("stays", "must be 1 to %d, not %d", maxStays, c.Stays)
	case c.MaxBytes < minBytes:
		return refuse("max_bytes", "must be at least %d (1 MiB), not %d", minBytes, c.MaxBytes)
	case c.Answers < 0 || c.Answers > maxAnswers:
		return refuse("answers", "must be 0 to %d, not %d", maxAnswers, c.Answers)
	case c.Retry <= 0:
		return refuse("retry", "must be more than 0s, not %s", c.Retry)
	}
	return nil
}

const (
	maxStays   = 4096
	maxAnswers = 65_536
	minBytes   = 1 << 20
)

// Hotel is what an answer says of a hotel whatever the stay.
type Hotel struct {
	ID       string
	Name     gateway.Text
	Lat, Lon float64                 // degrees, WGS 84
	Location *time.Location          // the hotel's own time zone; nil: UTC
	Kinds    map[string]gateway.Text // what its kinds of rooms are called, by offer.Offer.Kind; the others go by Offer.Name
	Bookable bool                    // what it offers can be booked here
}

// City is the hotels of one tenant and what is known of them. Its memory is bounded: by Config.MaxBytes for the sheets, which
// are at most Config.Stays × hotels cells, and by Answers × 64 KiB for whole answers; beside that about 400 bytes a hotel
// and what searches under way need. It never changes its hotels: a reload makes another City. Safe for concurrent use; searches wait for nobody.
type City struct {
	config Config
	hotels []hotel
	index  *place.Index
	wholes wholes
	pages  sync.Pool

	sheets atomic.Pointer[map[offer.Stay]*sheet] // the map is never changed, but replaced
	mu     sync.Mutex                            // of those who write
	bytes  int64                                 // of all sheets; guarded by mu
}

// hotel is a Hotel, encoded.
type hotel struct {
	id      string
	opening [2][]byte // {"hotel":…,"name":…,"bookable":…,"distance_m": by language
	missing []byte    // {"hotel":…,"reason":
	zone    *time.Location
	kinds   map[string]gateway.Text
}

// languages are those of an answer.
var languages = [2]string{gateway.LangZh, gateway.LangEn}

// languageOf returns the place of lang in languages; English where it is neither.
func languageOf(lang string) int {
	if lang == gateway.LangZh {
		return 0
	}
	return 1
}

// New makes a city of which nothing is known yet. Hotels are in the order of their ids; a hotel's place in it is its ordinal. It refuses a
// configuration that is not valid, hotels in another order or with the same id, and one that is nowhere on the earth.
func New(cfg Config, hotels []Hotel) (*City, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("cannot make a city: %w", err)
	}
	c := &City{config: cfg, hotels: make([]hotel, len(hotels))}
	spots := make([]place.Spot, len(hotels))
	for i := range hotels {
		h := &hotels[i]
		if i > 0 && hotels[i-1].ID >= h.ID {
			return nil, fmt.Errorf("cannot make a city: hotel %s comes after %s", h.ID, hotels[i-1].ID)
		}
		c.hotels[i] = hotelOf(h)
		spots[i] = place.Spot{Ordinal: int32(i), Lat: h.Lat, Lon: h.Lon}
	}
	var err error
	if c.index, err = place.Build(spots); err != nil {
		return nil, fmt.Errorf("cannot make a city: %w", err)
	}
	c.sheets.Store(&map[offer.Stay]*sheet{})
	c.wholes.init(cfg.Answers)
	return c, nil
}

func hotelOf(h *Hotel) hotel {
	out := hotel{id: h.ID, zone: cmp.Or(h.Location, time.UTC), kinds: h.Kinds}
	for i, lang := range languages {
		b := appendText([]byte(`{"hotel":`), h.ID)
		b = appendText(append(b, `,"name":`...), h.Name.In(lang))
		b = strconv.AppendBool(append(b, `,"bookable":`...), h.Bookable)
		out.opening[i] = append(b, `,"distance_m":`...)
	}
	out.missing = append(appendText([]byte(`{"hotel":`), h.ID), `,"reason":`...)
	return out
}

// appendText appends s as a JSON string; what is no UTF-8 in it becomes U+FFFD.
func appendText(dst []byte, s string) []byte {
	dst, _ = jsontext.AppendQuote(dst, s)
	return dst
}

// Ordinal returns the ordinal of the hotel id, and whether there is one.
func (c *City) Ordinal(id string) (ordinal int32, ok bool) {
	i, ok := c.find(id)
	return int32(i), ok
}

// find returns where id is or would be among the hotels.
func (c *City) find(id string) (int, bool) {
	return slices.BinarySearchFunc(c.hotels, id, func(h hotel, id string) int { return cmp.Compare(h.id, id) })
}

// Hotel returns the id of the hotel of an ordinal.
func (c *City) Hotel(ordinal int32) string { return c.hotels[ordinal].id }

// Len returns how many hotels there are.
func (c *City) Len() int { return len(c.hotels) }
