package front

import (
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// deadlines is a socket that remembers its deadlines, and how often they were set.
type deadlines struct {
	net.Conn
	read, write time.Time
	set         int
}

func (d *deadlines) SetReadDeadline(t time.Time) error {
	d.read, d.set = t, d.set+1
	return nil
}

func (d *deadlines) SetWriteDeadline(t time.Time) error {
	d.write, d.set = t, d.set+1
	return nil
}

// TestDeadlinesFollow: whenever a request comes, its client has the time that it was promised, or an eighth more; and the socket
// is told so seldom. A deadline for reading a request does not stay for the wait after it.
func TestDeadlinesFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		socket := &deadlines{}
		c := &conn{Conn: socket, front: &Front{cfg: Config{ReadTimeout: 5 * time.Second, WriteTimeout: 8 * time.Second, IdleTimeout: 16 * time.Second}}, used: true}
		within := func(what string, got time.Time, least, most time.Duration) {
			if left := time.Until(got); left < least || left > most {
				t.Errorf("the client has %s %s, not %s to %s", left, what, least, most)
			}
		}
		const requests = 1000
		for i := range requests {
			if err := c.hasUntil(); err != nil {
				t.Fatal(err)
			}
			within("to begin", socket.read, 16*time.Second, 18*time.Second)
			if i%100 == 99 { // it does not come at once
				c.since, c.timed = time.Now(), false
				c.limit()
				within("to send all of it", socket.read, 5*time.Second, 5*time.Second)
			}
			if err := c.SetWriteDeadline(time.Now().Add(8 * time.Second)); err != nil {
				t.Fatal(err)
			}
			within("to take the answer", socket.write, 8*time.Second, 9*time.Second)
			time.Sleep(50 * time.Millisecond)
		}
		if socket.set > requests/8 {
			t.Errorf("the socket was told %d times in %d requests", socket.set, requests)
		}
		if err := c.SetWriteDeadline(time.Time{}); err != nil || !socket.write.IsZero() {
			t.Errorf("without a deadline it has one at %s: %v", socket.write, err)
		}
	})
}
