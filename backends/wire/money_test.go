package wire_test

import (
	"fmt"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/warmgate/warmgate/backends/wire"
	"github.com/warmgate/warmgate/gateway"
)

func TestAmountsBecomeMinorUnits(t *testing.T) {
	for _, c := range []struct {
		number, currency string
		want             int64 // -1: not an amount
	}{
		{"580", "CNY", 58000}, {"580.5", "CNY", 58050}, {"580.50", "CNY", 58050}, {"0", "CNY", 0}, {"0.00", "CNY", 0}, {"0.1", "CNY", 10},
		{"580.500000", "CNY", 58050}, {"193.333", "CNY", 19334}, {"0.001", "CNY", 1}, {"580.001", "CNY", 58001}, {"1.2E7", "CNY", 1200000000},
		{"12e-1", "CNY", 120}, {"1e-30", "CNY", 1}, {"5.8e+2", "CNY", 58000}, {"12000", "JPY", 12000}, {"12000.00", "JPY", 12000},
		{"12000.5", "JPY", 12001}, {"1.234", "KWD", 1234}, {"1.2345", "KWD", 1235}, {"10000000000000", "CNY", 1e15},
		{"10000000000000.01", "CNY", -1}, {"-1", "CNY", -1}, {"", "CNY", -1}, {".5", "CNY", -1}, {"1e31", "CNY", -1}, {"1e", "CNY", -1},
		{"1e99999999999", "CNY", -1}, {strings.Repeat("1", 31), "CNY", -1}, {"1.2.3", "CNY", -1}, {"1e2e3", "CNY", -1}, {"null", "CNY", -1},
		{"580", "", -1}, {"580", "cny", -1}, {"580", "CN", -1}, {"580", "YUAN", -1},
	} {
		got, ok := wire.Money(c.number, c.currency)
		if ok != (c.want >= 0) || ok && got != (gateway.Money{Minor: c.want, Currency: c.currency}) {
			t.Errorf("Money(%q, %q) = %+v, %v; want %d", c.number, c.currency, got, ok, c.want)
		}
	}
}

// TestAmountsAreExact: against arithmetic on fractions, rounded up.
func TestAmountsAreExact(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		number := fmt.Sprint(rapid.IntRange(0, 1_000_000_000).Draw(r, "whole"))
		if f := rapid.StringMatching(`[0-9]{0,9}`).Draw(r, "fraction"); f != "" {
			number += "." + f
		}
		if e := rapid.IntRange(-12, 3).Draw(r, "exponent"); e != 0 {
			number += fmt.Sprintf("E%d", e)
		}
		exact, ok := new(big.Rat).SetString(number)
		if !ok {
			r.Fatalf("%q is no number", number)
		}
		exact.Mul(exact, big.NewRat(100, 1))
		want := new(big.Int).Div(new(big.Int).Add(exact.Num(), new(big.Int).Sub(exact.Denom(), big.NewInt(1))), exact.Denom())
		if got, ok := wire.Money(number, "CNY"); !ok || got.Minor != want.Int64() {
			r.Fatalf("Money(%q) = %+v, %v; want %s", number, got, ok, want)
		}
	})
}

// TestAmountsAreWrittenAsTheyAreRead: nothing is lost between two systems.
func TestAmountsAreWrittenAsTheyAreRead(t *testing.T) {
	for _, c := range []struct {
		minor          int64
		currency, want string
	}{
		{0, "CNY", "0.00"}, {5, "CNY", "0.05"}, {58000, "CNY", "580.00"}, {58050, "CNY", "580.50"}, {580, "JPY", "580"}, {7, "KWD", "0.007"}, {12345, "KWD", "12.345"},
		{-1, "CNY", ""}, {1, "", ""}, {1, "cny", ""}, {1e15, "CNY", "10000000000000.00"}, {1e15 + 1, "CNY", ""},
	} {
		got := wire.Amount(gateway.Money{Minor: c.minor, Currency: c.currency})
		if got != c.want {
			t.Errorf("%d %s: %q, want %q", c.minor, c.currency, got, c.want)
		}
		if back, ok := wire.Money(got, c.currency); c.want != "" && (!ok || back.Minor != c.minor) {
			t.Errorf("%q: %+v, %v", got, back, ok)
		}
	}
}
