package hangzhou

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// twinPush is a message to the lot. Those that want an acknowledgement are sent to every new subscriber until they have it.
type twinPush struct {
	RequestID string         `json:"request"`
	Topic     string         `json:"topic"`
	About     string         `json:"about"` // a uid, or a bill
	Data      jsontext.Value `json:"data"`
	Sent      int            `json:"sent"`
	Confirmed int            `json:"confirmed"`
}

// Outcome is what becomes of a collection.
type Outcome string

// The outcomes.
const (
	Collect Outcome = "pay"  // it is paid
	Fail    Outcome = "fail" // it is not
	Hold    Outcome = "hold" // nothing is said until somebody settles it
)

// Policy is what the city thinks of a vehicle.
type Policy struct {
	NoSense    bool    `json:"no_sense"`
	LeaveFirst bool    `json:"leave_first"`
	Limit      int64   `json:"limit"`             // fen
	Collect    Outcome `json:"collect,omitzero"`  // "": Collect
	DelayMS    int     `json:"delay_ms,omitzero"` // from a charge to its result, up to an hour
}

func (p Policy) delay() time.Duration { return time.Duration(p.DelayMS) * time.Millisecond }

func (p Policy) permission() *DeparturePay {
	return &DeparturePay{NoSense: p.NoSense, LeaveFirst: p.LeaveFirst, Limit: p.Limit}
}

func (p Policy) check() error {
	switch {
	case !isFen(p.Limit):
		return fmt.Errorf("limit: want 0 to %d fen, got %d", MaxFen, p.Limit)
	case p.Collect != "" && p.Collect != Collect && p.Collect != Fail && p.Collect != Hold:
		return errors.New("collect: want pay, fail or hold")
	case p.DelayMS < 0 || p.DelayMS > 3_600_000:
		return fmt.Errorf("delay_ms: want 0 to 3,600,000, got %d", p.DelayMS)
	}
	return nil
}

