package ohip

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/wire/jsonread"
)

// BenchmarkRead reads a hotel's answers without reflection: a booking, twenty rooms, what is sold.
func BenchmarkRead(b *testing.B) {
	twin, err := NewTwin(TwinConfig{HotelID: "H", ClientSecret: "s", Rooms: DefaultRooms()[:20], TokenLife: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	made, err := twin.Reserve(Want{Guests: make([]WantGuest, 2), Nights: 2})
	if err != nil {
		b.Fatal(err)
	}
	var said []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		twin.ServeHTTP(answer, r)
		said = answer.Body.Bytes()
		w.WriteHeader(answer.Code)
		_, _ = w.Write(said)
	}))
	defer server.Close()
	c, err := New(Config{GatewayURL: server.URL, HotelID: "H", AppKey: SandboxAppKey, ClientID: SandboxClientID, ClientSecret: "s"})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	stay := StayQuery{From: made[0].Arrival, To: made[0].Departure, Adults: 2}
	for _, one := range []struct {
		name string
		ask  func() error
		into interface {
			readable
			reset()
		}
	}{
		{"booking", func() error { _, err := c.ByConfirmation(ctx, made[0].Confirmation); return err }, new(wireReservations)},
		{"rooms", func() error { return c.Rooms(ctx, RoomQuery{}, func([]Room) {}) }, new(roomPage)},
		{"offers", func() error { _, err := c.Availability(ctx, stay); return err }, new(wireAvailability)},
	} {
		if err := one.ask(); err != nil {
			b.Fatal(err)
		}
		b.Run(one.name, func(b *testing.B) {
			b.SetBytes(int64(len(said)))
			b.ReportAllocs()
			var r jsonread.Reader
			for b.Loop() {
				r.Reset(said)
				one.into.reset()
				if one.into.read(&r); !r.End() {
					b.Fatalf("not read: %s", said)
				}
			}
		})
	}
}
