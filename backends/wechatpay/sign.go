package wechatpay

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// The words of API v3's signatures.
const (
	scheme       = "WECHATPAY2-SHA256-RSA2048"
	sealed       = "AEAD_AES_256_GCM"
	keyIDPrefix  = "PUB_KEY_ID_"
	headerSerial = "Wechatpay-Serial"
	headerTime   = "Wechatpay-Timestamp"
	headerNonce  = "Wechatpay-Nonce"
	headerSign   = "Wechatpay-Signature"
	headerType   = "Wechatpay-Signature-Type"
)

const (
	apiKeySize = 32
	minBits    = 2048
	maxBits    = 8192
	maxSerial  = 64
	maxPEM     = 256 << 10
	maxNonce   = 64
)

// requestText is what a request's signature is of. path has its query and no host.
func requestText(method, path, timestamp, nonce string, body []byte) []byte {
	return text(method, path, timestamp, nonce, string(body))
}

// answerText is what the signature of an answer or of a notification is of.
func answerText(timestamp, nonce string, body []byte) []byte {
	return text(timestamp, nonce, string(body))
}

func text(lines ...string) []byte { return []byte(strings.Join(lines, "\n") + "\n") }

// sign returns the signature of a text, RSASSA-PKCS1-v1_5 with SHA-256 in base64.
func sign(key *rsa.PrivateKey, of []byte) (string, error) {
	sum := sha256.Sum256(of)
	raw, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("cannot sign: %w", err)
	}
	return base64.StdEncoding.EncodeToString(raw), nil
}

// verify reports whether signature is key's over a text.
func verify(key *rsa.PublicKey, of []byte, signature string) bool {
	raw, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return false
	}
	sum := sha256.Sum256(of)
	return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], raw) == nil
}

// newNonce returns a random string that is never used twice.
func newNonce() string { return rand.Text() }

// authorize returns the Authorization header of a request.
func (c *Client) authorize(method, path string, body []byte) (string, error) {
	nonce, now := newNonce(), strconv.FormatInt(c.cfg.Clock().Unix(), 10)
	var signature string
	var err error
	c.cfg.Signing(func() { signature, err = sign(c.key, requestText(method, path, now, nonce, body)) })
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(`%s mchid="%s",nonce_str="%s",signature="%s",timestamp="%s",serial_no="%s"`,
		scheme, c.cfg.MchID, nonce, signature, now, c.cfg.SerialNo), nil
}

// resource is an encrypted part of an answer or of a notification.
type resource struct {
	Algorithm  string `json:"algorithm"`
	Ciphertext string `json:"ciphertext"`
	Nonce      string `json:"nonce"`
	Associated string `json:"associated_data"`
}

var errSealed = errors.New("what is encrypted cannot be read")

// open decrypts what was encrypted with the merchant's APIv3 key.
func (r *resource) open(apiKey string) ([]byte, error) {
	if r.Algorithm != sealed {
		return nil, errSealed
	}
	raw, err := base64.StdEncoding.DecodeString(r.Ciphertext)
	if err != nil {
		return nil, errSealed
	}
	aead, err := newAEAD(apiKey)
	if err != nil || len(r.Nonce) != aead.NonceSize() {
		return nil, errSealed
	}
	plain, err := aead.Open(nil, []byte(r.Nonce), raw, []byte(r.Associated))
	if err != nil {
		return nil, errSealed
	}
	return plain, nil
}

// seal encrypts as the provider does.
func seal(apiKey string, plain []byte, associated string) (*resource, error) {
	aead, err := newAEAD(apiKey)
	if err != nil {
		return nil, err
	}
	nonce := newNonce()[:aead.NonceSize()]
	raw := aead.Seal(nil, []byte(nonce), plain, []byte(associated))
	return &resource{Algorithm: sealed, Ciphertext: base64.StdEncoding.EncodeToString(raw), Nonce: nonce, Associated: associated}, nil
}

func newAEAD(apiKey string) (cipher.AEAD, error) {
	block, err := aes.NewCipher([]byte(apiKey))
	if err != nil {
		return nil, fmt.Errorf("cannot use the APIv3 key: %w", err)
	}
	return cipher.NewGCM(block)
}

// parsePrivateKey reads the merchant's key.
func parsePrivateKey(s string) (*rsa.PrivateKey, error) {
	bad := wrong("secrets.private_key", "must be an RSA key of %d to %d bits as PEM (PKCS #8 or PKCS #1)", minBits, maxBits)
	block, rest := pem.Decode([]byte(s))
	if block == nil || len(s) > maxPEM || strings.TrimSpace(string(rest)) != "" {
		return nil, bad
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		parsed, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if err != nil || !ok || !isSound(&key.PublicKey) {
		return nil, bad
	}
	return key, nil
}

func isSound(k *rsa.PublicKey) bool { return k.N.BitLen() >= minBits && k.N.BitLen() <= maxBits }

// platformKey is a public key of the provider's and when it holds.
type platformKey struct {
	key         *rsa.PublicKey
	from, until time.Time // zero until: for ever
	fetched     bool      // it is in the provider's list, which may take it back
	left        time.Time // when it was seen to be no longer in the list; zero: it is
}

// parsePlatformKeys reads the keys that the configuration has, by their serial.
func parsePlatformKeys(s, id string) (map[string]*platformKey, error) {
	out := map[string]*platformKey{}
	bad := wrong("secrets.platform_keys", "must be certificates or, with platform_key_id, one public key as PEM, RSA of %d to %d bits", minBits, maxBits)
	rest := []byte(s)
	for len(strings.TrimSpace(string(rest))) > 0 {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil || len(s) > maxPEM {
			return nil, bad
		}
		switch {
		case block.Type == "CERTIFICATE":
			serial, key, err := parseCertificate(block.Bytes)
			if err != nil {
				return nil, bad
			}
			key.fetched = true
			out[serial] = key
		case block.Type == "PUBLIC KEY" && id != "" && out[id] == nil:
			parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
			key, ok := parsed.(*rsa.PublicKey)
			if err != nil || !ok || !isSound(key) {
				return nil, bad
			}
			out[id] = &platformKey{key: key}
		default:
			return nil, bad
		}
	}
	if id != "" && out[id] == nil {
		return nil, bad
	}
	return out, nil
}

// parseCertificate returns the serial number of a certificate, as the provider writes it, and its key.
func parseCertificate(der []byte) (string, *platformKey, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return "", nil, fmt.Errorf("cannot read a certificate: %w", err)
	}
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	serial := serialOf(cert.SerialNumber)
	if !ok || !isSound(key) || !isHex(serial) {
		return "", nil, errors.New("cannot use a certificate: want RSA of 2048 to 8192 bits and a serial number")
	}
	return serial, &platformKey{key: key, from: cert.NotBefore, until: cert.NotAfter}, nil
}

// serialOf writes a serial number as it is looked up.
func serialOf(n *big.Int) string { return fmt.Sprintf("%X", n) }

// canonical writes a serial number that came from outside as it is looked up: some write leading zeros, some do not.
func canonical(serial string) string {
	if isHex(serial) {
		return strings.TrimLeft(strings.ToUpper(serial), "0")
	}
	return serial
}