// policy returns what holds for a plate. The caller holds mu.
func (t *Twin) policy(plate string) Policy {
	if p, ok := t.state.Policies[t.Plate(plate)]; ok {
		return p
	}
	if p, ok := t.state.Policies[""]; ok {
		return p
	}
	return Policy{NoSense: true, LeaveFirst: true, Limit: DefaultLimit}
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// permit tells the lot what its visitor may do. The caller holds mu.
func (t *Twin) permit(s *twinStay, r *record) {
	p := t.policy(s.Plate)
	t.push(r, topicDeparture, s.UID, struct {
		Plate      string `json:"plateNo"`
		Parking    string `json:"parkingCode"`
		NoSense    int    `json:"noSense"`
		LeaveFirst int    `json:"departurePay"`
		Limit      int64  `json:"moneyLimit"`
	}{s.Plate, t.cfg.Name, bit(p.NoSense), bit(p.LeaveFirst), p.Limit})
}

// push takes a message into the books; r sends it once they are closed. The caller holds mu.
func (t *Twin) push(r *record, topic, about string, data any) {
	raw, err := json.Marshal(data)
	if err != nil {
		panic("a push cannot be written: " + err.Error()) // structs of ours: impossible
	}
	p := &twinPush{RequestID: t.number("R"), Topic: topic, About: about, Data: raw}
	t.state.Pushes, t.pushes[p.RequestID] = append(t.state.Pushes, p), p
	t.changes++
	r.then = append(r.then, func() { t.send(p) })
}

// send gives a push to the broker.
func (t *Twin) send(p *twinPush) {
	t.mu.Lock()
	p.Sent++
	t.changes++
	t.mu.Unlock()
	message, err := t.Seal(p.RequestID, p.Data)
	if err == nil {
		err = t.Publish(p.Topic+"/"+t.cfg.Name+"/"+t.cfg.Name, message)
	}
	if err != nil {
		panic("a push cannot be sent: " + err.Error()) // a broker without listener or limit of ours: impossible
	}
}

// Seal makes a message of data as the city does, for whoever tries what a lot makes of it.
func (t *Twin) Seal(requestID string, data []byte) ([]byte, error) {
	sealed, err := seal(t.key, data)
	if err != nil {
		return nil, err
	}
	return json.Marshal(struct {
		RequestID string `json:"requestId"`
		Cipher    string `json:"cipher"`
		Sign      string `json:"sign"`
	}{requestID, sealed.cipher, sealed.sign})
}

// Publish gives a message to the broker as it is, for whoever tries what a lot makes of it. It is in no books.
func (t *Twin) Publish(topic string, message []byte) error {
	t.publishing.Lock()
	defer t.publishing.Unlock()
	return t.broker.Publish(topic, message, false, 1)
}

// collectLater settles a bill after d.
func (t *Twin) collectLater(billID string, d time.Duration) {
	if d == 0 {
		t.collect(billID)
		return
	}
	time.AfterFunc(d, func() { t.collect(billID) })
}

// collect settles a bill as the policy of its vehicle says.
func (t *Twin) collect(billID string) {
	t.mu.Lock()
	b := t.bills[billID]
	status := Paid
	if b != nil && t.policy(t.stays[b.UID].Plate).Collect == Fail {
		status = Failed
	}
	t.mu.Unlock()
	_ = t.settle(billID, status) // one that is settled already stays so
}

// settle says what became of a bill that is being collected.
func (t *Twin) settle(billID string, status Status) error {
	var r record
	t.mu.Lock()
	b := t.bills[billID]
	if b == nil || b.Status != Pending {
		t.mu.Unlock()
		return errors.New("settle: this bill is not being collected")
	}
	b.Status, b.Held = status, false
	if status == Paid {
		b.Order = t.number("C")
	}
	t.push(&r, topicResult, b.BillID, struct {
		Parking string `json:"parkingCode"`
		BillID  string `json:"billID"`
		Status  Status `json:"payStatus"`
		Paid    int64  `json:"actualPay"`
		Order   string `json:"orderCode"`
	}{t.cfg.Name, b.BillID, b.Status, b.paid(), b.Order})
	t.mu.Unlock()
	t.after(&r)
	return nil
}

// confirm takes an acknowledgement. The caller holds mu.
func (t *Twin) confirm(r *record, topic string) (any, *twinRefusal) {
	p := t.pushes[r.text["requestId"]]
	if p == nil || p.Topic != topic {
		return nil, refuse(CodeUnknown, "no such push was sent")
	}
	came, sent := r.raw["params"].Clone(), p.Data.Clone()
	if came.Canonicalize() != nil || sent.Canonicalize() != nil || string(came) != string(sent) {
		return nil, refuse(CodeConflict, "params: this push said something else")
	}
	p.Confirmed++
	return nil, nil
}

// openBroker makes the city's broker. It has no listener: connections come through Speak.
func (t *Twin) openBroker() error {
	t.broker = mqtt.New(&mqtt.Options{InlineClient: true, Logger: slog.New(slog.DiscardHandler)})
	if err := t.broker.AddHook(&door{twin: t}, nil); err != nil {
		return fmt.Errorf("cannot open the broker: %w", err)
	}
	return nil
}

// Protocol implements twin.Speaker.
func (*Twin) Protocol() string { return "mqtt" }

// Speak implements twin.Speaker: it serves a subscriber.
func (t *Twin) Speak(conn net.Conn) {
	_ = t.broker.EstablishConnection("city", conn) // its end is not ours to judge
}

// door lets the lot in, to hear and not to speak.
type door struct {
	mqtt.HookBase
	twin *Twin
}

// ID implements mqtt.Hook.
func (*door) ID() string { return "city" }

// Provides implements mqtt.Hook.
func (*door) Provides(b byte) bool {
	return b == mqtt.OnConnectAuthenticate || b == mqtt.OnACLCheck || b == mqtt.OnSubscribed
}

// OnConnectAuthenticate implements mqtt.Hook.
func (d *door) OnConnectAuthenticate(_ *mqtt.Client, p packets.Packet) bool {
	return string(p.Connect.Username) == d.twin.cfg.Name && subtle.ConstantTimeCompare(p.Connect.Password, []byte(d.twin.cfg.Password)) == 1
}

// OnACLCheck implements mqtt.Hook.
func (d *door) OnACLCheck(_ *mqtt.Client, topic string, write bool) bool {
	parts := strings.Split(topic, "/")
	return !write && len(parts) > 4 && parts[4] == d.twin.cfg.Name
}

// OnSubscribed implements mqtt.Hook: what was not acknowledged comes again, unless the broker has kept it for the subscriber.
func (d *door) OnSubscribed(c *mqtt.Client, _ packets.Packet, _ []byte) {
	if c.State.Inflight.Len() > 0 {
		return
	}
	t := d.twin
	var open []*twinPush
	t.mu.Lock()
	for _, p := range t.state.Pushes {
		if p.Confirmed == 0 && (p.Topic != topicFee || p.Sent == 0) {
			open = append(open, p)
		}
	}
	t.mu.Unlock()
	for _, p := range open {
		t.send(p)
	}
}
