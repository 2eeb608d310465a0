package wechatpay

import (
	"bytes"
	"net/http"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
)

// How the twin sends.
const (
	sendTimeout = 5 * time.Second
	senders     = 8
)

// twinNotice is a notification that is not delivered yet.
type twinNotice struct {
	ID      string    `json:"id"`
	Event   string    `json:"event"`
	About   string    `json:"about"` // the merchant's number
	URL     string    `json:"url"`
	Content string    `json:"content"` // JSON in the clear
	Created time.Time `json:"created"`
	Due     time.Time `json:"due"`
	Tries   int       `json:"tries"`
}

// retries are the provider's pauses between the attempts to deliver: a day, all together.
func retries() []time.Duration {
	const s, m, h = time.Second, time.Minute, time.Hour
	return []time.Duration{15 * s, 15 * s, 30 * s, 3 * m, 10 * m, 20 * m, 30 * m, 30 * m, 30 * m, h, 3 * h, 3 * h, 3 * h, 6 * h, 6 * h}
}

// Behaviour is how the provider tells and decides. The zero value is well: decided at once, told at once, once.
type Behaviour struct {
	DecideMS int         `json:"decide_ms,omitzero"` // a charge or refund waits for so long until it is decided
	NotifyMS int         `json:"notify_ms,omitzero"` // a notification is late by so much
	Copies   int         `json:"copies,omitzero"`    // how often it is sent, with the same id; 0: once
	GapMS    int         `json:"gap_ms,omitzero"`    // between copies
	Early    bool        `json:"early,omitzero"`     // decided and told before the charge is answered
	Hold     int         `json:"hold,omitzero"`      // kept until so many are there, then sent in the reverse order
	Mute     bool        `json:"mute,omitzero"`      // nothing is told
	RetryMS  int         `json:"retry_ms,omitzero"`  // between attempts to deliver; 0: 15 s, and more and more
	DaysAgo  int         `json:"days_ago,omitzero"`  // what is paid or refunded was so many days ago, by the provider's books; at most 30
	NotReady bool        `json:"not_ready,omitzero"` // the day's bill is still being made
	Refunds  RefundState `json:"refunds,omitzero"`   // what refunds end as: CLOSED or ABNORMAL; "": SUCCESS
}

func (b Behaviour) decide() time.Duration { return time.Duration(b.DecideMS) * time.Millisecond }

func (b Behaviour) known() bool {
	const hour = 3_600_000
	return b.DecideMS >= 0 && b.DecideMS <= hour && b.NotifyMS >= 0 && b.NotifyMS <= hour && b.GapMS >= 0 && b.GapMS <= hour &&
		b.RetryMS >= 0 && b.RetryMS <= hour && b.Copies >= 0 && b.Copies <= 100 && b.Hold >= 0 && b.Hold <= 1000 &&
		b.DaysAgo >= 0 && b.DaysAgo <= 30 && (b.Refunds == "" || b.Refunds == RefundClosed || b.Refunds == RefundAbnormal)
}

// booked is when the provider's books have what happens now.
func (b Behaviour) booked(now time.Time) time.Time {
	return now.AddDate(0, 0, -b.DaysAgo).Truncate(time.Second)
}

