package hangzhou_test

import (
	"bytes"
	"crypto/md5"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/warmgate/warmgate/backends/hangzhou"
	"github.com/warmgate/warmgate/backends/twin/twintest"
)

// TestTheEnvelopeIsWhatTheInterfaceSays: taken apart with nothing but arithmetic, as another implementation would.
func TestTheEnvelopeIsWhatTheInterfaceSays(t *testing.T) {
	both, err := keys()
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(both.Lot))
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	public := parsed.(*rsa.PrivateKey).PublicKey
	raise := func(block []byte) []byte {
		return new(big.Int).Exp(new(big.Int).SetBytes(block), big.NewInt(int64(public.E)), public.N).FillBytes(make([]byte, 128))
	}
	plain := `{"data":{"plateNo":"` + strings.Repeat("浙A12345", 30) + `"}}`
	form, err := hangzhou.SealForm(both.Lot, lot, plain)
	if err != nil {
		t.Fatal(err)
	}
	blocks, err := base64.StdEncoding.DecodeString(form.Get("cipher"))
	if err != nil || len(blocks) != 128*((len(plain)+116)/117) {
		t.Fatalf("%d bytes of %d, %v", len(blocks), len(plain), err)
	}
	var got []byte
	for ; len(blocks) > 0; blocks = blocks[128:] {
		m := raise(blocks[:128])
		head, piece, ok := bytes.Cut(m[1:], []byte{0})
		if m[0] != 0 || head[0] != 1 || !ok || len(bytes.Trim(head[1:], "\xff")) != 0 || len(piece) > 117 || len(piece) < 117 && len(blocks) > 128 {
			t.Fatalf("block % x", m)
		}
		got = append(got, piece...)
	}
	if string(got) != plain {
		t.Errorf("got %q", got)
	}
	sign, err := base64.StdEncoding.DecodeString(form.Get("sign"))
	if err != nil {
		t.Fatal(err)
	}
	digest := md5.Sum([]byte(form.Get("cipher")))
	if m := raise(sign); !bytes.HasSuffix(m, digest[:]) {
		t.Errorf("signature % x", m)
	}
}

// TestEnvelopesOpenToWhatWasSealed: whatever is sealed opens to itself, for its owner alone, and no part of it can be changed.
func TestEnvelopesOpenToWhatWasSealed(t *testing.T) {
	both, err := keys()
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		plain := rapid.StringN(1, 600, 2000).Draw(rt, "plain")
		form, err := hangzhou.SealForm(both.Lot, lot, plain)
		if err != nil {
			rt.Fatal(err)
		}
		cipher, sign := form.Get("cipher"), form.Get("sign")
		if got, err := hangzhou.OpenWith(both.Lot, cipher, sign); err != nil || string(got) != plain {
			rt.Fatalf("%q came out as %q, %v", plain, got, err)
		}
		if _, err := hangzhou.OpenWith(both.City, cipher, sign); err == nil {
			rt.Fatal("another's key opens it")
		}
		at := rapid.IntRange(0, len(cipher)-1).Draw(rt, "at")
		changed := []byte(cipher)
		changed[at] = 'A' + (changed[at]-'A'+1)%26
		if string(changed) != cipher {
			if _, err := hangzhou.OpenWith(both.Lot, string(changed), sign); err == nil {
				rt.Fatalf("a change at %d is not seen", at)
			}
		}
	})
}

// FuzzEnvelope: whatever comes, it opens or is refused, without panic; and nothing opens that was not sealed.
func FuzzEnvelope(f *testing.F) {
	both, err := keys()
	if err != nil {
		f.Fatal(err)
	}
	form, err := hangzhou.SealForm(both.Lot, lot, "what was sealed")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(form.Get("cipher"), form.Get("sign"))
	f.Add("", "")
	f.Add("AAAA", form.Get("sign"))
	f.Add(form.Get("cipher")+"\n", form.Get("sign"))
	f.Add(form.Get("cipher"), form.Get("cipher"))
	f.Fuzz(func(t *testing.T, cipher, sign string) {
		got, err := hangzhou.OpenWith(both.Lot, cipher, sign)
		if err == nil && (string(got) != "what was sealed" || cipher != form.Get("cipher")) {
			t.Errorf("%q opens to %q", cipher, got)
		}
	})
}

