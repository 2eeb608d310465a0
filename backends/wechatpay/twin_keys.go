package wechatpay

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"strconv"
	"time"
)

// Credentials are what a merchant signs and decrypts with.
type Credentials struct {
	PrivateKey string // PEM, PKCS #8
	APIv3Key   string // 32 letters and digits
}

// MakePrivateKey makes a merchant's private key: RSA of 2048 bits as PEM, PKCS #8.
func MakePrivateKey() (string, error) {
	key, err := rsa.GenerateKey(rand.Reader, minBits)
	if err != nil {
		return "", fmt.Errorf("cannot make a key: %w", err)
	}
	return encodeKey(key)
}

// MakeAPIv3Key makes a merchant's APIv3 key: 32 letters and digits.
func MakeAPIv3Key() string { return (rand.Text() + rand.Text())[:apiKeySize] }

// MakeCredentials makes new credentials.
func MakeCredentials() (Credentials, error) {
	key, err := MakePrivateKey()
	return Credentials{PrivateKey: key, APIv3Key: MakeAPIv3Key()}, err
}

func encodeKey(key *rsa.PrivateKey) (string, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", fmt.Errorf("cannot write a key: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), nil
}

// twinKey is a key that the provider signs with.
type twinKey struct {
	serial      string
	key         *rsa.PrivateKey
	certificate string // PEM
	from, until time.Time
	listed      bool // /v3/certificates has it
}

// keptKey is a twinKey as Save writes it.
type keptKey struct {
	Key         string `json:"key"`
	Certificate string `json:"certificate"`
	Listed      bool   `json:"listed"`
}

// keyLife is how long the provider's certificates hold.
const keyLife = 5 * 365 * 24 * time.Hour

// newTwinKey makes a key with a certificate that it signs itself.
func newTwinKey(now time.Time) (*twinKey, *keptKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, minBits)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot make a key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 158))
	if err != nil {
		return nil, nil, fmt.Errorf("cannot make a serial number: %w", err)
	}
	serial.SetBit(serial, 158, 1) // forty digits, always
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "Warmgate sandbox"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(keyLife), KeyUsage: x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot make a certificate: %w", err)
	}
	kept := &keptKey{Certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), Listed: true}
	if kept.Key, err = encodeKey(key); err != nil {
		return nil, nil, err
	}
	k, err := kept.open()
	return k, kept, err
}

// open reads a key back.
func (k *keptKey) open() (*twinKey, error) {
	key, err := parsePrivateKey(k.Key)
	if err != nil {
		return nil, errors.New("a key of the provider's cannot be read")
	}
	block, _ := pem.Decode([]byte(k.Certificate))
	if block == nil {
		return nil, errors.New("a certificate of the provider's cannot be read")
	}
	serial, public, err := parseCertificate(block.Bytes)
	if err != nil || !public.key.Equal(&key.PublicKey) {
		return nil, errors.New("a certificate of the provider's does not belong to its key")
	}
	return &twinKey{serial: serial, key: key, certificate: k.Certificate, from: public.from, until: public.until, listed: k.Listed}, nil
}

// ready makes the first key where there is none.
func (t *Twin) ready() error {
	t.making.Lock()
	defer t.making.Unlock()
	t.mu.Lock()
	n := len(t.keys)
	t.mu.Unlock()
	if n > 0 {
		return nil
	}
	return t.addKey(false)
}

// Rotate makes the provider sign with a new key from now on. The former one leaves its list at once with drop; else the
// list has both.
func (t *Twin) Rotate(drop bool) error {
	if err := t.ready(); err != nil {
		return err
	}
	return t.addKey(drop)
}

func (t *Twin) addKey(drop bool) error {
	k, kept, err := newTwinKey(t.now())
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.keys {
		t.keys[i].listed = t.keys[i].listed && !drop
		t.state.Keys[i].Listed = t.keys[i].listed
	}
	t.keys, t.state.Keys = append(t.keys, k), append(t.state.Keys, *kept)
	t.changes++
	return nil
}

// PlatformCertificates returns the provider's certificates as PEM, as a merchant downloads them for the first time.
func (t *Twin) PlatformCertificates() (string, error) {
	if err := t.ready(); err != nil {
		return "", err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var all string
	for _, k := range t.keys {
		if k.listed {
			all += k.certificate
		}
	}
	return all, nil
}

// current returns the key that the provider signs with.
func (t *Twin) current() *twinKey {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.keys[len(t.keys)-1]
}

// signed puts the provider's signature over body into a header.
func (t *Twin) signed(h http.Header, body []byte) error {
	k := t.current()
	timestamp, nonce := strconv.FormatInt(t.cfg.Clock().Unix(), 10), newNonce()
	signature, err := sign(k.key, answerText(timestamp, nonce, body))
	if err != nil {
		return err
	}
	h.Set(headerSerial, k.serial)
	h.Set(headerTime, timestamp)
	h.Set(headerNonce, nonce)
	h.Set(headerSign, signature)
	h.Set(headerType, scheme)
	return nil
}

// certificate is one of /v3/certificates.
type certificate struct {
	SerialNo  string    `json:"serial_no"`
	From      string    `json:"effective_time"`
	Until     string    `json:"expire_time"`
	Encrypted *resource `json:"encrypt_certificate"`
}

func (t *Twin) getCertificates(*twinRequest) (any, *twinRefusal) {
	var out struct {
		Data []certificate `json:"data"`
	}
	for _, k := range t.keys {
		if !k.listed {
			continue
		}
		r, err := seal(t.cfg.Credentials.APIv3Key, []byte(k.certificate), "certificate")
		if err != nil {
			return nil, systemError()
		}
		out.Data = append(out.Data, certificate{k.serial, stamp(k.from), stamp(k.until), r})
	}
	return out, nil
}
