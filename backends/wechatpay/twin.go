package wechatpay

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/backends/wire"
)

// TwinConfig says what the twin of the provider is and which merchant it knows.
type TwinConfig struct {
	Name        string           // stable, of the instance: "riverside"; part of the seed
	MchID       string           // "": MchIDOf(Name)
	Credentials Credentials      // the merchant's; see MakeCredentials
	Seed        uint64           // makes the numbers
	Clock       func() time.Time // nil: time.Now
}

// TwinSerialNo is the serial number of the certificate that each twin's merchant has.
const TwinSerialNo = "5741524D47415445534E44424F58000000000001"

// MchIDOf returns the number of the merchant that the twin of a name knows: ten digits, always the same.
func MchIDOf(name string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return fmt.Sprintf("19%08d", h.Sum32()%100_000_000)
}

// Twin is a small WeChat Pay for one merchant: it verifies, refuses what does not fit the published schema, keeps books,
// decides charges later, sends notifications and makes the day's bill. It implements twin.Backend and io.Closer and is
// safe for concurrent use; it keeps everything in memory, some 1.5 KB for a stay with its charge.
type Twin struct {
	cfg      TwinConfig
	merchant *rsa.PublicKey
	nonces   *memory // of requests
	sender   *http.Client
	ctx      context.Context // ends with Close
	cancel   context.CancelFunc
	tasks    sync.WaitGroup

	making sync.Mutex // of the first platform key; never waited for with mu held

	mu       sync.Mutex
	closed   bool
	timer    *time.Timer // for the next event
	state    twinState
	changes  uint64
	keys     []*twinKey
	entries  map[string]*twinEntry // by out_parking_no
	byID     map[string]*twinEntry // by the provider's id
	latest   map[string]*twinEntry // by plate and colour
	charges  map[string]*twinCharge
	refunds  map[string]*twinRefund
	refusals map[string]int // where in state.Refused, by number and code
	events   eventQueue
	planned  uint64
	held     []*twinNotice     // see Behaviour.Hold
	files    map[string]string // bills that may be downloaded, by token
}

// NewTwin returns a provider without entries. The error names the field at fault. Close it at the end; a city does.
func NewTwin(cfg TwinConfig) (*Twin, error) {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.MchID == "" {
		cfg.MchID = MchIDOf(cfg.Name)
	}
	if !wire.IsVisible(cfg.Name, 64) || !isDigits(cfg.MchID, maxID) {
		return nil, errors.New("cannot make a wechatpay twin: name and mchid are needed, in visible ASCII and digits")
	}
	key, err := parsePrivateKey(cfg.Credentials.PrivateKey)
	if err != nil || len(cfg.Credentials.APIv3Key) != apiKeySize {
		return nil, errors.New("cannot make a wechatpay twin: the merchant's credentials cannot be used")
	}
	t := &Twin{cfg: cfg, merchant: &key.PublicKey, nonces: newMemory(2 * defaultLeeway)}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	t.sender = newSender()
	return t, t.index(&twinState{})
}

// Close ends what the twin does on its own. What it knows stays.
func (t *Twin) Close() error {
	t.mu.Lock()
	t.closed = true
	if t.timer != nil {
		t.timer.Stop()
	}
	t.mu.Unlock()
	t.cancel()
	t.tasks.Wait()
	t.sender.CloseIdleConnections()
	return nil
}

// now returns the twin's time in whole milliseconds.
func (t *Twin) now() time.Time { return t.cfg.Clock().In(china()).Truncate(time.Millisecond) }

// seed mixes the twin's name into the seed, so that no two of a city give the same numbers.
func (t *Twin) seed() uint64 { return twin.Seed(t.cfg.Seed, t.cfg.Name) }

// hash returns a keyed hash, so that books can be compared and do not show what they are of.
func (t *Twin) hash(parts ...string) string {
	return twin.Hash(t.seed(), t.cfg.Credentials.APIv3Key, parts...)
}