func newSender() *http.Client {
	return &http.Client{Timeout: sendTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: senders, IdleConnTimeout: sendTimeout},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// notices makes the copies of one notification. The caller holds mu.
func (t *Twin) notices(name, to, about string, content any, now time.Time) []*twinNotice {
	b := t.state.Behaviour
	if b.Mute {
		return nil
	}
	text, err := json.Marshal(content, json.Deterministic(true))
	if err != nil {
		return nil // what was made of strings and numbers cannot fail
	}
	id := t.number("EV-")
	var all []*twinNotice
	for i := range max(b.Copies, 1) {
		all = append(all, &twinNotice{ID: id, Event: name, About: about, URL: to, Content: string(text), Created: now,
			Due: now.Add(time.Duration(b.NotifyMS+i*b.GapMS) * time.Millisecond)})
	}
	return all
}

// schedule sends notices when they are due, or keeps them where they are held. The caller holds mu.
func (t *Twin) schedule(all []*twinNotice, now time.Time) {
	t.state.Notices = append(t.state.Notices, all...)
	hold := t.state.Behaviour.Hold
	if hold == 0 {
		for _, n := range all {
			t.later(n.Due, &event{notice: n})
		}
		return
	}
	t.held = append(t.held, all...)
	if len(t.held) < hold {
		return
	}
	slices.Reverse(t.held)
	for _, n := range t.held {
		n.Due = now.Add(time.Duration(t.state.Behaviour.NotifyMS) * time.Millisecond)
		t.later(n.Due, &event{notice: n})
	}
	t.held = nil
}

// sendAll sends what is due, several at once, or one after the other where the order was asked for.
func (t *Twin) sendAll(all []*twinNotice) {
	t.mu.Lock()
	wide := senders
	if t.state.Behaviour.Hold > 0 {
		wide = 1
	}
	t.mu.Unlock()
	places := make(chan struct{}, wide)
	for _, n := range all {
		places <- struct{}{}
		t.tasks.Go(func() {
			t.deliver(n)
			<-places
		})
	}
}

// deliver makes one attempt to deliver, and plans the next one where it fails.
func (t *Twin) deliver(n *twinNotice) {
	took := t.post(n)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.changes++
	n.Tries++
	told := t.told(n)
	told.Sent++
	if took {
		told.Taken++
	}
	if again := retries(); !took && n.Tries <= len(again) {
		pause := again[n.Tries-1]
		if ms := t.state.Behaviour.RetryMS; ms > 0 {
			pause = time.Duration(ms) * time.Millisecond
		}
		n.Due = t.now().Add(pause)
		if !slices.Contains(t.state.Notices, n) { // it was sent early, and for the first time
			t.state.Notices = append(t.state.Notices, n)
		}
		t.later(n.Due, &event{notice: n})
		t.arm()
		return
	}
	t.state.Notices = slices.DeleteFunc(t.state.Notices, func(o *twinNotice) bool { return o == n })
}

// told returns where the books count the notices about a number. The caller holds mu.
func (t *Twin) told(n *twinNotice) *Told {
	if c := t.charges[n.About]; c != nil && (n.Event == EventPaid || n.Event == EventNotPaid || n.Event == EventRepaid) {
		return &c.Told
	}
	if r := t.refunds[n.About]; r != nil && n.Event == EventRefunded {
		return &r.Told
	}
	return new(Told)
}

// envelope encrypts a notice as it is sent.
func (t *Twin) envelope(n *twinNotice) ([]byte, error) {
	r, err := seal(t.cfg.Credentials.APIv3Key, []byte(n.Content), "transaction")
	if err != nil {
		return nil, err
	}
	type sealedResource struct {
		resource
		Original string `json:"original_type"`
	}
	return json.Marshal(struct {
		ID         string         `json:"id"`
		CreateTime string         `json:"create_time"`
		Type       string         `json:"resource_type"`
		Event      string         `json:"event_type"`
		Summary    string         `json:"summary"`
		Resource   sealedResource `json:"resource"`
	}{n.ID, stamp(n.Created), resourceType, n.Event, n.Event, sealedResource{*r, "transaction"}})
}

// post sends a notice and reports whether it was taken.
func (t *Twin) post(n *twinNotice) bool {
	body, err := t.envelope(n)
	if err != nil {
		return false
	}
	r, err := http.NewRequestWithContext(t.ctx, http.MethodPost, n.URL, bytes.NewReader(body))
	if err != nil || t.signed(r.Header, body) != nil {
		return false
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "*/*")
	r.Header.Set("User-Agent", "Mozilla/4.0")
	r.Header.Set("Request-Id", newNonce())
	resp, err := t.sender.Do(r)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusNoContent
}
