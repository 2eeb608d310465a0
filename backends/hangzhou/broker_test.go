package hangzhou_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/warmgate/warmgate/backends/hangzhou"
	"github.com/warmgate/warmgate/backends/twin/twintest"
)

// script is a broker that says what it was told, whatever it hears: after CONNECT, then after SUBSCRIBE.
func script(t *testing.T, steps ...[]byte) (url string, heard chan packets.Packet) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	heard = make(chan packets.Packet, 64)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			in := bufio.NewReader(conn)
			for _, step := range append(slices.Clone(steps), nil, nil, nil, nil) {
				p, err := readPacket(in)
				if err != nil {
					break
				}
				heard <- p
				if _, err := conn.Write(step); err != nil {
					break
				}
			}
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return "mqtt://" + l.Addr().String(), heard
}

func readPacket(in *bufio.Reader) (packets.Packet, error) {
	p := packets.Packet{ProtocolVersion: 4}
	first, err := in.ReadByte()
	if err != nil {
		return p, err
	}
	if err := p.FixedHeader.Decode(first); err != nil {
		return p, err
	}
	n, _, err := packets.DecodeLength(in)
	if err != nil {
		return p, err
	}
	body := make([]byte, n)
	if _, err = io.ReadFull(in, body); err != nil {
		return p, err
	}
	switch p.FixedHeader.Type {
	case packets.Connect:
		err = p.ConnectDecode(body)
	case packets.Subscribe:
		err = p.SubscribeDecode(body)
	case packets.Puback:
		err = p.PubackDecode(body)
	}
	return p, err
}

