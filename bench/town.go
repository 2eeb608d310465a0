package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"github.com/warmgate/warmgate/backends/city"
	"github.com/warmgate/warmgate/backends/identity"
	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/backends/police"
	"github.com/warmgate/warmgate/flows/checkin/checkintest"
)

// shippedHotel is the hotel of the shipped configuration that the proofs' hotels are like: run by OPERA Cloud, with an
// encoder for its keys and two kiosks.
const shippedHotel = "lakeside"

func kiosks() []string { return []string{"lobby-1", "lobby-2"} }

// hotel is a venue of a town with its three systems.
type hotel struct {
	id     string
	pms    *earlyLeavers
	faces  *identity.Twin
	police *police.Twin
}

// town is a world of hotels.
type town struct {
	*world
	hotels []*hotel
}

// newTown builds a city with n hotels of so many rooms, all of one kind. behind, where it is not nil, serves their systems
// at addresses of its own. edits are of the hotels' file and the gateway's.
func newTown(dir string, seed uint64, n, rooms int, behind func(http.Handler) (url string, err error), edits ...edit) (*town, error) {
	t := &town{world: &world{dir: dir}}
	err := t.found(seed, edits, shippedHotel)
	var shipped []byte
	if err == nil {
		shipped, err = os.ReadFile(t.path("configs/venues/" + shippedHotel + ".yaml"))
	}
	for i := range n {
		if err == nil {
			err = t.open(string(shipped), i, rooms, seed, behind)
		}
	}
	if err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

// open builds a hotel's systems and writes its file: the shipped one, with a name and addresses of its own.
func (t *town) open(text string, i, rooms int, seed uint64, behind func(http.Handler) (url string, err error)) error {
	h := &hotel{id: shippedHotel}
	if i > 0 {
		h.id = fmt.Sprintf("%s-%d", shippedHotel, i+1)
	}
	t.hotels = append(t.hotels, h)
	urls, err := t.systems(h, rooms, seed, behind)
	if err != nil {
		return err
	}
	for kind, url := range urls {
		address := regexp.MustCompile(`\$\{WARMGATE_` + strings.ToUpper(kind) + `_\w+:-[^}]*\}`)
		if n := len(address.FindAllStringIndex(text, -1)); n != 1 {
			return fmt.Errorf("cannot change the shipped %s.yaml: it has %d addresses of %s, not one", shippedHotel, n, kind)
		}
		text = address.ReplaceAllLiteralString(text, url)
	}
	text = regexp.MustCompile(`\b`+shippedHotel+`\b`).ReplaceAllLiteralString(text, h.id)
	return os.WriteFile(t.path("configs/venues/"+h.id+".yaml"), []byte(text), 0o600) //nolint:gosec // below the folder of this run
}

// systems builds a hotel's three systems and returns their addresses by kind.
func (t *town) systems(h *hotel, rooms int, seed uint64, behind func(http.Handler) (url string, err error)) (map[string]string, error) {
	keys := map[string]string{}
	for _, kind := range []string{"ohip", "identity", "police"} {
		key, err := city.Key(t.path("secrets"), city.Place{Kind: kind, Instance: h.id})
		if err != nil {
			return nil, err
		}
		keys[kind] = key
	}
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		return nil, err
	}
	all := make([]ohip.TwinRoom, rooms)
	for i := range all {
		all[i] = ohip.TwinRoom{ID: fmt.Sprintf("%d%02d", 2+i/25, 1+i%25), Type: "STD", Floor: fmt.Sprint(2 + i/25)}
	}
	h.pms = &earlyLeavers{}
	h.pms.Twin, err = ohip.NewTwin(ohip.TwinConfig{HotelID: h.id, ClientSecret: keys["ohip"], Seed: seed, Location: zone, Rooms: all,
		Clock: h.pms.now, TokenLife: 7 * 24 * time.Hour})
	if err != nil {
		return nil, err
	}
	if h.faces, err = identity.NewTwin(identity.TwinConfig{Name: h.id, APIKey: keys["identity"], Seed: seed, Location: zone}); err != nil {
		return nil, err
	}
	if h.police, err = police.NewTwin(police.TwinConfig{Name: h.id, APIKey: keys["police"], Seed: seed}); err != nil {
		return nil, err
	}
	err = errors.Join(t.city.Add("ohip", h.id, h.pms), t.city.Add("identity", h.id, h.faces), t.city.Add("police", h.id, h.police))
	urls := map[string]string{}
	for kind, twin := range map[string]http.Handler{"ohip": h.pms, "identity": h.faces, "police": h.police} {
		urls[kind] = t.city.URL(kind, h.id)
		if behind != nil && err == nil {
			urls[kind], err = behind(twin)
		}
	}
	return urls, err
}

