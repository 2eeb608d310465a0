package hangzhou

import (
	"bytes"
	"crypto"
	"crypto/md5" //nolint:gosec // the city's interface signs with MD5; the package's comment says what that is worth
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// padding is what PKCS#1 v1.5 adds to each piece, in bytes.
const padding = 11

// The least and the most bits of a key.
const (
	minBits = 1024
	maxBits = 4096
)

// Why an envelope is not believed. They show nothing of it.
var (
	errNotBase64 = errors.New("it is no base64")
	errSignature = errors.New("its signature is not the sender's")
	errPiece     = errors.New("a piece of it was not made with the sender's key")
)

// envelope is what was sealed, and by whom.
type envelope struct {
	cipher string // base64
	sign   string // base64
}

// seal hides plain as the city wants it, and signs that.
func seal(key *rsa.PrivateKey, plain []byte) (envelope, error) {
	size := key.Size() - padding
	out := make([]byte, 0, (len(plain)/size+1)*key.Size())
	for len(plain) > 0 {
		piece := plain[:min(size, len(plain))]
		plain = plain[len(piece):]
		block, err := rsa.SignPKCS1v15(nil, key, 0, piece) // no digest: the bare piece under block type 1
		if err != nil {
			return envelope{}, fmt.Errorf("cannot seal: %w", err)
		}
		out = append(out, block...)
	}
	e := envelope{cipher: base64.StdEncoding.EncodeToString(out)}
	digest := md5.Sum([]byte(e.cipher)) //nolint:gosec // see the import
	sign, err := rsa.SignPKCS1v15(nil, key, crypto.MD5, digest[:])
	if err != nil {
		return envelope{}, fmt.Errorf("cannot sign: %w", err)
	}
	e.sign = base64.StdEncoding.EncodeToString(sign)
	return e, nil
}

// open returns what the owner of key has sealed, or why it is not believed. The signature is judged first.
func (e envelope) open(key *rsa.PublicKey) ([]byte, error) {
	sign, err := base64.StdEncoding.Strict().DecodeString(e.sign)
	if err != nil {
		return nil, errNotBase64
	}
	digest := md5.Sum([]byte(e.cipher)) //nolint:gosec // see the import
	if rsa.VerifyPKCS1v15(key, crypto.MD5, digest[:], sign) != nil {
		return nil, errSignature
	}
	blocks, err := base64.StdEncoding.Strict().DecodeString(e.cipher)
	if err != nil {
		return nil, errNotBase64
	}
	size := key.Size()
	if len(blocks) == 0 || len(blocks)%size != 0 {
		return nil, errPiece
	}
	plain := make([]byte, 0, len(blocks))
	for len(blocks) > 0 {
		piece, err := recover1(key, blocks[:size])
		if err != nil {
			return nil, err
		}
		plain, blocks = append(plain, piece...), blocks[size:]
	}
	return plain, nil
}

// recover1 takes one piece out of its block (RFC 8017, 8.2.2 and the block type 1 of 9.2). Both are public: there is no secret to
// be kept by constant time.
func recover1(key *rsa.PublicKey, block []byte) ([]byte, error) {
	c := new(big.Int).SetBytes(block)
	if c.Cmp(key.N) >= 0 {
		return nil, errPiece
	}
	m := c.Exp(c, big.NewInt(int64(key.E)), key.N).FillBytes(make([]byte, len(block)))
	if m[0] != 0 || m[1] != 1 {
		return nil, errPiece
	}
	end := bytes.IndexByte(m[2:], 0)
	if end < 8 || len(bytes.Trim(m[2:2+end], "\xff")) != 0 {
		return nil, errPiece
	}
	return m[2+end+1:], nil
}

// readPrivateKey reads our key. The error is a *gateway.FieldError that shows nothing of it.
func readPrivateKey(text string) (*rsa.PrivateKey, error) {
	const path = "secrets.private_key"
	der, ok := readDER(text)
	if !ok {
		return nil, wrong(path, "must be a private_key in PEM or base64, has %d bytes", len(text))
	}
	var key *rsa.PrivateKey
	if any, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		key, _ = any.(*rsa.PrivateKey)
	} else if old, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		key = old
	}
	if key == nil {
		return nil, wrong(path, "must be an RSA key, PKCS#8 or PKCS#1")
	}
	return key, checkBits(path, key.N)
}

// readPublicKey reads the city's key. The error is a *gateway.FieldError that shows nothing of it.
func readPublicKey(text string) (*rsa.PublicKey, error) {
	const path = "secrets.city_key"
	der, ok := readDER(text)
	if !ok {
		return nil, wrong(path, "must be a city_key in PEM or base64, has %d bytes", len(text))
	}
	any, err := x509.ParsePKIXPublicKey(der)
	key, isRSA := any.(*rsa.PublicKey)
	if err != nil || !isRSA {
		return nil, wrong(path, "must be an RSA public key in PKIX form")
	}
	return key, checkBits(path, key.N)
}

func checkBits(path string, n *big.Int) error {
	if bits := n.BitLen(); bits < minBits || bits > maxBits || bits%8 != 0 {
		return wrong(path, "must have %d to %d bits, in whole bytes, has %d", minBits, maxBits, bits)
	}
	return nil
}

// readDER reads the one block of a PEM text, or bare base64, as the city hands keys out.
func readDER(text string) ([]byte, bool) {
	if block, rest := pem.Decode([]byte(text)); block != nil {
		return block.Bytes, len(bytes.TrimSpace(rest)) == 0
	}
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	return der, err == nil && len(der) > 0
}