// FuzzPush: whatever the city seals, a push is whole or is refused, without panic, and no refusal shows what it said.
func FuzzPush(f *testing.F) {
	for _, topic := range []string{departureTopic, resultTopic, feeTopic, "/hzcity/departurePayInfo"} {
		for _, data := range []string{permission, `{"billID":"b","payStatus":1,"actualPay":3000,"orderCode":"C1"}`, `{"plateNo":"secret"}`, `{}`, `null`, `[]`, ``, `{"plateNo":1}`,
			`{"plateNo":"secret","parkingCode":"riverside","noSense":"secret","departurePay":true,"moneyLimit":"x"}`, strings.Repeat(`{"a":`, 200)} {
			f.Add(topic+"/riverside/riverside", "R1", []byte(data))
		}
	}
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, topic, id string, data []byte) {
		if len(data) == 0 || len(data) > 4096 {
			return
		}
		message, err := w.twin.Seal(id, data)
		if err != nil {
			return // a number that is no UTF-8
		}
		p, err := w.client.Read(topic, message)
		if err != nil {
			if strings.Contains(err.Error(), "secret") || len(err.Error()) > 60 {
				t.Errorf("the refusal shows what came: %v", err)
			}
			return
		}
		d, r := p.Departure, p.Result
		switch {
		case d != nil && (d.Plate == "" || d.Limit < 0 || d.Limit > hangzhou.MaxFen || r != nil || p.Fee != nil),
			r != nil && (r.BillID == "" || r.Paid < 0 || r.Paid > hangzhou.MaxFen || r.Status == hangzhou.Paid && r.Order == "" || p.Fee != nil),
			d == nil && r == nil && (p.Fee == nil || p.Fee.Plate == ""), p.RequestID == "" || len(p.RequestID) > hangzhou.MaxID:
			t.Errorf("%s %q: %v", topic, data, text(p))
		}
	})
}

func TestConfigurationsAreValidated(t *testing.T) {
	both, err := keys()
	if err != nil {
		t.Fatal(err)
	}
	for field, change := range map[string]func(*hangzhou.Config){
		"url":                  func(c *hangzhou.Config) { c.BaseURL = "city" },
		"secrets.private_key":  func(c *hangzhou.Config) { c.PrivateKey = "" },
		"secrets.private_key ": func(c *hangzhou.Config) { c.PrivateKey = c.CityKey },
		"secrets.city_key":     func(c *hangzhou.Config) { c.CityKey = "?" },
		"secrets.city_key ":    func(c *hangzhou.Config) { c.CityKey = both.City },
		"secrets.city_key  ":   func(c *hangzhou.Config) { c.CityKey += c.CityKey },
		"options.access_id":    func(c *hangzhou.Config) { c.AccessID = "a/#" },
		"options.parking":      func(c *hangzhou.Config) { c.Parking = "浙" },
		"location":             func(c *hangzhou.Config) { c.Location = nil },
		"max_conns":            func(c *hangzhou.Config) { c.MaxConns = -1 },
	} {
		cfg := config(t, "http://127.0.0.1:1")
		change(&cfg)
		_, err := hangzhou.New(cfg)
		if err == nil || !strings.Contains(err.Error(), strings.TrimSpace(field)) || strings.Contains(err.Error(), "MII") {
			t.Errorf("%s: %v", field, err)
		}
	}
	cfg := config(t, "http://127.0.0.1:1")
	bare := func(text string) string { // as the city hands keys out
		block, _ := pem.Decode([]byte(text))
		return base64.StdEncoding.EncodeToString(block.Bytes)
	}
	cfg.PrivateKey, cfg.CityKey = bare(cfg.PrivateKey), bare(cfg.CityKey)
	if _, err := hangzhou.New(cfg); err != nil {
		t.Errorf("keys without their armour: %v", err)
	}
	cfg.PrivateKey, cfg.CityKey, cfg.Unread = "unread", "unread", true
	c, err := hangzhou.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if e := asError(t, c.Heartbeat(twintest.Within(t, time.Second))); e.Reason != "input" {
		t.Errorf("without keys: %v", e)
	}
	if err := c.Subscribe(twintest.Within(t, time.Second), hangzhou.Settings{Broker: "mqtt://127.0.0.1:1", Password: "x"}, nil); err == nil {
		t.Error("without keys: subscribed")
	}
}

