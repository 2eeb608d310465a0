package hangzhou

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json"
	mqtt "github.com/mochi-mqtt/server/v2"

	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/backends/wire"
)

// TwinConfig says what the twin of the city's back end is and how it is reached.
type TwinConfig struct {
	Name     string // stable, of the instance: "riverside"; part of the seed, and the access id and the lot's number
	Password string // of the access id, at the broker
	Keys     Keys
	Seed     uint64 // makes the numbers of requests and collections
}

// Keys are the private keys of both sides (see MakeKey). A lot has its own and PublicKey of the city's.
type Keys struct{ Lot, City string }

// MakeKey makes a private key for a sandbox: RSA of 1024 bits, which is the city's size, as PEM, PKCS #8.
func MakeKey() (string, error) {
	key, err := rsa.GenerateKey(rand.Reader, minBits)
	if err != nil {
		return "", fmt.Errorf("cannot make a key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", fmt.Errorf("cannot write a key: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), nil
}

// PublicKey returns the public half of a private key (PEM) as PEM, PKIX: what the other side verifies with.
func PublicKey(private string) (string, error) {
	key, err := readPrivateKey(private)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return "", fmt.Errorf("cannot write a key: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), nil
}

// DefaultLimit is up to how many fen the twin lets a car leave first of which nothing else was said.
const DefaultLimit = 10_000

// Twin is the city's back end for one lot: it verifies and opens what it is sent, refuses what does not fit the interface,
// keeps books, says which car may leave first, collects, and tells of both over MQTT. It implements twin.Backend and
// twin.Speaker and is safe for concurrent use; it keeps everything in memory, some 2 KB for a stay that is collected.
type Twin struct {
	cfg    TwinConfig
	lot    *rsa.PublicKey
	key    *rsa.PrivateKey
	broker *mqtt.Server

	publishing sync.Mutex // the broker takes one message of ours at a time

	mu       sync.Mutex
	changes  uint64
	state    twinState
	stays    map[string]*twinStay    // by uid
	bills    map[string]*twinBill    // by billID
	payments map[string]*twinPayment // by billID
	pushes   map[string]*twinPush    // by requestId
	refusals map[[2]string]int       // where in state.Refused, by operation and code
}

// twinState is what Save writes.
type twinState struct {
	Serial     uint64            `json:"serial"` // of the next number
	Requests   uint64            `json:"requests"`
	Heartbeats uint64            `json:"heartbeats"`
	States     uint64            `json:"states"`
	Stays      []*twinStay       `json:"stays"`
	Bills      []*twinBill       `json:"bills"`
	Payments   []*twinPayment    `json:"payments"`
	Pushes     []*twinPush       `json:"pushes"`
	Policies   map[string]Policy `json:"policies"` // by the hash of a plate; "": of all others
	Refused    []BookedRefusal   `json:"refused"`
}

// twinStay is what the twin knows of a stay.
type twinStay struct {
	UID      string `json:"uid"`
	Plate    string `json:"plate"`
	Color    int64  `json:"color"`
	Entered  string `json:"entered"` // local
	Left     string `json:"left,omitzero"`
	In       string `json:"in"` // keyed hash of the arrival
	Out      string `json:"out,omitzero"`
	InAsked  int    `json:"in_asked"`
	OutAsked int    `json:"out_asked"`
}

// twinBill is a collection.
type twinBill struct {
	BillID  string `json:"bill"`
	UID     string `json:"uid"`
	Due     int64  `json:"due"`
	Billed  string `json:"billed"` // local
	Content string `json:"content"`
	Status  Status `json:"status"`
	Order   string `json:"order,omitzero"`
	Asked   int    `json:"asked"`
	Held    bool   `json:"held,omitzero"` // until somebody settles it
}

// twinPayment is a payment that the lot told of.
type twinPayment struct {
	BillID  string `json:"bill"`
	UID     string `json:"uid"`
	Price   int64  `json:"price"`
	Due     int64  `json:"due"`
	Paid    int64  `json:"paid"`
	Means   int64  `json:"means"`
	Way     int64  `json:"way"`
	Content string `json:"content"`
	Asked   int    `json:"asked"`
}

// NewTwin returns a back end that knows no stay. The error names the field at fault and shows nothing of it.
func NewTwin(cfg TwinConfig) (*Twin, error) {
	if !isCode(cfg.Name) || !wire.IsVisible(cfg.Password, 4096) {
		return nil, fmt.Errorf("cannot make a hangzhou twin: needed are a name of 1 to %d letters, digits, dashes and underscores, and a password", MaxCode)
	}
	lot, err := readPrivateKey(cfg.Keys.Lot)
	if err != nil {
		return nil, errors.New("cannot make a hangzhou twin: the lot's key cannot be read")
	}
	key, err := readPrivateKey(cfg.Keys.City)
	if err != nil {
		return nil, errors.New("cannot make a hangzhou twin: the city's key cannot be read")
	}
	t := &Twin{cfg: cfg, lot: &lot.PublicKey, key: key}
	t.index(&twinState{})
	return t, t.openBroker()
}

// seed mixes the twin's name into the seed, so that no two lots of a city have the same numbers.
func (t *Twin) seed() uint64 { return twin.Seed(t.cfg.Seed, t.cfg.Name) }

// hash returns a keyed hash, so that books can be compared and do not show what they are of.
func (t *Twin) hash(parts ...string) string { return twin.Hash(t.seed(), t.cfg.Password, parts...) }

// Plate returns what the books call a plate, for whoever checks them from outside.
func (t *Twin) Plate(plate string) string { return t.hash("plate", plate) }

// number returns the next number of the city's. The caller holds mu.
func (t *Twin) number(prefix string) string {
	t.state.Serial++
	return prefix + t.hash("number", strconv.FormatUint(t.state.Serial, 10))[:20]
}

// index takes up a state. The caller holds mu, or is alone.
func (t *Twin) index(s *twinState) {
	t.state = *s
	t.stays, t.bills, t.payments = map[string]*twinStay{}, map[string]*twinBill{}, map[string]*twinPayment{}
	t.pushes, t.refusals = map[string]*twinPush{}, map[[2]string]int{}
	if t.state.Policies == nil {
		t.state.Policies = map[string]Policy{}
	}
	for _, x := range s.Stays {
		t.stays[x.UID] = x
	}
	for _, x := range s.Bills {
		t.bills[x.BillID] = x
	}
	for _, x := range s.Payments {
		t.payments[x.BillID] = x
	}
	for _, x := range s.Pushes {
		t.pushes[x.RequestID] = x
	}
	for i := range s.Refused {
		t.refusals[[2]string{s.Refused[i].Operation, s.Refused[i].Code}] = i
	}
}

// Changes grows with every change of the books.
func (t *Twin) Changes() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.changes
}

// Save returns everything the twin knows.
func (t *Twin) Save() ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return json.Marshal(t.state, json.Deterministic(true))
}

// Restore replaces everything the twin knows. What was being collected is settled now, unless it is held.
func (t *Twin) Restore(state []byte) error {
	var s twinState
	if err := json.Unmarshal(state, &s, json.RejectUnknownMembers(true)); err != nil {
		return errors.New("cannot restore a hangzhou twin: it is no state of one") // the error's text may show plates
	}
	if slices.Contains(s.Stays, nil) || slices.Contains(s.Bills, nil) || slices.Contains(s.Payments, nil) || slices.Contains(s.Pushes, nil) {
		return errors.New("cannot restore a hangzhou twin: a part of it is null")
	}
	t.mu.Lock()
	t.index(&s)
	var open []*twinBill
	for _, b := range t.state.Bills {
		if b.Status == Pending && !b.Held {
			open = append(open, b)
		}
	}
	t.mu.Unlock()
	for _, b := range open {
		t.collect(b.BillID)
	}
	return nil
}
