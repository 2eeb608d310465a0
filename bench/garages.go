package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"github.com/warmgate/warmgate/backends/hangzhou"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/backends/wechatpay"
)

// shippedLot is the garage of the shipped configuration that the proofs' garages are like, but for who collects their bills:
// WeChat Pay, and else the city, which hears of every car.
const shippedLot = "west-garage"

// sectionConnectors is that of a venue's file, as a pattern.
const sectionConnectors = `(?m)^connectors:\n(?:(?:  .*)?\n)+`

// barriers are the gates of a proof's garage. There are many, since the city knows a visit by its gate and second.
const barriers = 16

// garage is a parking lot with the systems behind it.
type garage struct {
	id       string
	provider *wechatpay.Twin
	brain    *hangzhou.Twin
	visits   atomic.Int64 // begun so far
}

// garages is a world of parking lots with a gateway in front of it, which is not started yet.
type garages struct {
	*world
	serve *child
	lots  []*garage
	token string    // of every barrier
	base  time.Time // entries are some hours before it
}

// newGarages builds a city with n garages. The payment provider notifies the gateway at its own address.
func newGarages(r *run, dir string, seed uint64, n int, edits ...edit) (*garages, error) {
	g := &garages{world: &world{dir: dir}, base: time.Now().Truncate(time.Second)}
	program, err := r.program()
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err == nil {
		err = g.found(seed, edits, shippedLot)
	}
	if err == nil {
		g.serve, err = newChild(g.world, program)
	}
	if err == nil {
		g.token, err = g.mint("barrier", "parking:gate")
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(g.path("configs/venues/" + shippedLot + ".yaml"))
	}
	if err == nil {
		err = os.WriteFile(g.path("configs/venues/"+shippedLot+".shipped"), text, 0o600) //nolint:gosec // below the folder of this run
	}
	var merchant wechatpay.Credentials // one company runs them all
	if err == nil {
		merchant, err = wechatpay.MakeCredentials()
	}
	for i := range n {
		if err == nil {
			err = g.open(string(text), i, seed, merchant)
		}
	}
	if err != nil {
		g.close()
		return nil, err
	}
	return g, nil
}

// open builds a garage's systems and writes its file: the shipped one, with a name and systems of its own.
func (g *garages) open(text string, i int, seed uint64, merchant wechatpay.Credentials) error {
	lot := &garage{id: shippedLot}
	if i > 0 {
		lot.id = fmt.Sprintf("%s-%d", shippedLot, i+1)
	}
	g.lots = append(g.lots, lot)
	connectors, err := g.systems(lot, seed, merchant)
	if err != nil {
		return err
	}
	return g.write(text, lot, map[string]string{sectionConnectors: connectors + "\n"})
}

// openAlone writes the file of a garage that is connected to nothing.
func (g *garages) openAlone(id string) (*garage, error) {
	lot := &garage{id: id}
	text, err := os.ReadFile(g.path("configs/venues/" + shippedLot + ".shipped"))
	if err != nil {
		return nil, err
	}
	return lot, g.write(string(text), lot, map[string]string{sectionConnectors: "connectors:\n  city: { connector: none }\n  payment: { connector: none }\n\n"})
}

// write writes the file of a garage: the shipped one with its own name, many barriers, and what else is changed.
func (g *garages) write(text string, lot *garage, changes map[string]string) error {
	var gates []string
	for at := range barriers {
		gates = append(gates, fmt.Sprintf("b%d", at+1))
	}
	all := map[string]string{
		`(?m)^  gates: .*`: "  gates: [" + strings.Join(gates, ", ") + "]", `(?m)^id: .*`: "id: " + lot.id,
		`(?m)^  collect: .*`: "  collect: [payment, city]",
	}
	maps.Copy(all, changes)
	for old, new := range all {
		pattern := regexp.MustCompile(old)
		if n := len(pattern.FindAllStringIndex(text, -1)); n != 1 {
			return fmt.Errorf("cannot change the shipped %s.yaml: %q is there %d times, not once", shippedLot, old, n)
		}
		text = pattern.ReplaceAllLiteralString(text, new)
	}
	return os.WriteFile(g.path("configs/venues/"+lot.id+".yaml"), []byte(text), 0o600) //nolint:gosec // below the folder of this run
}