// TestArgumentsAreJudgedBeforeTheyAreSent: and no error shows one.
func TestArgumentsAreJudgedBeforeTheyAreSent(t *testing.T) {
	c := newClient(t, "http://127.0.0.1:1", nil) // nothing may reach it
	ctx := twintest.Within(t, 5*time.Second)
	arrive := func(change func(*hangzhou.Arrival)) error {
		a := arrival()
		change(&a)
		return c.Arrive(ctx, a)
	}
	leave := func(change func(*hangzhou.Departure)) error {
		d := departure()
		change(&d)
		return c.Depart(ctx, d)
	}
	apply := func(change func(*hangzhou.Charge)) error {
		b := charge()
		change(&b)
		return c.ApplyPayment(ctx, b)
	}
	pay := func(change func(*hangzhou.Payment)) error {
		p := payment()
		change(&p)
		return c.Pay(ctx, p)
	}
	for name, err := range map[string]error{
		"no plate":              arrive(func(a *hangzhou.Arrival) { a.Plate = "" }),
		"a plate in two lines":  arrive(func(a *hangzhou.Arrival) { a.Plate += "\n" }),
		"a plate with a space":  arrive(func(a *hangzhou.Arrival) { a.Plate = "浙A 12345" }),
		"a long plate":          arrive(func(a *hangzhou.Arrival) { a.Plate = strings.Repeat(plate, 5) }),
		"a plate of bytes":      arrive(func(a *hangzhou.Arrival) { a.Plate = "12345\xff" }),
		"no color":              arrive(func(a *hangzhou.Arrival) { a.Color = 0 }),
		"a color that is none":  arrive(func(a *hangzhou.Arrival) { a.Color = 6 }),
		"no entry":              arrive(func(a *hangzhou.Arrival) { a.Entry = "" }),
		"no time":               arrive(func(a *hangzhou.Arrival) { a.Entered = time.Time{} }),
		"no number":             arrive(func(a *hangzhou.Arrival) { a.ID = "" }),
		"a plate for a number":  arrive(func(a *hangzhou.Arrival) { a.ID = plate }),
		"no kind":               arrive(func(a *hangzhou.Arrival) { a.Parking = 0 }),
		"more free than open":   arrive(func(a *hangzhou.Arrival) { a.Berths.Free = 181 }),
		"less than nothing":     arrive(func(a *hangzhou.Arrival) { a.Berths.Free = -1 }),
		"a long booth":          arrive(func(a *hangzhou.Arrival) { a.Gate = strings.Repeat("门", 20) }),
		"no exit":               leave(func(d *hangzhou.Departure) { d.Exit = "" }),
		"left before":           leave(func(d *hangzhou.Departure) { d.Left = noon.Add(-time.Second) }),
		"not left":              leave(func(d *hangzhou.Departure) { d.Left = time.Time{} }),
		"nothing to pay":        apply(func(b *hangzhou.Charge) { b.Due = 0 }),
		"a negative amount":     apply(func(b *hangzhou.Charge) { b.Due = -1 }),
		"past the bound":        apply(func(b *hangzhou.Charge) { b.Due = hangzhou.MaxFen + 1 }),
		"no bill":               apply(func(b *hangzhou.Charge) { b.BillID = "" }),
		"a bill of no time":     apply(func(b *hangzhou.Charge) { b.BilledAt = time.Time{} }),
		"a negative payment":    pay(func(p *hangzhou.Payment) { p.Paid = -1 }),
		"no means":              pay(func(p *hangzhou.Payment) { p.Means = 0 }),
		"no way":                pay(func(p *hangzhou.Payment) { p.Way = 105 }),
		"paid at no time":       pay(func(p *hangzhou.Payment) { p.PaidAt = time.Time{} }),
		"a day that is none":    func() error { _, err := c.DailyBills(ctx, "2026-02-30", ""); return err }(),
		"a confirmation of no":  c.ConfirmDeparture(ctx, "", []byte(`{}`)),
		"nothing to confirm":    c.ConfirmPayResult(ctx, "R1", nil),
		"garbage to confirm":    c.ConfirmPayResult(ctx, "R1", []byte(`{"a":`)),
		"berths that cannot be": c.State(ctx, hangzhou.Berths{Total: 1, Open: 2}),
	} {
		if e := asError(t, err); e.Reason != "input" || e.Fate.String() != "not sent" {
			t.Errorf("%s: %v", name, e)
		}
	}
	if err := c.Heartbeat(ctx); asError(t, err).Reason != "dial" {
		t.Errorf("there is somebody: %v", err)
	}
}

// form posts a form to the twin and returns resultCode and msg, as text.
func form(t testing.TB, w world, path string, f url.Values) string {
	t.Helper()
	status, body := post(t, w.URL+path, f.Encode(), "application/x-www-form-urlencoded")
	return fmt.Sprint(status, " ", body)
}
