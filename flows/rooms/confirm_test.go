package rooms

import (
	"testing"

	"github.com/warmgate/warmgate/gateway"
)

// TestWhatTheHotelBookedIsNoDearer than was agreed, whatever it had said before: otherwise it is taken back.
func TestWhatTheHotelBookedIsNoDearer(t *testing.T) {
	yuan := func(minor int64) gateway.Money { return gateway.Money{Minor: minor, Currency: "CNY"} }
	agreed := Agreed{Wish: Wish{Price: yuan(50_000)}}
	agreed.Offer.Total = yuan(49_000)
	for _, c := range []struct {
		what    string
		made    gateway.Money
		refused bool
		total   gateway.Money
	}{
		{"what was offered", yuan(49_000), false, yuan(49_000)},
		{"as much as was agreed", yuan(50_000), false, yuan(50_000)},
		{"more", yuan(50_001), true, yuan(50_001)},
		{"in another currency", gateway.Money{Minor: 10_000, Currency: "USD"}, true, gateway.Money{Minor: 10_000, Currency: "USD"}},
		{"not said", gateway.Money{}, false, yuan(49_000)},
	} {
		b, err := confirm(agreed, Reserved{Confirmation: "4711", Total: c.made})
		if (err != nil) != c.refused || b.Total != c.total {
			t.Errorf("%s: %v, %v", c.what, b.Total, err)
		}
	}
}
