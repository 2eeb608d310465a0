package hangzhou

import (
	"context"
	"net/url"
)

// SealForm makes the form of a request of anything, with a private key (PEM).
func SealForm(private, accessID, plain string) (url.Values, error) {
	key, err := readPrivateKey(private)
	if err != nil {
		return nil, err
	}
	e, err := seal(key, []byte(plain))
	return url.Values{"accessID": {accessID}, "cipher": {e.cipher}, "sign": {e.sign}}, err
}

// OpenWith opens an envelope with the public half of a private key (PEM).
func OpenWith(private, cipher, sign string) ([]byte, error) {
	key, err := readPrivateKey(private)
	if err != nil {
		return nil, err
	}
	return envelope{cipher, sign}.open(&key.PublicKey)
}

// Read judges one message, as Subscribe does.
func (c *Client) Read(topic string, message []byte) (Push, error) {
	d, _, err := c.readPush(topic, message)
	if err != nil {
		return Push{}, err
	}
	return d.Push, nil
}

// Remembered is how many pushes are known to be handled.
const Remembered = remembered

// SessionOf is one connection of a Subscribe, to its end.
func (c *Client) SessionOf(ctx context.Context, s Settings, handle func(ctx context.Context, p Push) error) error {
	sub, err := c.subscriber(s, handle)
	if err != nil {
		return err
	}
	return sub.session(ctx)
}

// PushData returns what a push said.
func (t *Twin) PushData(requestID string) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.pushes[requestID].Data
}
