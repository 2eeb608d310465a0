package hangzhou

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
)

// mqttVersion is MQTT 3.1.1's number on the wire.
const mqttVersion = 4

// maxControl bounds what is no message: CONNACK, SUBACK, PINGRESP, in bytes.
const maxControl = 64

// mqttConn is one connection to a broker, as a subscriber needs it: MQTT 3.1.1 (OASIS, 2014), by one goroutine. The packets'
// inner form is the library's; what is read at all, and how much of it, is decided here.
type mqttConn struct {
	net.Conn
	in      *bufio.Reader
	timeout time.Duration // for a packet to be written, or read once it has begun
}

// message is one PUBLISH.
type message struct {
	topic    string
	payload  []byte
	id       uint16 // 0: QoS 0, no acknowledgement
	tooLarge bool   // payload is a part of what came
}

var (
	errProtocol = errors.New("the broker does not keep to the protocol")
	errNotGiven = errors.New("the broker grants no subscription")
)

// dialMQTT connects and introduces itself. The context ends the attempt; the connection is the caller's.
func (s *subscriber) dialMQTT(ctx context.Context) (*mqttConn, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.addr)
	if err != nil {
		return nil, err
	}
	if s.tls != nil {
		secure := tls.Client(conn, s.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = conn.Close()
			return nil, err
		}
		conn = secure
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	c := &mqttConn{Conn: conn, in: bufio.NewReader(conn), timeout: s.timeout}
	if err := c.introduce(s); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return c, nil
}

// introduce sends CONNECT and SUBSCRIBE, and waits for the answer to the first; that to the second comes among messages, where
// the broker has kept some.
func (c *mqttConn) introduce(s *subscriber) error {
	hello := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connect}, ProtocolVersion: mqttVersion,
		Connect: packets.ConnectParams{ProtocolName: []byte("MQTT"), Keepalive: uint16(s.keepAlive / time.Second), ClientIdentifier: s.clientID,
			UsernameFlag: true, Username: []byte(s.username), PasswordFlag: true, Password: []byte(s.password)}}
	if err := c.write(hello.ConnectEncode); err != nil {
		return err
	}
	head, size, err := c.head()
	if err != nil {
		return err
	}
	var answer packets.Packet
	body, err := c.body(size, maxControl)
	if err != nil {
		return err
	}
	if head.Type != packets.Connack || len(body) != 2 || answer.ConnackDecode(body) != nil {
		return errProtocol
	}
	if answer.ReasonCode != 0 {
		return fmt.Errorf("the broker refuses the connection, code %d", answer.ReasonCode)
	}
	ask := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Subscribe, Qos: 1}, ProtocolVersion: mqttVersion, PacketID: 1}
	for _, topic := range [...]string{topicDeparture, topicResult, topicFee} {
		ask.Filters = append(ask.Filters, packets.Subscription{Filter: topic + "/" + s.client.accessID + "/#", Qos: 1})
	}
	return c.write(ask.SubscribeEncode)
}

// write sends one packet.
func (c *mqttConn) write(encode func(*bytes.Buffer) error) error {
	var out bytes.Buffer
	if err := encode(&out); err != nil {
		return errProtocol
	}
	if err := c.SetWriteDeadline(time.Now().Add(c.timeout)); err != nil {
		return err
	}
	_, err := c.Write(out.Bytes())
	return err
}

// ack says that a message was taken (PUBACK).
func (c *mqttConn) ack(m *message) error {
	if m.id == 0 {
		return nil
	}
	p := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Puback}, ProtocolVersion: mqttVersion, PacketID: m.id}
	return c.write(p.PubackEncode)
}

func (c *mqttConn) ping() error {
	p := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pingreq}}
	return c.write(p.PingreqEncode)
}

// wait waits until a packet begins, or until the time given; came is false then, and nothing was taken.
func (c *mqttConn) wait(until time.Time) (came bool, err error) {
	if err := c.SetReadDeadline(until); err != nil {
		return false, err
	}
	var timeout net.Error
	switch _, err := c.in.Peek(1); {
	case err == nil:
		return true, nil
	case errors.As(err, &timeout) && timeout.Timeout():
		return false, nil
	default:
		return false, err
	}
}

// head reads a packet's fixed header (2.2).
func (c *mqttConn) head() (h packets.FixedHeader, size int, err error) {
	if err := c.SetReadDeadline(time.Now().Add(c.timeout)); err != nil {
		return h, 0, err
	}
	first, err := c.in.ReadByte()
	if err != nil {
		return h, 0, err
	}
	if h.Decode(first) != nil {
		return h, 0, errProtocol
	}
	for shift := 0; ; shift += 7 {
		b, err := c.in.ReadByte()
		if err != nil {
			return h, 0, err
		}
		size |= int(b&0x7f) << shift
		if b&0x80 == 0 {
			return h, size, nil
		}
		if shift == 21 {
			return h, 0, errProtocol
		}
	}
}

// body reads a packet's rest: at most limit bytes of it are kept.
func (c *mqttConn) body(size, limit int) ([]byte, error) {
	kept := make([]byte, min(size, limit))
	if _, err := io.ReadFull(c.in, kept); err != nil {
		return nil, err
	}
	_, err := io.CopyN(io.Discard, c.in, int64(size-len(kept)))
	return kept, err
}

// next reads a packet that has begun. It returns a message, or nil for what only keeps the connection; subscribed becomes true
// with the broker's consent.
func (c *mqttConn) next(limit int, subscribed *bool) (*message, error) {
	head, size, err := c.head()
	if err != nil {
		return nil, err
	}
	if head.Type != packets.Publish {
		limit = maxControl
	}
	body, err := c.body(size, limit)
	if err != nil {
		return nil, err
	}
	p := packets.Packet{FixedHeader: head, ProtocolVersion: mqttVersion}
	switch {
	case head.Type == packets.Pingresp:
		return nil, nil
	case head.Type == packets.Suback:
		if p.SubackDecode(body) != nil || p.PacketID != 1 || *subscribed {
			return nil, errProtocol
		}
		if len(p.ReasonCodes) != 3 || bytes.IndexByte(p.ReasonCodes, 0x80) >= 0 {
			return nil, errNotGiven
		}
		*subscribed = true
		return nil, nil
	case head.Type != packets.Publish, head.Qos > 1, p.PublishDecode(body) != nil, head.Qos == 1 && p.PacketID == 0:
		return nil, errProtocol
	}
	return &message{topic: p.TopicName, payload: p.Payload, id: p.PacketID, tooLarge: size > limit}, nil
}