// publish makes a PUBLISH.
func publish(t *testing.T, qos byte, id uint16, topic string, payload []byte) []byte {
	t.Helper()
	p := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: qos}, ProtocolVersion: 4, PacketID: id, TopicName: topic, Payload: payload}
	var out bytes.Buffer
	if err := p.PublishEncode(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

var (
	connack = []byte{0x20, 2, 0, 0}
	suback  = []byte{0x90, 5, 0, 1, 1, 1, 1}
)

// TestTheSubscriberKeepsToTheProtocol: CONNECT, SUBSCRIBE, PUBACK and PINGREQ are what MQTT 3.1.1 says.
func TestTheSubscriberKeepsToTheProtocol(t *testing.T) {
	w := newWorld(t)
	arrive(t, w, 1)
	id, data := push(w, departureTopic, w.client.UID("1", noon), "")
	message := publish(t, 1, 77, departureTopic+"/riverside/riverside", sealed(t, w, id, string(data)))
	url, heard := script(t, connack, append(slices.Clone(suback), message...), nil, []byte{0xd0, 0})
	s := w.settings()
	s.Broker, s.KeepAlive, s.ClientID = url, time.Second, "gate-1"
	ear := w.listen(t, s, nil)
	hello := <-heard
	if c := hello.Connect; string(c.ProtocolName) != "MQTT" || c.Clean || c.Keepalive != 1 || c.ClientIdentifier != "gate-1" ||
		string(c.Username) != lot || string(c.Password) != password || c.WillFlag {
		t.Errorf("CONNECT = %+v", c)
	}
	ask := <-heard
	var filters []string
	for _, f := range ask.Filters {
		filters = append(filters, f.Filter)
		if f.Qos != 1 {
			t.Errorf("QoS %d", f.Qos)
		}
	}
	if strings.Join(filters, " ") != "/hzcity/v2/departurePayInfo/riverside/# /hzcity/v2/payResult/riverside/# /hzcity/v2/fee/riverside/#" {
		t.Errorf("SUBSCRIBE = %v", filters)
	}
	if ear.next().Departure == nil {
		t.Error("no permission")
	}
	if p := <-heard; p.FixedHeader.Type != packets.Puback || p.PacketID != 77 {
		t.Errorf("PUBACK = %+v", p)
	}
	if w.twin.ReadBooks().Pushes[0].Confirmed != 1 {
		t.Error("the broker was told before the city")
	}
	for range 2 { // the second after the answer to the first
		if p := <-heard; p.FixedHeader.Type != packets.Pingreq {
			t.Errorf("PINGREQ = %+v", p)
		}
	}
}

// TestABrokerThatBreaksTheProtocol: the connection ends, at once, with a reason.
func TestABrokerThatBreaksTheProtocol(t *testing.T) {
	w := newWorld(t)
	real := sealed(t, w, "R1", permission)
	topic := departureTopic + "/riverside/riverside"
	after := func(b ...byte) [][]byte { return [][]byte{connack, b} }
	for _, test := range []struct {
		name  string
		steps [][]byte
		want  string
	}{
		{"another packet first", [][]byte{suback}, "protocol"},
		{"a long CONNACK", [][]byte{{0x20, 4, 0, 0, 0, 0}}, "protocol"},
		{"a refusal", [][]byte{{0x20, 2, 0, 5}}, "code 5"},
		{"a length that does not end", after(0x30, 0xff, 0xff, 0xff, 0xff, 0xff), "protocol"},
		{"flags that are none", after(0x21, 2, 0, 0), "protocol"},
		{"no subscription is granted", after(0x90, 5, 0, 1, 1, 0x80, 1), "grants no"},
		{"a subscription to something else", after(0x90, 5, 0, 2, 1, 1, 1), "protocol"},
		{"two of three", after(0x90, 4, 0, 1, 1, 1), "grants no"},
		{"twice", after(append(slices.Clone(suback), suback...)...), "protocol"},
		{"QoS 2", after(append(slices.Clone(suback), publish(t, 2, 7, topic, real)...)...), "protocol"},
		{"a topic that is cut off", after(0x32, 3, 0, 9, 'a'), "protocol"},
		{"a topic that is not UTF-8", after(0x30, 3, 0, 1, 0xff), "protocol"},
		{"a packet of a client's", after(0x10, 0), "protocol"},
		{"a number that is none", after(0x32, 5, 0, 1, 'a', 0, 0), "protocol"},
		{"a packet that does not end", after(0x32, 50, 0, 1, 'a'), "timeout"},
		{"no SUBACK", after(), "sign of life"},
		{"silence after it", after(suback...), "sign of life"},
	} {
		t.Run(test.name, func(t *testing.T) {
			url, _ := script(t, test.steps...)
			s := w.settings()
			s.Broker, s.Timeout, s.KeepAlive = url, 200*time.Millisecond, time.Second
			err := w.client.SessionOf(twintest.Within(t, 10*time.Second), s, func(context.Context, hangzhou.Push) error { return nil })
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestAHugeMessageIsReadPast: no more of it is kept than the bound, and what comes after it is heard.
func TestAHugeMessageIsReadPast(t *testing.T) {
	w := newWorld(t)
	topic := departureTopic + "/riverside/riverside"
	huge := publish(t, 1, 9, topic, bytes.Repeat([]byte("x"), 8<<20))
	all := append(append(slices.Clone(suback), huge...), publish(t, 0, 0, topic, sealed(t, w, "R1", permission))...)
	url, heard := script(t, connack, all, nil)
	s := w.settings()
	s.Broker = url
	ear := w.listen(t, s, nil)
	if p := ear.next(); p.RequestID != "R1" {
		t.Errorf("push = %+v", p)
	}
	<-heard
	<-heard
	if p := <-heard; p.FixedHeader.Type != packets.Puback || p.PacketID != 9 {
		t.Errorf("PUBACK = %+v", p)
	}
	if !strings.Contains(w.log.String(), "over the bound") {
		t.Errorf("log:\n%s", w.log)
	}
}

// FuzzBroker: whatever a broker sends, the session ends with an error and handles nothing that the city has not sealed.
func FuzzBroker(f *testing.F) {
	for _, seed := range [][]byte{suback, {0x90, 5, 0, 1, 1, 1, 1, 0xd0, 0}, {0x30, 0xff, 0xff, 0xff, 0x7f}, {0x32, 7, 0, 1, 'a', 0, 1, 'x', 'y'}, {0xd0, 0}, {0xe0, 0}, nil} {
		f.Add(seed)
	}
	w := newWorld(f)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = l.Close() })
	f.Fuzz(func(t *testing.T, after []byte) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			_, _ = conn.Write(append(slices.Clone(connack), after...))
			_ = conn.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, conn)
		}()
		s := w.settings()
		s.Broker, s.Logger = "mqtt://"+l.Addr().String(), nil
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		err := w.client.SessionOf(ctx, s, func(context.Context, hangzhou.Push) error {
			return errors.New("handled")
		})
		<-done
		if err == nil || ctx.Err() != nil || strings.Contains(err.Error(), "come again") {
			t.Errorf("got %v", err)
		}
	})
}