// systems builds a garage's two systems and returns the section of its file that connects them.
func (g *garages) systems(lot *garage, seed uint64, merchant wechatpay.Credentials) (string, error) {
	var keys hangzhou.Keys
	var public string
	var err, other error
	if keys.Lot, err = hangzhou.MakeKey(); err == nil {
		keys.City, err = hangzhou.MakeKey()
	}
	if err == nil {
		public, err = hangzhou.PublicKey(keys.City)
	}
	if err != nil {
		return "", err
	}
	password := uuid.NewString()
	lot.provider, err = wechatpay.NewTwin(wechatpay.TwinConfig{Name: lot.id, Credentials: merchant, Seed: seed})
	lot.brain, other = hangzhou.NewTwin(hangzhou.TwinConfig{Name: lot.id, Password: password, Keys: keys, Seed: seed})
	if err = errors.Join(err, other); err != nil {
		return "", err
	}
	err = errors.Join(g.city.Add("wechatpay", lot.id, lot.provider), g.city.Add("hangzhou", lot.id, lot.brain))
	secret := func(kind, what, text string) string {
		name := g.path("secrets/" + kind + "-" + lot.id + "." + what)
		err = errors.Join(err, os.WriteFile(name, []byte(text), 0o600))
		return fmt.Sprintf("%s: { file: %q }", what, name)
	}
	err = errors.Join(err, os.MkdirAll(g.path("secrets"), 0o700))
	return fmt.Sprintf(`connectors:
  city:
    connector: hangzhou
    url: %[2]s
    secrets: { %[3]s, %[4]s, %[5]s }
    options: { access_id: %[1]s, parking: %[1]s, berths: 900000, broker: "%[6]s" }
  payment:
    connector: wechatpay
    url: %[7]s
    secrets: { %[8]s, %[9]s }
    options: { mchid: "%[10]s", appid: wx0000000000000001, serial_no: %[11]s, notify_url: "http://%[12]s/v1/webhooks/wechatpay/%[1]s" }
`, lot.id, g.city.URL("hangzhou", lot.id), secret("hangzhou", "private_key", keys.Lot), secret("hangzhou", "city_key", public), secret("hangzhou", "password", password),
		g.city.URL("hangzhou-mqtt", lot.id), g.city.URL("wechatpay", lot.id), secret("wechatpay", "private_key", merchant.PrivateKey),
		secret("wechatpay", "api_v3_key", merchant.APIv3Key), wechatpay.MchIDOf(lot.id), wechatpay.TwinSerialNo, g.serve.api.Addr()), err
}

// dialAll sets the dial of every system of every garage.
func (g *garages) dialAll(d twin.Dial) (err error) {
	for _, kind := range g.kinds() {
		err = errors.Join(err, g.city.Dial(kind, "*", d))
	}
	return err
}

// kinds are the doors of a garage's systems.
func (g *garages) kinds() []string { return []string{"wechatpay", "hangzhou", "hangzhou-mqtt"} }

// What a car may do about its bills.
const (
	payerProvider = iota // the payment provider collects them
	payerCity            // the provider does not, the city does
	payerNobody          // neither does: its holder pays, some day
	payers
)

// admit decides what the systems say of a plate: whoever collects its bills has to permit it while the car is inside.
func (lot *garage) admit(plate string, payer int) error {
	if payer == payerProvider {
		return nil
	}
	err := lot.provider.Do(wechatpay.Want{What: wechatpay.MakePlate, Plate: plate, Color: wechatpay.Blue, State: wechatpay.Blocked})
	if payer == payerNobody {
		err = errors.Join(err, lot.brain.Do(hangzhou.Want{Plate: plate, Policy: &hangzhou.Policy{}}))
	}
	return err
}

// plateOf is the n-th plate: of an ordinary blue kind.
func plateOf(n int) string {
	const cities = "ABCDEFGHJKL"
	return fmt.Sprintf("浙%c%05d", cities[n/100_000%len(cities)], n%100_000)
}

// passing is one car at a barrier.
type passing struct {
	Gate       string `json:"gate"`
	EventID    string `json:"event_id"`
	OccurredAt string `json:"occurred_at,omitzero"` // "": now
	Plate      string `json:"plate"`
}

// came makes the next entry of a car, some hours ago: at no barrier of a lot two cars pass within one second.
func (g *garages) came(lot *garage, plate string) passing {
	n := int(lot.visits.Add(1))
	at := g.base.Add(-40*time.Minute - time.Duration(n/barriers)*time.Second)
	return passing{Gate: fmt.Sprintf("b%d", 1+n%barriers), EventID: uuid.NewString(), OccurredAt: at.Format(time.RFC3339), Plate: plate}
}

// gone makes the exit of a car, now.
func (p passing) gone() passing {
	return passing{Gate: p.Gate, EventID: uuid.NewString(), Plate: p.Plate}
}

// passAsk is a barrier's request about cars that come in ("entries") or leave ("exits"): one, or several that it had kept.
func (g *garages) passAsk(lot *garage, what string, all ...passing) ask {
	var body any = all[0]
	if len(all) > 1 {
		body = map[string]any{"events": all}
	}
	text, err := json.Marshal(body)
	if err != nil {
		panic("BUG: a barrier's event cannot be encoded: " + err.Error())
	}
	return ask{method: fasthttp.MethodPost, path: "/v1/parking-lots/" + lot.id + "/" + what, token: g.token, key: uuid.NewString(), body: text}
}

// passed is what a barrier hears of one car.
type passed struct {
	Event    string `json:"event_id"`
	Recorded bool   `json:"recorded"`
	Decision string `json:"decision"`
	State    string `json:"state"`
	Stay     string `json:"stay"`
	Bill     struct {
		ID  string `json:"id"`
		Due struct {
			Minor int64 `json:"minor"`
		} `json:"due"`
	} `json:"bill"`
}

func passedBy(a answer) (p passed) {
	_ = json.Unmarshal(a.body, &p) // what cannot be read has told nothing
	return p
}
