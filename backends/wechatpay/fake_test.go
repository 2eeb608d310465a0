package wechatpay_test

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/wechatpay"
)

// signer is a key as the provider has them. Everything about it is written from the documents alone, without the package.
type signer struct {
	serial      string
	key         *rsa.PrivateKey
	certificate string
	public      string
}

func newSigner(t testing.TB, serial int64, from, until time.Time) *signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "test"}, NotBefore: from, NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return &signer{serial: fmt.Sprintf("%040X", serial), key: key,
		certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		public:      string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))}
}

// goodSigner is one that holds now, made once.
var goodSigner = sync.OnceValue(func() *signer {
	return newSigner(&testing.B{}, 0xA1B2C3, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
})

// headers are the four of a signature over body at a time.
func (s *signer) headers(at time.Time, body string) http.Header {
	timestamp, nonce := strconv.FormatInt(at.Unix(), 10), rand.Text()
	sum := sha256.Sum256([]byte(timestamp + "\n" + nonce + "\n" + body + "\n"))
	raw, err := rsa.SignPKCS1v15(rand.Reader, s.key, crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return http.Header{"Wechatpay-Timestamp": {timestamp}, "Wechatpay-Nonce": {nonce}, "Wechatpay-Serial": {s.serial},
		"Wechatpay-Signature": {base64.StdEncoding.EncodeToString(raw)}}
}

// sealed encrypts as the documents say: AES-256-GCM, the tag at the end, base64.
func sealed(apiKey, plain, associated string) (ciphertext, nonce string) {
	block, err := aes.NewCipher([]byte(apiKey))
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	nonce = rand.Text()[:12]
	return base64.StdEncoding.EncodeToString(aead.Seal(nil, []byte(nonce), []byte(plain), []byte(associated))), nonce
}

// certificates is the provider's list.
func certificates(apiKey string, all ...*signer) string {
	out := ""
	for _, s := range all {
		ciphertext, nonce := sealed(apiKey, s.certificate, "certificate")
		out += fmt.Sprintf(`,{"serial_no":%q,"effective_time":"2026-01-01T00:00:00+08:00","expire_time":"2031-01-01T00:00:00+08:00","encrypt_certificate":`+
			`{"algorithm":"AEAD_AES_256_GCM","nonce":%q,"associated_data":"certificate","ciphertext":%q}}`, s.serial, nonce, ciphertext)
	}
	return `{"data":[` + out[min(1, len(out)):] + `]}`
}

// fake is a provider that answers as a test says.
type fake struct {
	url    string
	answer func(w http.ResponseWriter, r *http.Request, body []byte)
}

func newFake(t testing.TB, answer func(w http.ResponseWriter, r *http.Request, body []byte)) *fake {
	t.Helper()
	f := &fake{answer: answer}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		f.answer(w, r, body)
	}))
	t.Cleanup(server.Close)
	f.url = server.URL
	return f
}

// send answers with headers that were signed.
func send(w http.ResponseWriter, status int, header http.Header, body string) {
	maps.Copy(w.Header(), header)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// fakeConfig is a client's of a fake provider that signs with s.
func fakeConfig(url string, s *signer) wechatpay.Config {
	return wechatpay.Config{BaseURL: url, MchID: "1900000001", AppID: "wx0123456789abcdef", SerialNo: wechatpay.TwinSerialNo,
		PrivateKey: credentials().PrivateKey, APIv3Key: credentials().APIv3Key, PlatformKeys: s.certificate, NotifyURL: "https://gate.example/v1/webhooks/wechatpay/lot"}
}

// aTransaction is a whole one, with a member that is new.
const aTransaction = `{"appid":"wx0123456789abcdef","sp_mchid":"1900000001","description":"d","create_time":"2026-05-02T10:00:00+08:00","out_trade_no":"pay-1",` +
	`"transaction_id":"4200000001","trade_state":"SUCCESS","success_time":"2026-05-02T10:00:03+08:00","bank_type":"BPA","user_repaid":"N","trade_scene":"PARKING",` +
	`"payer":{"openid":"o1"},"amount":{"total":100,"currency":"CNY","payer_total":90,"discount_total":10},"new":[1]}`

// authorization is the header of a request of the merchant's that riverside's twin knows.
func authorization(t testing.TB, method, path, body string) string {
	return authorizationAt(t, method, path, body, time.Now())
}

func authorizationAt(t testing.TB, method, path, body string, at time.Time) string {
	t.Helper()
	block, _ := pem.Decode([]byte(credentials().PrivateKey))
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	timestamp, nonce := strconv.FormatInt(at.Unix(), 10), rand.Text()
	sum := sha256.Sum256([]byte(method + "\n" + path + "\n" + timestamp + "\n" + nonce + "\n" + body + "\n"))
	raw, err := rsa.SignPKCS1v15(rand.Reader, parsed.(*rsa.PrivateKey), crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`WECHATPAY2-SHA256-RSA2048 mchid="%s",nonce_str="%s",signature="%s",timestamp="%s",serial_no="%s"`,
		wechatpay.MchIDOf("riverside"), nonce, base64.StdEncoding.EncodeToString(raw), timestamp, wechatpay.TwinSerialNo)
}