// Plate returns what the books call a plate: for whoever knows the plate and reads the books from outside.
func (t *Twin) Plate(number string, color PlateColor) string {
	return t.hash("plate", number, string(color))
}

// number returns the next number of the provider's: a prefix and digits, 28 together.
func (t *Twin) number(prefix string) string {
	r := rand.New(rand.NewPCG(t.seed(), t.state.Serial))
	t.state.Serial++
	out := []byte(prefix)
	for len(out) < 28 {
		out = append(out, byte('0'+r.IntN(10)))
	}
	return string(out)
}

// twinState is what Save writes.
type twinState struct {
	Serial    uint64                `json:"serial"`
	Requests  uint64                `json:"requests"`
	Keys      []keptKey             `json:"keys"`
	Behaviour Behaviour             `json:"behaviour"`
	Plates    map[string]*twinPlate `json:"plates"` // by Twin.Plate
	Entries   []*twinEntry          `json:"entries"`
	Charges   []*twinCharge         `json:"charges"`
	Refunds   []*twinRefund         `json:"refunds"`
	Notices   []*twinNotice         `json:"notices"` // not delivered yet
	Altered   []billAlter           `json:"altered"`
	Refused   []BookedRefusal       `json:"refused"`
}

// index takes up a state. The caller holds mu, or is alone.
func (t *Twin) index(s *twinState) error {
	keys := make([]*twinKey, 0, len(s.Keys))
	for i := range s.Keys {
		k, err := s.Keys[i].open()
		if err != nil {
			return err
		}
		keys = append(keys, k)
	}
	t.state, t.keys = *s, keys
	if t.state.Plates == nil {
		t.state.Plates = map[string]*twinPlate{}
	}
	t.entries, t.byID, t.latest = map[string]*twinEntry{}, map[string]*twinEntry{}, map[string]*twinEntry{}
	t.charges, t.refunds, t.refusals = map[string]*twinCharge{}, map[string]*twinRefund{}, map[string]int{}
	t.events, t.held, t.files = nil, nil, map[string]string{}
	for _, e := range s.Entries {
		t.addEntry(e)
	}
	for _, c := range s.Charges {
		t.charges[c.OutTradeNo] = c
		if c.State == Accepted {
			t.later(c.DecideAt, &event{charge: c})
		}
	}
	for _, r := range s.Refunds {
		t.refunds[r.OutRefundNo] = r
		if r.State == RefundProcessing {
			t.later(r.DecideAt, &event{refund: r})
		}
	}
	for _, n := range s.Notices {
		t.later(n.Due, &event{notice: n})
	}
	for i := range s.Refused {
		t.refusals[s.Refused[i].Number+" "+s.Refused[i].Code] = i
	}
	return nil
}

// Changes grows with every change of the books.
func (t *Twin) Changes() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.changes
}

// Save returns everything the twin knows: with the provider's private keys, so it belongs in a file of mode 0600.
func (t *Twin) Save() ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return json.Marshal(&t.state, json.Deterministic(true))
}

// Restore replaces everything the twin knows, and goes on with what was not decided or delivered.
func (t *Twin) Restore(state []byte) error {
	var s twinState
	if err := json.Unmarshal(state, &s, json.RejectUnknownMembers(true)); err != nil {
		return fmt.Errorf("cannot restore a wechatpay twin: %w", err)
	}
	if s.hasNull() {
		return errors.New("cannot restore a wechatpay twin: a part of it is null")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.index(&s); err != nil {
		return fmt.Errorf("cannot restore a wechatpay twin: %w", err)
	}
	t.arm()
	return nil
}

func (s *twinState) hasNull() bool {
	for _, p := range s.Plates {
		if p == nil {
			return true
		}
	}
	return slices.Contains(s.Entries, nil) || slices.Contains(s.Charges, nil) || slices.Contains(s.Refunds, nil) || slices.Contains(s.Notices, nil)
}
