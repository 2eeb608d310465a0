package parking

import "testing"

// TestWhatIsOwed: more is never given back than was paid and is not given back yet.
func TestWhatIsOwed(t *testing.T) {
	for _, c := range []struct {
		what                          string
		price, paid, waived, refunded int64
		due                           int64
	}{
		{"a new bill", 5000, 0, 0, 0, 5000},
		{"a part was let go", 5000, 0, 2000, 0, 3000},
		{"paid", 5000, 5000, 0, 0, 0},
		{"the price fell after it was paid", 2000, 5000, 0, 0, -3000},
		{"and the difference was given back", 2000, 5000, 0, 3000, 0},
		{"the price fell below what was let go", 1000, 0, 2000, 0, 0},
		{"and below what was let go and paid", 1000, 3000, 2000, 0, -3000},
		{"a part of which was given back", 1000, 3000, 2000, 1000, -2000},
		{"and then all of it", 1000, 3000, 2000, 3000, 0},
		{"too much was given back", 5000, 3000, 0, 3000, 5000},
	} {
		b := &bill{price: c.price, paid: c.paid, waived: c.waived, refunded: c.refunded}
		if due := b.due(); due != c.due {
			t.Errorf("%s: %d is owed, want %d", c.what, due, c.due)
		}
	}
}