// earlyLeavers is a hotel whose guests may leave on the day they come, which OPERA does not allow: for a check-out it is
// tomorrow there, and the room is made up at once. So check-ins and check-outs can be under way together, in the same rooms.
type earlyLeavers struct {
	*ohip.Twin

	mu    sync.RWMutex // held for writing while it is tomorrow
	ahead atomic.Int64 // days
}

func (e *earlyLeavers) now() time.Time { return time.Now().AddDate(0, 0, int(e.ahead.Load())) }

// ServeHTTP answers as the twin does, a check-out as if it were tomorrow.
func (e *earlyLeavers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "/checkOuts") {
		e.mu.RLock()
		defer e.mu.RUnlock()
		e.Twin.ServeHTTP(w, r)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ahead.Store(1)
	defer e.ahead.Store(0)
	e.Twin.ServeHTTP(w, r)
	if err := e.Housekeep("*", ohip.Clean); err != nil {
		panic("BUG: every room can be made up: " + err.Error())
	}
}

// Books reads the books as of today.
func (e *earlyLeavers) Books() any {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.Twin.Books()
}

// Reserve books for today.
func (e *earlyLeavers) Reserve(w ohip.Want) ([]ohip.Made, error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.Twin.Reserve(w)
}

// guests is a booking with those who come with it.
type guests struct {
	checkintest.Booked

	persons []string // what the bureau's books call them
}

// book makes people up and books rooms for them, so many for each booking.
func (h *hotel) book(bookings, people int) ([]guests, error) {
	all := make([]guests, 0, bookings)
	var made []identity.Made
	for range bookings {
		for len(made) < people {
			more, err := h.faces.MakeUp(identity.Want{Count: min(1000, people*(bookings-len(all))-len(made))})
			if err != nil {
				return nil, err
			}
			made = append(made, more...)
		}
		g := guests{Booked: checkintest.Booked{Hotel: h.id, People: made[:people:people]}}
		made = made[people:]
		want := ohip.Want{}
		for _, p := range g.People {
			surname, given, _ := strings.Cut(p.Document.Name, " ")
			want.Guests = append(want.Guests, ohip.WantGuest{Surname: surname, GivenName: given, BirthDate: p.Document.BirthDate})
			g.persons = append(g.persons, h.police.Person(p.Document.Type, p.Document.Number))
		}
		booked, err := h.pms.Reserve(want)
		if err != nil {
			return nil, err
		}
		g.ID, g.Confirmation = booked[0].ID, booked[0].Confirmation
		all = append(all, g)
	}
	return all, nil
}

// checkIn is a party at a kiosk.
func (g *guests) checkIn(token, kiosk string) ask {
	return kioskAsk(token, g.Hotel, "check-ins", g.Arrival(kiosk))
}

// checkOut is one of a party who leaves.
func (g *guests) checkOut(token, kiosk string) ask {
	d := g.People[0].Document
	return kioskAsk(token, g.Hotel, "check-outs", map[string]any{"kiosk": kiosk, "document": map[string]any{"type": d.Type, "number": d.Number}})
}

func kioskAsk(token, hotel, what string, body map[string]any) ask {
	text, err := json.Marshal(body)
	if err != nil {
		panic("BUG: a kiosk's request cannot be encoded: " + err.Error())
	}
	return ask{method: fasthttp.MethodPost, path: "/v1/hotels/" + hotel + "/" + what, token: token, key: uuid.NewString(), body: text}
}

// told is the body of a 201 or 202 at a kiosk.
type told struct {
	Journey  string `json:"journey"`
	Decision string `json:"decision"`
	Stay     string `json:"stay"`
	Room     struct {
		Number string `json:"number"`
	} `json:"room"`
	Again  bool `json:"again"`
	Assist struct {
		Kind string `json:"kind"`
	} `json:"assist"`
}

func toldBy(a answer) (t told) {
	_ = json.Unmarshal(a.body, &t) // what cannot be read has told nothing
	return t
}

// tokens mints one token for each kiosk.
func (t *town) tokens() (map[string]string, error) {
	all := map[string]string{}
	for _, k := range kiosks() {
		token, err := t.mint("kiosk-"+k, "hotel:check-in")
		if err != nil {
			return nil, err
		}
		all[k] = token
	}
	return all, nil
}
